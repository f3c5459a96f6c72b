# SPDX-License-Identifier: AGPL-3.0-or-later
"""What of a study can be put into a box: a series of slices, or one image of a projection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pydantic import ValidationError

from inference.contract import AnatomyAnswer
from plugin.anatomy import AnatomyBook
from plugin.anatomy.priors import Archive as PriorArchive
from plugin.archive import NotFoundError
from plugin.hanging.details import UNSAID, Details, details
from plugin.routing.facts import SeriesFacts, facts
from plugin.states import Metadata, ScanState

_MOST_PROJECTIONS = 64
"""In one series; thousands of slices are not asked whether they are projections."""


class Archive(PriorArchive, Protocol):
    """What is needed of Orthanc."""

    def simplified_tags(self, instance: str, /) -> dict[str, Any]:
        """The tags of an instance by keyword, without pixel data."""

    def metadata_of(
        self,
        resources: Sequence[str],
        level: Literal["series", "instance"],
        names: Sequence[Metadata],
        /,
    ) -> list[tuple[dict[str, Any], dict[Metadata, str]]]:
        """Metadata values of many resources at once."""


@dataclass(frozen=True)
class Shown:
    """One thing that a box can show.

    Attributes:
        instance: Orthanc identifier of a projection; empty for a series of slices.
        uids: Study and Series Instance UID, and SOP Instance UID of a projection.
        details: of the projection, or of one image of the series.
    """

    study: str
    series: str
    instance: str
    facts: SeriesFacts
    uids: Mapping[str, str]
    details: Details = UNSAID


def things_of(archive: Archive, study: dict[str, Any]) -> list[Shown]:
    """All that can be shown of a study, in a stable order; what nobody has looked at is left out.

    Args:
        study: Orthanc's JSON of it.
    """
    study_id = str(study["ID"])
    uid = str(study.get("MainDicomTags", {}).get("StudyInstanceUID", ""))
    known = AnatomyBook(archive).many([study_id])
    few = [one["ID"] for one, _ in known if len(one.get("Instances", ())) <= _MOST_PROJECTIONS]
    images = _images(archive, few)
    found: list[Shown] = []
    for series, anatomy in known:
        own = [image for image in images if image[0].get("ParentSeries") == series["ID"]]
        uids = {"study": uid, "series": str(series["MainDicomTags"].get("SeriesInstanceUID", ""))}
        found += _of_series(archive, study_id, series, uids, (anatomy.effective, own))
    return sorted(found, key=lambda one: (one.series, one.instance))


def _of_series(
    archive: Archive,
    study: str,
    series: dict[str, Any],
    uids: dict[str, str],
    known: tuple[AnatomyAnswer, list[tuple[dict[str, Any], AnatomyAnswer]]],
) -> list[Shown]:
    anatomy, images = known
    identifier = str(series["ID"])
    if not images:
        instances = [str(one) for one in series.get("Instances", ())]
        tags = _tags(archive, instances[0]) if instances else None
        if tags is None:
            return []
        whole = facts(anatomy, tags, len(instances))
        return [Shown(study, identifier, "", whole, uids, details(tags))]
    found = []
    for image, answer in images:
        tags = _tags(archive, str(image["ID"]))
        if tags is None:
            continue
        # The regions that count are those of the series: a reviewer's word is about it.
        own = facts(answer.model_copy(update={"regions": anatomy.regions}), tags, 1)
        named = {**uids, "instance": str(image["MainDicomTags"].get("SOPInstanceUID", ""))}
        found.append(Shown(study, identifier, str(image["ID"]), own, named, details(tags)))
    return found


def _tags(archive: Archive, instance: str) -> dict[str, Any] | None:
    try:
        return archive.simplified_tags(instance)
    except NotFoundError:
        return None  # deleted meanwhile


def _images(archive: Archive, series: list[str]) -> list[tuple[dict[str, Any], AnatomyAnswer]]:
    """Projections of these series, each with what was recognized on it."""
    if not series:
        return []
    found = []
    for image, held in archive.metadata_of(series, "instance", (Metadata.STATE,)):
        text = held.get(Metadata.STATE)
        anatomy = _anatomy(text) if text is not None else None
        if anatomy is not None:
            found.append((image, anatomy))
    return found


def _anatomy(text: str) -> AnatomyAnswer | None:
    try:
        return ScanState.model_validate_json(text).anatomy
    except ValidationError:
        return None  # of another version; the series is shown as a whole
