# SPDX-License-Identifier: AGPL-3.0-or-later
"""The relevant priors of a study: the patient's earlier studies of the same anatomy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, Literal, Protocol

from inference.contract import RegionName
from plugin.anatomy.book import Shelf, UnreadableAnatomyError
from plugin.anatomy.persons import HeaderShelf, Person, person_of
from plugin.anatomy.records import StudyAnatomy
from plugin.anatomy.regions import share
from plugin.anatomy.shown_studies import ShownStudy, shown_by
from plugin.exact_search import Finder, found_with, is_exact

FURTHEST_DAYS = 36_500

Standing = Literal[
    "relevant",
    "another-patient",
    "other-region",
    "not-recognized",
    "unreadable-anatomy",
    "same-day",
    "later",
    "undated",
    "too-old",
    "deleted",
]
"""Why another study with the same Patient ID is a relevant prior, or is none.

``another-patient``: issuer of the Patient ID, birth date or sex differ. ``undated``: it, or the
current study, has no Study Date. ``unreadable-anatomy``: another version wrote what it shows.
"""

_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)


class Archive(Shelf, Finder, HeaderShelf, Protocol):
    """What is needed of Orthanc."""

    def study(self, identifier: str, /) -> dict[str, Any]:
        """Orthanc's JSON of a study."""


@dataclass(frozen=True)
class DatedStudy:
    """A study with what its series count as; ``anatomy`` is None where nobody has looked.

    Attributes:
        images: Orthanc identifiers of some of its images.
    """

    identifier: str
    taken: date | None
    anatomy: StudyAnatomy | None
    images: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prior:
    """One relevant prior; ``named`` where both studies name a region, not one the whole body."""

    study: str
    days_before: int
    regions: tuple[RegionName, ...]
    modalities: tuple[str, ...]
    same_modality: bool
    named: bool = True


@dataclass(frozen=True)
class Candidate:
    """Another study with the same Patient ID.

    Attributes:
        days_before: between it and the current study; negative for a later one; None where one
            of the two has no Study Date.
        prior: there where it is relevant.
    """

    study: str
    standing: Standing
    days_before: int | None
    prior: Prior | None = None


Look = Callable[
    [Callable[[Sequence[str]], Person | None], Iterable[Sequence[str]]], Iterable[Person | None]
]
"""Applies a function to every item, as ``map`` does."""


@dataclass(frozen=True)
class PriorSearch:
    """Looks for priors; ``look`` may do so for several studies at a time."""

    archive: Archive
    look: Look = map

    def dated(self, study: dict[str, Any]) -> DatedStudy:
        """A study, by Orthanc's JSON of it.

        Raises:
            UnreadableAnatomyError: another version wrote the anatomy of all its series.
        """
        identifier = str(study["ID"])
        shown = shown_by(self.archive, [identifier]).get(identifier, ShownStudy())
        if shown.anatomy is None and shown.is_unreadable:
            message = "the anatomy of a study was written by another version; analyse it again"
            raise UnreadableAnatomyError(message)
        return DatedStudy(identifier, study_date(study), shown.anatomy, shown.images)

    def relevant(
        self,
        study: dict[str, Any],
        within_days: int = FURTHEST_DAYS,
        /,
        *,
        same_modality: bool = False,
    ) -> list[Prior]:
        """Earlier studies that share a region, the most alike and latest first.

        Studies of the same Study Date count as current, not as prior; those whose issuer of the
        Patient ID, birth date or sex differs are another patient's.

        Args:
            study: Orthanc's JSON of it.
            within_days: how far back.
            same_modality: leave out those without a series of a modality of ``study``.

        Raises:
            UnreadableAnatomyError: another version wrote the anatomy of ``study``.
        """
        current = self.dated(study)
        judged, shown = self._by_region(current, study, within_days)
        asked = [
            one
            for one in judged
            if one.prior is not None and (one.prior.same_modality or not same_modality)
        ]
        told = self._by_person(current, asked, shown)
        return sorted((one.prior for one in told if one.prior is not None), key=_unlikeness)

    def candidates(
        self, study: dict[str, Any], within_days: int = FURTHEST_DAYS, /
    ) -> list[Candidate]:
        """All other studies with the same Patient ID, the latest first and undated ones last.

        None where nobody has looked at ``study`` itself.

        Raises:
            UnreadableAnatomyError: another version wrote the anatomy of ``study``.
        """
        current = self.dated(study)
        judged, shown = self._by_region(current, study, within_days)
        told = self._by_person(current, judged, shown)
        return sorted(told, key=lambda one: (one.days_before is None, one.days_before, one.study))

    def _by_region(
        self, current: DatedStudy, study: dict[str, Any], within_days: int
    ) -> tuple[list[Candidate], Mapping[str, ShownStudy]]:
        """Candidates, whoever's they are, and what the earlier ones among them show."""
        if current.anatomy is None:
            return [], {}
        timed = [_timed(current, one, within_days) for one in others_of(self.archive, study)]
        shown = shown_by(self.archive, [one.study for one in timed if one.standing == "relevant"])
        judged = [_by_region(current, one, shown.get(one.study, ShownStudy())) for one in timed]
        return judged, shown

    def _by_person(
        self,
        current: DatedStudy,
        judged: Sequence[Candidate],
        shown: Mapping[str, ShownStudy],
    ) -> list[Candidate]:
        """Leave out whoever is another; only headers that matter are read."""
        relevant = [one.study for one in judged if one.prior is not None]
        if not relevant:
            return list(judged)
        images = [current.images, *(shown[one].images for one in relevant)]
        patient, *others = self.look(partial(person_of, self.archive), images)
        whose = dict(zip(relevant, others, strict=True))
        return [
            one if one.prior is None else _of_person(one, patient, whose[one.study])
            for one in judged
        ]


def others_of(archive: Finder, study: dict[str, Any]) -> list[dict[str, Any]]:
    """Orthanc's JSON of the other studies with the same Patient ID.

    None for a Patient ID that is empty, or a pattern: other patients' would be found.
    """
    patient = str(study.get("PatientMainDicomTags", {}).get("PatientID", "")).strip()
    if not is_exact(patient):
        return []
    found = found_with(archive, {"PatientID": patient})
    return [other for other in found if other["ID"] != study["ID"]]


def study_date(study: dict[str, Any]) -> date | None:
    """Study Date (0008,0020), if it is one (DA of PS3.5 section 6.2)."""
    parts = _DATE.fullmatch(str(study.get("MainDicomTags", {}).get("StudyDate", "")).strip())
    try:
        return date(*map(int, parts.groups())) if parts else None
    except ValueError:
        return None


def _timed(current: DatedStudy, other: dict[str, Any], within_days: int) -> Candidate:
    """A candidate by its date alone; ``relevant`` says no more than that it is early enough."""
    taken, identifier = study_date(other), str(other["ID"])
    if current.taken is None or taken is None:
        return Candidate(identifier, "undated", None)
    days = (current.taken - taken).days
    standing: Standing = "relevant"
    if days <= 0:
        standing = "later" if days else "same-day"
    elif days > within_days:
        standing = "too-old"
    return Candidate(identifier, standing, days)


def _by_region(current: DatedStudy, one: Candidate, shown: ShownStudy) -> Candidate:
    if one.standing != "relevant" or one.days_before is None or current.anatomy is None:
        return one
    if shown.anatomy is None:
        standing: Standing = "unreadable-anatomy" if shown.is_unreadable else "not-recognized"
        return Candidate(one.study, standing, one.days_before)
    ours, theirs = current.anatomy.regions, shown.anatomy.regions
    shared = share(theirs, ours) or share(ours, theirs)
    if not shared:
        return Candidate(one.study, "other-region", one.days_before)
    modalities = shown.anatomy.by_modality
    prior = Prior(
        study=one.study,
        days_before=one.days_before,
        regions=shared,
        modalities=tuple(sorted(modalities)),
        same_modality=bool(current.anatomy.by_modality.keys() & modalities.keys()),
        named=not set(ours).isdisjoint(theirs),
    )
    return Candidate(one.study, "relevant", one.days_before, prior)


def _unlikeness(prior: Prior) -> tuple[bool, int, int]:
    return not prior.named, -len(prior.regions), prior.days_before


def _of_person(one: Candidate, patient: Person | None, other: Person | None) -> Candidate:
    if patient is None or other is None:
        return Candidate(one.study, "deleted", one.days_before)
    if not patient.can_be(other):
        return Candidate(one.study, "another-patient", one.days_before)
    return one
