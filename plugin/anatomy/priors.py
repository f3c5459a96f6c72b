# SPDX-License-Identifier: AGPL-3.0-or-later
"""The relevant priors of a study: the patient's earlier studies of the same anatomy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, Protocol

from pydantic import ValidationError

from inference.contract import RegionName
from plugin.anatomy.book import AnatomyBook, Shelf, UnreadableAnatomyError
from plugin.anatomy.records import StudyAnatomy
from plugin.anatomy.regions import share
from plugin.archive import NotFoundError
from plugin.exact_search import is_exact, studies_with
from plugin.states import Metadata

_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)


class Archive(Shelf, Protocol):
    """What is needed of Orthanc."""

    def study(self, identifier: str, /) -> dict[str, Any]:
        """Orthanc's JSON of a study."""

    def find(
        self, level: Literal["Study"], query: Mapping[str, str], /, *, expand: bool = True
    ) -> list[Any]:
        """Resources whose tags match."""


@dataclass(frozen=True)
class DatedStudy:
    """A study with what its series count as; ``anatomy`` is None where nobody has looked."""

    identifier: str
    taken: date | None
    anatomy: StudyAnatomy | None


@dataclass(frozen=True)
class Prior:
    """One relevant prior; ``named`` where both studies name a region, not one the whole body."""

    study: str
    days_before: int
    regions: tuple[RegionName, ...]
    modalities: tuple[str, ...]
    same_modality: bool
    named: bool = True


Look = Callable[[Callable[[str], DatedStudy | None], Iterable[str]], Iterable[DatedStudy | None]]
"""Applies a function to every item, as ``map`` does."""


@dataclass(frozen=True)
class PriorSearch:
    """Looks for priors; ``look`` may do so for several studies at a time."""

    archive: Archive
    look: Look = map

    def dated(self, study: dict[str, Any]) -> DatedStudy:
        """A study, by Orthanc's JSON of it.

        Raises:
            UnreadableAnatomyError: another version wrote its anatomy.
        """
        identifier = str(study["ID"])
        text = self.archive.metadata("study", identifier, Metadata.ANATOMY)
        anatomy = self._summed_up(identifier) if text is None else _anatomy(text)
        return DatedStudy(identifier, study_date(study), anatomy)

    def relevant(self, study: dict[str, Any]) -> list[Prior]:
        """Earlier studies that share a region, the most alike and latest first.

        Studies of the same Study Date count as current, not as prior.

        Raises:
            UnreadableAnatomyError: another version wrote the anatomy of one.
        """
        current = self.dated(study)
        found = [
            prior
            for other in self.look(self._look_up, self._others(study))
            if other is not None and (prior := _prior(current, other)) is not None
        ]
        return sorted(found, key=_unlikeness)

    def _others(self, study: dict[str, Any]) -> list[str]:
        patient = str(study.get("PatientMainDicomTags", {}).get("PatientID", "")).strip()
        if not is_exact(patient):
            # Without an identifier, or with one that is a pattern, other patients' would be found.
            return []
        found = studies_with(self.archive, {"PatientID": patient})
        return [identifier for identifier in found if identifier != study["ID"]]

    def _look_up(self, identifier: str) -> DatedStudy | None:
        try:
            return self.dated(self.archive.study(identifier))
        except NotFoundError:
            return None  # deleted meanwhile

    def _summed_up(self, identifier: str) -> StudyAnatomy | None:
        """Of a study whose series were recognized before studies kept a sum."""
        known = AnatomyBook(self.archive).many([identifier])
        return StudyAnatomy.of([one.effective for _, one in known]) if known else None


def study_date(study: dict[str, Any]) -> date | None:
    """Study Date (0008,0020), if it is one (DA of PS3.5 section 6.2)."""
    parts = _DATE.fullmatch(str(study.get("MainDicomTags", {}).get("StudyDate", "")).strip())
    try:
        return date(*map(int, parts.groups())) if parts else None
    except ValueError:
        return None


def _prior(current: DatedStudy, other: DatedStudy) -> Prior | None:
    if current.anatomy is None or other.anatomy is None:
        return None
    if current.taken is None or other.taken is None or other.taken >= current.taken:
        return None
    ours, theirs = current.anatomy.regions, other.anatomy.regions
    shared = share(theirs, ours) or share(ours, theirs)
    if not shared:
        return None
    return Prior(
        study=other.identifier,
        days_before=(current.taken - other.taken).days,
        regions=shared,
        modalities=tuple(sorted(other.anatomy.by_modality)),
        same_modality=bool(current.anatomy.by_modality.keys() & other.anatomy.by_modality.keys()),
        named=not set(ours).isdisjoint(theirs),
    )


def _unlikeness(prior: Prior) -> tuple[bool, int, int]:
    return not prior.named, -len(prior.regions), prior.days_before


def _anatomy(text: str) -> StudyAnatomy:
    try:
        return StudyAnatomy.model_validate_json(text)
    except ValidationError:
        message = "the anatomy of a study was written by another version; analyse the study again"
        raise UnreadableAnatomyError(message) from None
