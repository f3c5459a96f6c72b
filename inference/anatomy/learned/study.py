# SPDX-License-Identifier: Apache-2.0
"""A series among the others of its study: an embedding bag with a sixth slot, and their answers.

It is asked where the lexicon reads nothing in a header, and only then. Three are heard, as a
product of experts (Hinton, 2002): the header by itself, the header in its study, and what the other
series of the study show by themselves, as the mean of their probabilities:

    log P(set) = (0.2 log P_alone + 0.8 log P_study + log P_siblings) / 1.3 + const
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from inference.anatomy.learned.bags import BagModel
from inference.anatomy.learned.families import (
    AnatomyModelError,
    Array,
    Floats,
    log_softmax,
    read_weights,
)
from inference.anatomy.learned.siblings import Sibling, sibling_numbers
from inference.anatomy.learned.slots import Slots

SIBLINGS: Final = "siblings"
"""Word in the head of a weights file that says that it has the sixth slot."""
_STUDY_SAYS, _SPREAD = 0.8, 1.3
"""Weights and temperature were chosen on collections and departments that were held out: the three
have much in common, so that the product alone would be too sure of itself."""
_OTHERWISE = 0.05
"""How often a series shows what none of its siblings does."""


class InStudy(NamedTuple):
    """A header, and the other series of its study that are heard."""

    slots: Slots
    siblings: Sequence[Sibling]


class StudyModel:
    """Log probabilities of a series among its siblings.

    :param arrays: as of :class:`inference.anatomy.learned.bags.BagModel`, with six slots.
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._bag = BagModel(arrays)

    @classmethod
    def load(cls, path: Path) -> StudyModel:
        """Load weights that ``sidelight train anatomy-study`` wrote.

        :raises AnatomyModelError: if they are not.
        """
        arrays, described = read_weights(path)
        if not described.get(SIBLINGS):
            raise AnatomyModelError("the weights are not of a model of studies")
        return cls(arrays)

    def log_probabilities(self, series: Sequence[InStudy]) -> Floats:
        """Log probability of each set: ``(len(series), sets)``."""
        pooled = [
            [*self._bag.pooled(one.slots), self._bag.summed(sibling_numbers(one.siblings))]
            for one in series
        ]
        return self._bag.from_pooled(pooled)


def in_study(alone: Floats | None, among: Floats, siblings: Floats | None) -> Floats:
    """Log probability of each set for a series in its study: ``(sets,)``.

    :param alone: by its own header; None for one that says nothing at all.
    :param among: by the model of studies.
    :param siblings: mean probability of each set among the other series; None if they are silent.
    """
    scores = _STUDY_SAYS * among
    if alone is not None:
        scores = scores + (1.0 - _STUDY_SAYS) * alone
    if siblings is not None:
        scores = scores + np.log(_OTHERWISE / len(siblings) + (1.0 - _OTHERWISE) * siblings)
    return log_softmax(scores / _SPREAD)


def shipped_study_weights() -> Path:
    """File of the weights of this package."""
    return Path(str(files("inference.anatomy") / "data" / "study.safetensors"))


@cache
def shipped_study_model() -> StudyModel:
    """The model of this package.

    :raises AnatomyModelError: if the package is damaged.
    """
    return StudyModel.load(shipped_study_weights())
