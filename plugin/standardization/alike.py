# SPDX-License-Identifier: AGPL-3.0-or-later
"""Instances of a series whose headers say the same of what a standard header says."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import pydicom
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from plugin.results.discretion import values_unquoted

LOGGER = logging.getLogger(__name__)

_COMPARED = (
    "BodyPartExamined",
    "SeriesDescription",
    "StudyDescription",
    "RequestedProcedurePriority",
    "Laterality",
)


class Alike(NamedTuple):
    """Instances, by Orthanc identifier, and the header of one of them."""

    header: Dataset
    instances: list[str]


class Files(Protocol):
    """What is needed of Orthanc; see ``plugin.archive.Archive``."""

    def file(self, instance: str, /) -> bytes:
        """The stored file."""

    def tags_below(self, series: str, /) -> Mapping[str, Mapping[str, Any]]:
        """The tags of all instances of a series, by Orthanc identifier."""


def alike(archive: Files, series: str, header: Dataset, instances: Sequence[str]) -> list[Alike]:
    """The instances of a series in groups, that of the first one first.

    One question to Orthanc, and one file more for each other header. A header that can't be read
    is left out, with a line in the log.

    Args:
        archive: Orthanc.
        series: Orthanc identifier.
        header: of the first instance.
        instances: Orthanc identifiers.

    Raises:
        ArchiveError: Orthanc can't be reached or refuses.
    """
    if len(instances) <= 1:
        return [Alike(header, list(instances))]
    tags = archive.tags_below(series)
    groups: dict[tuple[str, ...], list[str]] = {}
    for instance in instances:
        groups.setdefault(_said(tags.get(instance, {})), []).append(instance)
    first, *others = groups.values()
    read = ((_header(archive.file(group[0])), group) for group in others)
    return [Alike(header, first), *(Alike(one, group) for one, group in read if one is not None)]


def _said(tags: Mapping[str, Any]) -> tuple[str, ...]:
    # What is not there at all is told from what is empty: an empty side may have to go.
    return tuple(repr(tags.get(_named(keyword))) for keyword in _COMPARED)


def _named(keyword: str) -> str:
    tag = Tag(keyword)
    return f"{tag.group:04x},{tag.element:04x}"


def _header(file: bytes) -> Dataset | None:
    with values_unquoted():
        try:
            return pydicom.dcmread(io.BytesIO(file), stop_before_pixels=True)
        except Exception as error:  # noqa: BLE001
            # pydicom raises whatever a broken file provokes, and its messages can quote the file.
            LOGGER.warning("a header can't be read for its copy (%s)", type(error).__name__)
            return None
