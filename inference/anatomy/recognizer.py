# SPDX-License-Identifier: Apache-2.0
"""Recognizing the anatomy of a scan from its header."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, Protocol

from inference.anatomy import lexicon, regions, views
from inference.anatomy.calibration import Calibration, shipped_calibration
from inference.anatomy.decision import Decision, decide
from inference.anatomy.evidence import Evidence, evidence
from inference.anatomy.header import Dataset, Header
from inference.anatomy.regions import Regions, body_parts, in_order, region_code, term_of
from inference.contract import AnatomyAnswer, AnatomyVote

_DIVIDED = frozenset(("spine", "upper limb", "lower limb"))


class Recognizer(Protocol):
    """Whatever answers which anatomy a header shows."""

    def recognize(self, header: Header) -> AnatomyAnswer:
        """Answer for one series or instance; never raises for what a header holds."""


class TagRecognizer:
    """Answers from the tags by tables and the multilingual lexicon, without pixels.

    :param calibration: measured confidences; those of the package if left out.
    """

    def __init__(self, calibration: Calibration | None = None) -> None:
        self._calibration = calibration or shipped_calibration()

    def recognize(self, header: Header) -> AnatomyAnswer:
        """Answer for one header.

        ``regions`` is empty and ``confidence`` 0 where no attribute names an anatomy.
        """
        modality = header.modality
        found = evidence(header)
        decision = decide(found, modality)
        return AnatomyAnswer(
            modality=modality,
            regions=in_order(decision.regions),
            codes=tuple(region_code(region) for region in in_order(decision.regions)),
            body_part_examined=term_for(decision.regions, decision, found),
            view=views.view_of(header),
            laterality=views.laterality_of(header, decision.regions),
            confidence=min(
                self._calibration.confidence(decision.pattern),
                self._calibration.most(header, decision),
            ),
            votes=votes_of(found, self._calibration),
        )


@lru_cache(maxsize=4096)
def _vote(attribute: str, named: Regions, weight: float) -> AnatomyVote:
    return AnatomyVote(attribute=attribute, regions=in_order(named), weight=weight)


def votes_of(found: Iterable[Evidence], calibration: Calibration) -> tuple[AnatomyVote, ...]:
    """What every attribute that speaks of a region said, with its weight."""
    return tuple(
        _vote(
            one.attribute,
            one.reading.named or one.reading.hinted,
            calibration.weight(one.attribute),
        )
        for one in (one.heard for one in found)
        if one.reading.speaks
    )


def term_for(shown: Regions, decision: Decision, found: Sequence[Evidence]) -> str | None:
    """Defined term: the more specific one that was said, where it fits, or that of the regions.

    :param shown: the regions that are answered; where they are not the lexicon's, their own term.

    Body Part Examined specifies a decision of another source only for limbs and spine: elsewhere
    it often names the organ of the disease. Codes and Body Part Examined also specify what the
    modality decides, which has no term of its own: an eye or a tooth, and not just a head.
    """
    if shown != decision.regions:
        return term_of(shown)
    source = decision.source.removesuffix(" hint")
    deciding = [one for one in found if one.source == source]
    specific = _fitting(decision, deciding)
    if any(one.reading.general for one in deciding):
        specific = set()
    whole = term_of(decision.regions)
    by_device = source == "modality"
    if not specific and (by_device or decision.regions & _DIVIDED):
        specific = _fitting(decision, [one for one in found if one.source in ("tag", "coded")])
    if by_device and len(specific) > 1:
        specific.discard(whole or "")
    return specific.pop() if len(specific) == 1 else whole


def _fitting(decision: Decision, said: Iterable[Evidence]) -> set[str]:
    terms = {term for one in said for term in one.reading.terms}
    return {term for term in terms if body_parts()[term].regions == decision.regions}


@cache
def _default() -> Recognizer:
    from inference.anatomy.learned import shipped_model  # noqa: PLC0415 - it builds on this module

    return shipped_model()


def warm_up() -> None:
    """Read and check all tables and weights, so that the first answer is as fast as the next."""
    regions.warm_up()
    lexicon.lexicon()
    views.warm_up()
    recognize({"Modality": "CT", "StudyDescription": "CT CHEST"})


def recognize(
    header: Mapping[str, Any] | Dataset, recognizer: Recognizer | None = None
) -> AnatomyAnswer:
    """Recognize the anatomy from the tags of a header.

    :param header: DICOM JSON (PS3.18 F.2), a pydicom data set, or a mapping of DICOM keywords to
        values. Missing attributes and values of a wrong type are taken as not said.
    :param recognizer: what answers; the metadata model of this package if left out.
    """
    return (recognizer or _default()).recognize(Header.of(header))
