# SPDX-License-Identifier: Apache-2.0
"""Recognizing the anatomy with a learned family and the lexicon together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from inference.anatomy import views
from inference.anatomy.calibration import Calibration, shipped_calibration
from inference.anatomy.decision import Decision, decide
from inference.anatomy.evidence import Evidence, evidence
from inference.anatomy.header import Header
from inference.anatomy.learned.families import (
    AnatomyModelError,
    Family,
    Floats,
    family_of,
    read_weights,
)
from inference.anatomy.learned.pooling import Pooled, Pooling, pool, probabilities
from inference.anatomy.learned.siblings import Study, sibling_of
from inference.anatomy.learned.slots import TEXT_SLOTS, Slots, slots_of
from inference.anatomy.learned.study import (
    SIBLINGS,
    InStudy,
    StudyModel,
    in_study,
    shipped_study_model,
)
from inference.anatomy.recognizer import term_for, votes_of
from inference.anatomy.regions import NOWHERE, in_order, region_code
from inference.contract import (
    LEARNED_VOTE,
    STUDY_VOTE,
    AnatomyAnswer,
    AnatomyVote,
    CodedConcept,
    RegionName,
)

ABSTAINS_BELOW = 0.25
"""A guess that is right less often than one time in four is no answer."""


class Opinion(NamedTuple):
    """One header on its way to an answer."""

    header: Header
    found: Sequence[Evidence]
    decision: Decision
    logs: Floats
    pooled: Pooled
    in_study: bool = False
    """Whether the other series of the study were heard."""

    @property
    def says_nothing(self) -> bool:
        """Whether there is no word at all in the header."""
        return not self.decision.regions and self.pooled.confidence == 0.0


class MetadataModel:
    """A recognizer of a learned family, the lexicon as its input and referee.

    :param family: a trained model, see :mod:`inference.anatomy.learned.families`.
    :param pooling: how the two are weighed.
    :param calibration: how often the lexicon's ways of deciding are right.
    :param study: what answers for a series among others; the shipped model if left out.
    """

    def __init__(
        self,
        family: Family,
        pooling: Pooling | None = None,
        calibration: Calibration | None = None,
        described: dict[str, Any] | None = None,
        study: StudyModel | None = None,
    ) -> None:
        self._family = family
        self._study = study
        self._pooling = pooling or Pooling()
        self._calibration = calibration or shipped_calibration()
        self.described = described or {}

    @classmethod
    def load(
        cls, path: Path, calibration: Calibration | None = None, study: StudyModel | None = None
    ) -> MetadataModel:
        """Load weights that ``sidelight train anatomy`` wrote.

        :raises inference.anatomy.learned.families.AnatomyModelError: if they are not.
        """
        arrays, described = read_weights(path)
        if described.get(SIBLINGS):
            raise AnatomyModelError("the weights are of a model of studies, not of headers")
        pooling = Pooling(**described.get("pooling", {}))
        return cls(family_of(arrays, described), pooling, calibration, described, study)

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
        """Answer for the series of one study; one that names nothing leans on the others.

        A series in whose header the lexicon reads nothing is answered by its own model and, with
        more weight, by a model that also knows how the other series of the same modality are called
        and what the lexicon reads in them. What a series names itself stands.
        """
        return self.recognize_studies(headers, [""] * len(headers))

    def recognize_studies(
        self,
        headers: Sequence[Header],
        studies: Sequence[Hashable],
        series: Sequence[Hashable] = (),
    ) -> list[AnatomyAnswer]:
        """Answer for series of many studies, each leaning on its own study as above.

        :param studies: which study each header is of; None for one that is of none.
        :param series: which series each header is of, where some may be of the same, which does not
            lean on itself; None for one that is a series of its own.
        """
        opinions = self.opinions(headers)
        together: dict[Hashable, dict[Hashable, list[int]]] = defaultdict(lambda: defaultdict(list))
        for at, (one, study) in enumerate(zip(opinions, studies, strict=True)):
            if study is not None:
                own = series[at] if series and series[at] is not None else (at,)
                together[study, one.header.modality][own].append(at)
        for group in together.values():
            if len(group) > 1:
                self._lean(opinions, group)
        return [self._answer(opinion) for opinion in opinions]

    def _lean(self, opinions: list[Opinion], group: Mapping[Hashable, Sequence[int]]) -> None:
        """Put what the study says into the opinions of those series that name nothing."""
        first = {name: opinions[of[0]] for name, of in group.items()}
        study = Study({name: sibling_of(one.header, one.found) for name, one in first.items()})
        asked = {
            at: (name, InStudy(slots_of(opinions[at].header, opinions[at].found), heard))
            for name, of in group.items()
            if (heard := study.heard_by(name))
            for at in of
            if not opinions[at].decision.regions
        }
        if not asked:
            return
        shown = _Shown({name: self._probabilities(one) for name, one in first.items()})
        model = self._study or shipped_study_model()
        logs_among = model.log_probabilities([one for _, one in asked.values()])
        for (at, (name, _)), among in zip(asked.items(), logs_among, strict=True):
            one = opinions[at]
            logs = in_study(None if one.says_nothing else one.logs, among, shown.beside(name))
            pooled = pool(logs, NOWHERE, 0.0, self._pooling._replace(temperature=1.0))
            opinions[at] = one._replace(logs=logs, pooled=pooled, in_study=True)

    def _probabilities(self, one: Opinion) -> Floats | None:
        """Probability of each set for a series by itself; None for one that says nothing."""
        if one.says_nothing:
            return None
        share = self._calibration.confidence(one.decision.pattern)
        return probabilities(one.logs, one.decision.regions, share, self._pooling)

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
            votes=(*votes_of(found, self._calibration), *_family_vote(opinion)),
        )


class _Shown:
    """What the series of a study show by themselves."""

    def __init__(self, probabilities: Mapping[Hashable, Floats | None]) -> None:
        self._known = {name: one for name, one in probabilities.items() if one is not None}
        self._sum: Any = sum(self._known.values())

    def beside(self, series: Hashable) -> Floats | None:
        """Mean probability of each set among all but one."""
        own = self._known.get(series)
        others = len(self._known) - (own is not None)
        if not others:
            return None
        rest = self._sum if own is None else self._sum - own
        mean: Floats = np.maximum(rest, 0.0) / np.float32(others)
        return mean


@cache
def _codes(named: tuple[RegionName, ...]) -> tuple[CodedConcept, ...]:
    return tuple(region_code(region) for region in named)


def _family_vote(opinion: Opinion) -> tuple[AnatomyVote, ...]:
    pooled = opinion.pooled
    if not pooled.family:
        return ()
    vote = AnatomyVote(
        attribute=STUDY_VOTE if opinion.in_study else LEARNED_VOTE,
        regions=in_order(pooled.family),
        weight=min(pooled.family_confidence, 1.0),
    )
    return (vote,)


def shipped_weights() -> Path:
    """File of the weights of this package."""
    return Path(str(files("inference.anatomy") / "data" / "metadata.safetensors"))


@cache
def shipped_model() -> MetadataModel:
    """The model of this package.

    :raises inference.anatomy.learned.families.AnatomyModelError: if the package is damaged.
    """
    return MetadataModel.load(shipped_weights())
