# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the earlier studies of the same patient show, where tags and pixels disagree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, Protocol

from pydantic import ValidationError

from inference.contract import RegionName
from plugin.anatomy.records import StudyAnatomy
from plugin.states import Metadata

MOST = 5
"""Earlier studies that are looked at, the latest first."""


class PatientShelf(Protocol):
    """What is needed of Orthanc; see ``plugin.archive.Archive``."""

    def study(self, identifier: str, /) -> dict[str, Any]:
        """Orthanc's JSON of one study."""

    def children(self, level: Literal["patient"], identifier: str, /) -> list[Any]:
        """Orthanc's JSON of all studies of a patient."""

    def metadata(self, level: Literal["study"], identifier: str, name: Metadata, /) -> str | None:
        """One metadata value, or None."""


def earlier_regions(
    shelf: PatientShelf, study: str, modality: str
) -> Iterator[frozenset[RegionName]]:
    """Regions that earlier studies show in this modality, the latest study first.

    None for a patient without Patient ID: all who have none are one patient for Orthanc. Studies of
    the same Study Date are current, not earlier.
    """
    current = shelf.study(study)
    patient = str(current.get("PatientMainDicomTags", {}).get("PatientID", "")).strip()
    taken = _date(current)
    if not patient or not taken:
        return
    known = shelf.children("patient", str(current["ParentPatient"]))
    before = [one for one in known if "" < _date(one) < taken]
    before.sort(key=lambda one: (_date(one), str(one["ID"])), reverse=True)
    for one in before[:MOST]:
        text = shelf.metadata("study", str(one["ID"]), Metadata.ANATOMY)
        regions = _regions(text, modality) if text else frozenset()
        if regions:
            yield regions


def _regions(text: str, modality: str) -> frozenset[RegionName]:
    try:
        return frozenset(StudyAnatomy.model_validate_json(text).by_modality.get(modality, ()))
    except ValidationError:
        return frozenset()  # of another version: it says nothing, and nothing depends on it


def _date(study: dict[str, Any]) -> str:
    """Study Date (0008,0020) as eight digits (DA of PS3.5 section 6.2), or nothing."""
    value = str(study.get("MainDicomTags", {}).get("StudyDate", "")).strip()
    return value if len(value) == 8 and value.isascii() and value.isdigit() else ""
