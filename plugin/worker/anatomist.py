# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who is heard about the anatomy of a scan: tags first, and by the rules pixels, priors, orders."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydicom.dataset import Dataset

from deid import DeidentifiedScan
from inference.contract import AnatomyAnswer, RegionName
from plugin.anatomy.agreement import Agreement, Witness
from plugin.anatomy.earlier import PatientShelf, earlier_regions
from plugin.anatomy.judging import Hearing, Side, acting, agreed, side_of
from plugin.anatomy.regions import in_table_order
from plugin.anatomy.siblings import StudyShelf, series_of_study, sibling_regions
from plugin.configuration.anatomy_rules import Action, AnatomyRules, read_anatomy_rules
from plugin.gate import Gate, InferenceRefusedError
from plugin.worker.slices import MOST

LOGGER = logging.getLogger(__name__)

Slices = Callable[[int], Sequence[DeidentifiedScan]]
"""At most so many instances of a series, spread over it."""


class NoPixelsError(ValueError):
    """The pixels of a scan can't be shown to the pixel model; the message says why."""


@dataclass(frozen=True)
class Case:
    """One scan, and how more can be learned of it.

    Attributes:
        header: the original's, with identity; it stays here.
        passed: its first instance, de-identified.
        resource: Orthanc identifier of what is looked at.
        study, series: their Orthanc identifiers, asked for only where others are consulted.
        slices: the pixels to ask about, de-identified; may raise ``NoPixelsError``. None while the
            series is not complete.
        ordered: what the order names, a header for each description; none where there is no order.
        others: what the other series of the study and modality are called, a header for each; of
            Orthanc's JSON of the study's series.
        application: the name of the application that an anatomy would choose.
    """

    header: Dataset
    passed: DeidentifiedScan
    resource: str
    study: Callable[[], str]
    series: Callable[[], str]
    slices: Slices | None
    application: Callable[[AnatomyAnswer], str]
    ordered: Sequence[DeidentifiedScan] = ()
    others: Callable[[Sequence[Mapping[str, Any]]], Sequence[DeidentifiedScan]] = lambda _: ()


class Shelf(PatientShelf, StudyShelf, Protocol):
    """What is needed of Orthanc; see ``plugin.archive.Archive``."""


@dataclass(frozen=True)
class Anatomist:
    """Hears witnesses until the rules want no more, and says what they agree on."""

    archive: Shelf
    gate: Gate
    rules: AnatomyRules = field(default_factory=read_anatomy_rules)

    def recognize(self, case: Case) -> tuple[AnatomyAnswer, Agreement]:
        """The anatomy of a scan, and how it came about.

        Raises:
            plugin.gate.InferenceUnavailableError: inference can't answer now.
        """
        answer = self.gate.recognize_anatomy(case.passed)
        hearing = Hearing(answer, _tags(answer, case), _missing(self.rules, case.header))
        hearing.worklist = self._ordered(case)
        while action := self._wanted(hearing, case):
            if action == "ask-pixels":
                hearing.pixels = self._pixels(case, hearing.answer)
            elif action == "consult-siblings":
                study = series_of_study(self.archive, case.study())
                self._hear_names(case, hearing, [one for one, _ in study])
                regions = sibling_regions(study, case.series(), answer.modality)
                hearing.siblings = self._siblings(case, answer, regions)
            else:
                hearing.side, hearing.priors = self._priors(case, hearing)
        return agreed(self.rules, hearing, case.resource)

    def _wanted(self, hearing: Hearing, case: Case) -> Action | None:
        """The next witness that a rule wants to hear."""
        wanted = {action for rule in acting(self.rules, hearing) for action in rule.do}
        if "consult-siblings" in wanted and hearing.siblings is None:
            return "consult-siblings"  # one question to Orthanc: cheaper than any pixel
        if "ask-pixels" in wanted and hearing.pixels is None:
            if case.slices is not None:
                return "ask-pixels"
            hearing.pending = True
        if "consult-priors" in wanted and hearing.side is None:
            return "consult-priors"
        return None

    def _pixels(self, case: Case, answer: AnatomyAnswer) -> Witness:
        if case.slices is None:
            return Witness(name="pixels", reason="the series is not complete")
        try:
            # One slice, which is at hand, says whether fetching more is worth it.
            seen = self.gate.recognize_pixels(case.slices(1))
            if seen.wants_more and len(more := case.slices(MOST)) > 1:
                seen = self.gate.recognize_pixels(more)
        except NoPixelsError as error:
            return Witness(name="pixels", reason=str(error))
        except InferenceRefusedError as error:
            return Witness(name="pixels", reason=_refused(error))
        by_pixels = answer.model_copy(
            update={"regions": seen.regions, "confidence": seen.confidence, "view": None}
        )
        return Witness(
            name="pixels",
            regions=seen.regions,
            confidence=seen.confidence,
            application=case.application(by_pixels) if seen.regions else "",
            reason=seen.reason,
            model=seen.model,
        )

    def _siblings(
        self, case: Case, answer: AnatomyAnswer, regions: tuple[RegionName, ...]
    ) -> Witness:
        if not regions:
            return Witness(name="siblings", reason="no other series of the study can tell")
        told = answer.model_copy(update={"regions": regions, "view": None})
        return Witness(
            name="siblings",
            regions=regions,
            confidence=self.rules.credit.siblings,
            application=case.application(told),
        )

    def _hear_names(self, case: Case, hearing: Hearing, study: Sequence[Mapping[str, Any]]) -> None:
        """Read the tags once more, with what the other series of the study are called.

        Together their names may tell what each does not.
        """
        others = case.others(study)
        if not others:
            return
        hearing.names_told = len(others)
        try:
            answer, *_ = self.gate.recognize_study([case.passed, *others])
        except InferenceRefusedError as error:
            # Such as an older service: the series stands alone, as it did before it was asked.
            LOGGER.info("inference hears no names of a study: %s", error.code)
            return
        if answer.in_study:
            hearing.answer, hearing.metadata = answer, _tags(answer, case)

    def _priors(self, case: Case, hearing: Hearing) -> tuple[Side, Witness]:
        tags = hearing.metadata.shown
        pixels = hearing.pixels.shown if hearing.pixels else frozenset()
        looked_at = 0
        modality = hearing.answer.modality
        for regions in earlier_regions(self.archive, case.study(), modality):
            looked_at += 1
            side = side_of(regions, tags, pixels)
            if side != "neither":
                sided = hearing.metadata if side == "metadata" else hearing.pixels
                shown = sided.regions if sided else ()
                credit = self.rules.credit.priors
                return side, Witness(name="priors", regions=shown, confidence=credit)
        reason = "they agree with neither" if looked_at else "there are none of this modality"
        return "neither", Witness(name="priors", reason=reason)

    def _ordered(self, case: Case) -> Witness | None:
        """What all descriptions of the order name together."""
        if not case.ordered:
            return None
        answers = [self.gate.recognize_anatomy(one) for one in case.ordered]
        regions = in_table_order([region for one in answers for region in one.regions])
        if not regions:
            return Witness(name="worklist", reason="the order names no region")
        named = next(one for one in answers if one.regions)
        if set(named.regions) != set(regions):
            named = named.model_copy(update={"regions": regions, "view": None})
        return Witness(
            name="worklist",
            regions=named.regions,
            confidence=self.rules.credit.worklist,
            application=case.application(named),
        )


def _refused(error: InferenceRefusedError) -> str:
    if error.code == "unknown-route":
        return "this inference service has no pixel model"
    return f"inference refuses: {error.message}"


def _tags(answer: AnatomyAnswer, case: Case) -> Witness:
    return Witness(
        name="metadata",
        regions=answer.regions,
        confidence=answer.confidence,
        application=case.application(answer) if answer.regions else "",
        model=answer.model,
    )


def _missing(rules: AnatomyRules, header: Dataset) -> frozenset[str]:
    asked = {keyword for rule in rules.rules for keyword in rule.missing}
    return frozenset(keyword for keyword in asked if not header.get(keyword))
