# SPDX-License-Identifier: Apache-2.0
"""Recognizing the anatomy with a learned family and the lexicon together."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from inference.anatomy import views
from inference.anatomy.calibration import Calibration, shipped_calibration
from inference.anatomy.decision import Decision, decide
from inference.anatomy.evidence import Evidence, evidence
from inference.anatomy.header import Header
from inference.anatomy.learned.families import Family, Floats, family_of, log_softmax, read_weights
from inference.anatomy.learned.pooling import Pooled, Pooling, pool
from inference.anatomy.learned.region_sets import region_sets, set_index
from inference.anatomy.learned.slots import TEXT_SLOTS, Slots, slots_of
from inference.anatomy.recognizer import term_for, votes_of
from inference.anatomy.regions import NOWHERE, in_order, region_code
from inference.contract import AnatomyAnswer, AnatomyVote, CodedConcept, RegionName

ABSTAINS_BELOW = 0.25
"""A guess that is right less often than one time in four is no answer."""
_SIBLINGS_SAY = 0.8
_GUESS_SAYS = 0.5


class Opinion(NamedTuple):
    """One header on its way to an answer."""

    header: Header
    found: Sequence[Evidence]
    decision: Decision
    logs: Floats
    pooled: Pooled


class MetadataModel:
    """A recognizer of a learned family, the lexicon as its input and referee.

    :param family: a trained model, see :mod:`inference.anatomy.learned.families`.
    :param pooling: how the two are weighed.
    :param calibration: how often the lexicon's ways of deciding are right.
    """

    def __init__(
        self,
        family: Family,
        pooling: Pooling | None = None,
        calibration: Calibration | None = None,
        described: dict[str, Any] | None = None,
    ) -> None:
        self._family = family
        self._pooling = pooling or Pooling()
        self._calibration = calibration or shipped_calibration()
        self.described = described or {}

    @classmethod
    def load(cls, path: Path, calibration: Calibration | None = None) -> MetadataModel:
        """Load weights that ``sidelight train anatomy`` wrote.

        :raises inference.anatomy.learned.families.AnatomyModelError: if they are not.
        """
        arrays, described = read_weights(path)
        pooling = Pooling(**described.get("pooling", {}))
        return cls(family_of(arrays, described), pooling, calibration, described)

    def recognize(self, header: Header) -> AnatomyAnswer:
        """Answer for one header; never raises for what a header holds.

        ``regions`` is empty where the model abstains: nothing speaks of an anatomy, or the best
        guess is less probable than :data:`ABSTAINS_BELOW`.
        """
        return self._answer(self.opinions([header])[0])

    def recognize_all(self, headers: Iterable[Header]) -> list[AnatomyAnswer]:
        """Answer for many headers, each on its own, faster than one by one."""
        return [self._answer(opinion) for opinion in self.opinions(list(headers))]

    def recognize_study(self, headers: Sequence[Header]) -> list[AnatomyAnswer]:
        """Answer for the series of one study, where a series without an answer leans on the others.

        A series that the lexicon reads nothing in takes the mean log probability of its siblings of
        the same modality as a second, weaker witness.
        """
        return self.recognize_studies(headers, [""] * len(headers))

    def recognize_studies(
        self, headers: Sequence[Header], studies: Sequence[Hashable]
    ) -> list[AnatomyAnswer]:
        """Answer for series of many studies, each leaning on its own study as above.

        :param studies: which study each header is of; None for one that is of none.
        """
        opinions = self.opinions(headers)
        together: dict[Hashable, list[Opinion]] = defaultdict(list)
        for opinion, study in zip(opinions, studies, strict=True):
            together[study].append(opinion)
        return [
            self._answer(_leaning(one, together[study] if study is not None else (), self._pooling))
            for one, study in zip(opinions, studies, strict=True)
        ]

    def opinions(self, headers: Sequence[Header]) -> list[Opinion]:
        """Lexicon, family and both together, for each header."""
        if not headers:
            return []
        found = [evidence(header) for header in headers]
        acquisition = bool(self.described.get("acquisition"))
        slots = [
            slots_of(header, said, acquisition=acquisition)
            for header, said in zip(headers, found, strict=True)
        ]
        logs = self._family.log_probabilities(slots)
        return [
            self._opinion(header, said, log, slot)
            for header, said, log, slot in zip(headers, found, logs, slots, strict=True)
        ]

    def _opinion(
        self, header: Header, found: Sequence[Evidence], logs: Floats, slots: Slots
    ) -> Opinion:
        decision = decide(found, header.modality)
        if not decision.regions and not any(slots[:TEXT_SLOTS]):
            # Modality and device alone name no anatomy, however often they image one.
            nothing = Pooled(NOWHERE, 0.0, NOWHERE, 0.0)
            return Opinion(header, found, decision, logs, nothing)
        share = self._calibration.confidence(decision.pattern)
        pooled = pool(logs, decision.regions, share, self._pooling)
        return Opinion(header, found, decision, logs, pooled)

    def _answer(self, opinion: Opinion) -> AnatomyAnswer:
        header, found, decision = opinion.header, opinion.found, opinion.decision
        pooled = opinion.pooled
        regions = pooled.regions if pooled.confidence >= ABSTAINS_BELOW else NOWHERE
        named = in_order(regions)
        confidence = min(pooled.confidence, self._calibration.most(header, decision))
        return AnatomyAnswer(
            modality=header.modality,
            regions=named,
            codes=_codes(named),
            body_part_examined=term_for(regions, decision, found),
            view=views.view_of(header),
            laterality=views.laterality_of(header, regions),
            confidence=confidence if regions else 0.0,
            votes=(*votes_of(found, self._calibration), *_family_vote(pooled)),
        )


@cache
def _codes(named: tuple[RegionName, ...]) -> tuple[CodedConcept, ...]:
    return tuple(region_code(region) for region in named)


def _family_vote(pooled: Pooled) -> tuple[AnatomyVote, ...]:
    if not pooled.family:
        return ()
    vote = AnatomyVote(
        attribute="model",
        regions=in_order(pooled.family),
        weight=min(pooled.family_confidence, 1.0),
    )
    return (vote,)


def _leaning(one: Opinion, study: Sequence[Opinion], pooling: Pooling) -> Opinion:
    """The opinion of a series that names nothing, with its siblings' as weaker witnesses."""
    if one.decision.regions or one.pooled.confidence == 0.0:
        return one
    said = [
        other.pooled
        for other in study
        if other is not one
        and other.decision.regions
        and other.header.modality == one.header.modality
    ]
    if not said:
        return one
    scores = _GUESS_SAYS * one.logs
    for other in said:
        at = set_index().get(other.regions)
        if at is not None:
            scores[at] += _SIBLINGS_SAY * pooling.lexicon_votes(other.confidence) / len(said)
    logs = log_softmax(scores)
    best = int(logs.argmax())
    pooled = one.pooled._replace(
        regions=region_sets()[best], confidence=math.exp(float(logs[best]))
    )
    return one._replace(pooled=pooled)


def shipped_weights() -> Path:
    """File of the weights of this package."""
    return Path(str(files("inference.anatomy") / "data" / "metadata.safetensors"))


@cache
def shipped_model() -> MetadataModel:
    """The model of this package.

    :raises inference.anatomy.learned.families.AnatomyModelError: if the package is damaged.
    """
    return MetadataModel.load(shipped_weights())
