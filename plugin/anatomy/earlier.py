# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the earlier studies of the same patient show, where tags and pixels disagree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, Protocol

from inference.contract import RegionName
from plugin.anatomy.persons import HeaderShelf, person_of
from plugin.anatomy.shown_studies import SeriesShelf, ShownStudy, shown_by

MOST = 5
"""Earlier studies that are looked at, the latest first."""


class PatientShelf(SeriesShelf, HeaderShelf, Protocol):
    """What is needed of Orthanc; see ``plugin.archive.Archive``."""

    def study(self, identifier: str, /) -> dict[str, Any]:
        """Orthanc's JSON of one study."""

    def children(self, level: Literal["patient"], identifier: str, /) -> list[Any]:
        """Orthanc's JSON of all studies of a patient."""


def earlier_regions(
    shelf: PatientShelf, study: str, modality: str
) -> Iterator[frozenset[RegionName]]:
    """Regions that earlier studies show in this modality, the latest study first.

    None for a patient without Patient ID: all who have none are one patient for Orthanc. Studies of
    the same Study Date are current, not earlier; those whose issuer of the Patient ID, birth date
    or sex differs are another patient's.
    """
    current = shelf.study(study)
    patient = str(current.get("PatientMainDicomTags", {}).get("PatientID", "")).strip()
    taken = _date(current)
    if not patient or not taken:
        return
    known = shelf.children("patient", str(current["ParentPatient"]))
    before = [one for one in known if "" < _date(one) < taken]
    before.sort(key=lambda one: (_date(one), str(one["ID"])), reverse=True)
    latest = [str(one["ID"]) for one in before[:MOST]]
    shown = shown_by(shelf, [study, *latest]) if latest else {}
    told = {one: found for one in latest if (found := _regions(shown.get(one), modality))}
    person = person_of(shelf, shown[study].images) if told and study in shown else None
    for one, regions in told.items():
        other = person_of(shelf, shown[one].images)
        if person is not None and other is not None and person.can_be(other):
            yield regions


def _regions(shown: ShownStudy | None, modality: str) -> frozenset[RegionName]:
    anatomy = shown.anatomy if shown else None
    return frozenset(anatomy.by_modality.get(modality, ())) if anatomy else frozenset()


def _date(study: dict[str, Any]) -> str:
    """Study Date (0008,0020) as eight digits (DA of PS3.5 section 6.2), or nothing."""
    value = str(study.get("MainDicomTags", {}).get("StudyDate", "")).strip()
    return value if len(value) == 8 and value.isascii() and value.isdigit() else ""
