# SPDX-License-Identifier: AGPL-3.0-or-later
"""What studies show by their series: the sum kept with a study may be older than its series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from plugin.anatomy.book import read_both
from plugin.anatomy.records import StudyAnatomy
from plugin.states import Metadata

_NAMES = (Metadata.ANATOMY, Metadata.ANATOMY_OVERRIDES)
_AT_ONCE = 50
"""Studies in one question: Orthanc answers with the identifiers of all their images."""


class SeriesShelf(Protocol):
    """What is needed of Orthanc; see ``plugin.archive.Archive``."""

    def metadata_of(
        self,
        resources: Sequence[str],
        level: Literal["series", "instance"],
        names: Sequence[Metadata],
        /,
    ) -> list[tuple[dict[str, Any], dict[Metadata, str]]]:
        """Metadata values of many resources at once."""


@dataclass(frozen=True)
class ShownStudy:
    """What the series of one study show.

    Attributes:
        anatomy: of the series that were recognized; None where nobody has looked.
        is_unreadable: the anatomy of a series is there, in the words of another version.
        images: Orthanc identifiers, one of each series, those that were recognized first.
    """

    anatomy: StudyAnatomy | None = None
    is_unreadable: bool = False
    images: tuple[str, ...] = ()


def shown_by(shelf: SeriesShelf, studies: Sequence[str]) -> dict[str, ShownStudy]:
    """What these studies show, by their Orthanc identifiers; those without series are left out."""
    found: dict[str, list[tuple[dict[str, Any], dict[Metadata, str]]]] = {}
    for start in range(0, len(studies), _AT_ONCE):
        for series, held in shelf.metadata_of(studies[start : start + _AT_ONCE], "series", _NAMES):
            found.setdefault(str(series["ParentStudy"]), []).append((series, held))
    return {study: _shown(series) for study, series in found.items()}


def _shown(series: Sequence[tuple[dict[str, Any], Mapping[Metadata, str]]]) -> ShownStudy:
    told = [(one, held, read_both(held)) for one, held in series]
    read = [(one.recognized, one.log.in_force) for _, _, one in told if one is not None]
    told.sort(key=lambda one: one[2] is None)
    return ShownStudy(
        anatomy=StudyAnatomy.of_series(read) if read else None,
        is_unreadable=any(Metadata.ANATOMY in held and one is None for _, held, one in told),
        images=tuple(str(one["Instances"][0]) for one, _, _ in told if one.get("Instances")),
    )
