# SPDX-License-Identifier: AGPL-3.0-or-later
"""Puts together the matched study set of every application that is handed one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from pydantic import ValidationError

from plugin.anatomy import AnatomyBook, SeriesAnatomy, UnreadableAnatomyError
from plugin.anatomy.priors import Archive as PriorArchive
from plugin.anatomy.priors import Candidate, Prior, PriorSearch
from plugin.archive import NotFoundError
from plugin.configuration.application_table import Application, ApplicationTable, CategoryRule
from plugin.routing.facts import SeriesFacts
from plugin.routing.mixed_series import Alike, asked_for, parted
from plugin.routing.records import (
    CandidateReason,
    CandidateRecord,
    CheckRecord,
    Decision,
    RoutingRecord,
    SeriesDecision,
    SeriesPart,
    kept,
    set_digest,
)
from plugin.scan_category import Check, judge
from plugin.states import Metadata, ScanState
from plugin.subject import NO_PATIENTS

_OF_ANY_MODALITY = ("region", "localizer", "derived", "subject")
"""What a series of a prior must be where the region is enough."""


class Archive(PriorArchive, Protocol):
    """What is needed of Orthanc."""

    def simplified_tags(self, instance: str, /) -> dict[str, Any]:
        """The tags of an instance by keyword, without pixel data."""


@dataclass(frozen=True)
class KnownSeries:
    """A series whose anatomy was recognized."""

    study: str
    series: str
    instances: tuple[str, ...]
    facts: SeriesFacts
    parts: tuple[Alike, ...] = ()

    def asked_for(self, rule: CategoryRule) -> KnownSeries:
        """The series without the images that a category leaves out."""
        known, kept = asked_for(self.parts, rule)
        return replace(self, facts=known, instances=tuple(i for i in self.instances if i in kept))


@dataclass(frozen=True)
class Matcher:
    """Decides for studies; writes nothing."""

    archive: Archive
    table: ApplicationTable

    @property
    def furthest_days(self) -> int:
        """How far back an application wants priors; 0 where none wants any."""
        wanted = (one.needs for one in self.table.handovers if one.needs.priors)
        return max((needs.within_days for needs in wanted), default=0)

    def decide(self, study_id: str) -> RoutingRecord:
        """All decisions about a study, by what Orthanc holds now.

        Raises:
            NotFoundError: the study is gone.
        """
        study = self.archive.study(study_id)
        current = self._known(study_id)
        candidates = self._candidates(study)
        seen: dict[str, list[KnownSeries]] = {}
        before = self._names_before(study_id)
        strangers = () if current else self._no_patients(study_id)
        decisions = [
            _named(
                one,
                self._decide(one, current, candidates if one.needs.priors else [], seen),
                before,
            )
            for one in self.table.handovers
        ]
        if strangers:
            reason = f"no series is of a patient: {'; '.join(strangers)}"
            decisions = [one.model_copy(update={"reason": reason}) for one in decisions]
        return RoutingRecord(decisions=tuple(decisions))

    def _no_patients(self, study_id: str) -> list[str]:
        """What scans of a study are of that are of no patient: their anatomy is not looked at."""
        levels: tuple[Literal["series", "instance"], ...] = ("series", "instance")
        held = [self.archive.metadata_of([study_id], one, (Metadata.STATE,)) for one in levels]
        texts = [text for found in held for _, values in found for text in values.values()]
        return [one for one in NO_PATIENTS if any(_is_of(text, one) for text in texts)]

    def _names_before(self, study_id: str) -> frozenset[str]:
        """Names of the sets that were decided the last time, and of those that were sent last."""
        try:
            record = kept(self.archive, study_id)
        except ValueError:
            return frozenset()  # another version's, whose deliveries are superseded
        before = record.decisions if record else ()
        sent = (one.last_sent for one in before if one.last_sent is not None)
        return frozenset(one.digest for one in (*before, *sent))

    def _candidates(self, study: dict[str, Any]) -> list[Candidate]:
        furthest = self.furthest_days
        if not furthest:
            return []
        try:
            return PriorSearch(self.archive).candidates(study, furthest)
        except UnreadableAnatomyError:
            return []  # the series of such a study are unreadable, too, and fit nothing

    def _decide(
        self,
        application: Application,
        current: Sequence[KnownSeries],
        candidates: Sequence[Candidate],
        seen: dict[str, list[KnownSeries]],
    ) -> Decision:
        asked = [one.asked_for(application.scan) for one in current]
        judged = [(one, judge(application.scan, one.facts)) for one in asked]
        fitting = [one for one, checks in judged if all(check.holds for check in checks)]
        parts = [_part(one) for one in fitting]
        told: list[CandidateRecord] = []
        for one, chosen in self._judged(application, fitting, candidates, seen):
            told.append(one)
            parts += [_part(series, one.number, one.days_before or 0) for series in chosen]
        series = [_series(one, checks) for one, checks in judged]
        decision = _decision(application, series, parts)
        return decision.model_copy(update={"candidates": tuple(told)})

    def _judged(
        self,
        application: Application,
        fitting: Sequence[KnownSeries],
        candidates: Sequence[Candidate],
        seen: dict[str, list[KnownSeries]],
    ) -> Iterable[tuple[CandidateRecord, Sequence[KnownSeries]]]:
        """Every candidate, the latest first, with its series that go along."""
        if not fitting:
            return
        number = 0
        for one in candidates:
            reason: CandidateReason = one.standing
            chosen: Sequence[KnownSeries] = ()
            if one.days_before is not None and one.days_before > application.needs.within_days:
                reason = "too-old"
            elif one.prior is not None and number == application.needs.priors:
                reason = "enough"
            elif one.prior is not None:
                if _may_fit(application, one.prior):
                    chosen = self._chosen(application, fitting, one.study, seen)
                reason = "in-the-set" if chosen else "no-series-fits"
            number += bool(chosen)
            record = CandidateRecord(
                study=one.study,
                reason=reason,
                number=number if chosen else 0,
                days_before=one.days_before,
            )
            yield record, chosen

    def _chosen(
        self,
        application: Application,
        fitting: Sequence[KnownSeries],
        study: str,
        seen: dict[str, list[KnownSeries]],
    ) -> list[KnownSeries]:
        """The series of a prior that go along."""
        shown = {region for one in fitting for region in one.facts.anatomy.regions}
        if study not in seen:
            seen[study] = self._known(study)
        return [
            one
            for one in (known.asked_for(application.scan) for known in seen[study])
            if shown & set(one.facts.anatomy.regions) and _is_wanted(application, one.facts)
        ]

    def _known(self, study_id: str) -> list[KnownSeries]:
        """The series of a study whose anatomy is known, in a stable order."""
        found = AnatomyBook(self.archive).many([study_id])
        images: dict[str, list[dict[str, Any]]] = defaultdict(list)
        if found:
            asked = [str(series["ID"]) for series, _ in found]
            for image, held in self.archive.metadata_of(asked, "instance", (Metadata.STATE,)):
                # A phantom's image among those of a patient does not go along with them.
                if not any(_is_of(held.get(Metadata.STATE, ""), one) for one in NO_PATIENTS):
                    images[str(image["ParentSeries"])].append(image)
        known = [
            self._facts(study_id, series, images[str(series["ID"])], anatomy)
            for series, anatomy in found
        ]
        return sorted((one for one in known if one is not None), key=lambda one: one.series)

    def _facts(
        self,
        study_id: str,
        series: dict[str, Any],
        images: Sequence[dict[str, Any]],
        anatomy: SeriesAnatomy,
    ) -> KnownSeries | None:
        try:
            parts = parted(self.archive, anatomy.effective, images)
        except NotFoundError:
            return None  # deleted meanwhile
        if not parts:
            return None
        instances = tuple(str(one) for one in series.get("Instances", ()))
        return KnownSeries(study_id, str(series["ID"]), instances, parts[0].facts, parts)


def _is_of(state: str, subject: str) -> bool:
    if subject not in state:
        return False
    try:
        return ScanState.model_validate_json(state).reason.endswith(subject)
    except ValidationError:
        return False  # another version's


def _may_fit(application: Application, prior: Prior) -> bool:
    """Whether a series of a prior can go along, before any is read."""
    if application.needs.prior_series == "same-region":
        return True
    return not set(application.scan.modalities).isdisjoint(prior.modalities)


def _is_wanted(application: Application, known: SeriesFacts) -> bool:
    """Whether a series of a prior study goes along."""
    checks = judge(application.scan, known)
    if application.needs.prior_series == "same-region":
        checks = tuple(check for check in checks if check.condition in _OF_ANY_MODALITY)
    return all(check.holds for check in checks)


def _part(one: KnownSeries, number: int = 0, days_before: int = 0) -> SeriesPart:
    return SeriesPart(
        role="prior" if number else "current",
        number=number,
        study=one.study,
        series=one.series,
        modality=one.facts.anatomy.modality,
        regions=one.facts.anatomy.regions,
        days_before=days_before,
        instances=one.instances,
    )


def _series(one: KnownSeries, checks: Sequence[Check]) -> SeriesDecision:
    records = tuple(
        CheckRecord(condition=c.condition, holds=c.holds, wanted=c.wanted, found=c.found)
        for c in checks
    )
    return SeriesDecision(series=one.series, fits=all(c.holds for c in checks), checks=records)


def _decision(
    application: Application, series: Sequence[SeriesDecision], parts: Sequence[SeriesPart]
) -> Decision:
    destination = application.handover
    if destination is None:
        raise ValueError(f"application {application.name} is handed nothing")
    count = sum(len(part.instances) for part in parts)
    limit = application.needs.maximum_instances
    digest = ""
    if not parts:
        decision, reason = "no-series-fits", _why_none(series)
    elif count > limit:
        decision = "too-large"
        reason = f"the set has {count} instances, needs.maximum_instances is {limit}"
    else:
        decision, reason = "matched", _said(parts)
        digest = set_digest(application.name, destination.receiver, tuple(parts))
    return Decision.model_validate(
        {
            "application": application.name,
            "kind": destination.kind,
            "target": destination.target,
            "zone": destination.zone,
            "decision": decision,
            "reason": reason,
            "series": tuple(series),
            "parts": tuple(parts),
            "digest": digest,
        }
    )


def _named(application: Application, decision: Decision, before: frozenset[str]) -> Decision:
    """The decision under the name that its set had before, so that it is not sent twice.

    Up to version 0.1.0 all settings of a destination made the name.
    """
    destination = application.handover
    if destination is None or not decision.digest:
        return decision
    old = set_digest(application.name, destination.model_dump_json(), decision.parts)
    return decision.model_copy(update={"digest": old}) if old in before else decision


def _why_none(series: Sequence[SeriesDecision]) -> str:
    """The conditions that fail in the series that comes closest."""
    if not series:
        return "the anatomy of no series is known"
    closest = min(series, key=lambda one: sum(not check.holds for check in one.checks))
    failed = [check for check in closest.checks if not check.holds]
    return "closest series: " + "; ".join(
        f"{c.condition} is {c.found}, wanted: {c.wanted}" for c in failed
    )


def _said(parts: Sequence[SeriesPart]) -> str:
    priors = {part.number for part in parts if part.role == "prior"}
    current = sum(part.role == "current" for part in parts)
    return f"current series: {current}, prior studies: {len(priors)}"
