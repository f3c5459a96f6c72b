# SPDX-License-Identifier: Apache-2.0
"""Lexicon and learned family as two experts with one answer.

The lexicon decides by words, with a share of right answers that is known for every way of deciding;
the family gives a probability to every set. They are pooled as a product of experts (Hinton, 2002):

    log P(set) = trust * log P_family(set) + log(c / ((1 - c) * q)) * [set is the lexicon's] + const

where ``c`` is the lexicon's share and ``q`` how often a wrong reading lands on one given set. Where
the lexicon reads nothing the family answers alone. The probability of the best set is the
confidence.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from inference.anatomy.learned.families import Floats
from inference.anatomy.learned.region_sets import region_sets, set_index
from inference.anatomy.regions import NOWHERE, Regions

_SUREST = 0.99
_LEAST_SURE = 0.05
_UNUSUAL = -7.0
"""Log probability of a set that no family chooses among; only the lexicon can name it."""


class Pooling(NamedTuple):
    """How the experts are weighed; stored with the weights."""

    trust: float = 0.8
    wrong_reading: float = 0.1
    temperature: float = 1.0

    def lexicon_votes(self, share: float) -> float:
        """Log odds that a reading adds to its set."""
        share = min(max(share, _LEAST_SURE), _SUREST)
        return math.log(share / ((1.0 - share) * self.wrong_reading))


class Pooled(NamedTuple):
    """The best set, its probability, and what the family alone would have said."""

    regions: Regions
    confidence: float
    family: Regions
    family_confidence: float


def probabilities(logs: Floats, read: Regions, share: float, pooling: Pooling) -> Floats | None:
    """Probability of each set by both experts, ``(sets,)``; None for a set that is none of them.

    Parameters as of :func:`pool`.
    """
    if read and read not in set_index():
        return None
    scores = _scores(logs, read, share, pooling)
    raised: Floats = np.exp(scores - scores.max())
    normal: Floats = raised / raised.sum()
    return normal


def _scores(logs: Floats, read: Regions, share: float, pooling: Pooling) -> Floats:
    scores = (pooling.trust if read else 1.0) * logs
    at = set_index().get(read)
    if at is not None:
        scores[at] += pooling.lexicon_votes(share)
    if pooling.temperature != 1.0:
        scores = scores / pooling.temperature
    return scores


def pool(logs: Floats, read: Regions, share: float, pooling: Pooling) -> Pooled:
    """Pool one header's experts.

    :param logs: log probability of each set by the family, ``(sets,)``.
    :param read: what the lexicon decided, or nothing.
    :param share: how often that way of deciding is right.
    """
    best = int(logs.argmax())
    family, family_confidence = region_sets()[best], math.exp(float(logs[best]))
    scores = _scores(logs, read, share, pooling)
    unusual = -math.inf
    if read and read not in set_index():
        unusual = pooling.trust * _UNUSUAL + pooling.lexicon_votes(share)
        unusual /= pooling.temperature
    top = int(scores.argmax())
    highest = max(float(scores[top]), unusual)
    total = float(np.exp(scores - highest).sum()) + math.exp(unusual - highest)
    regions = read if unusual > float(scores[top]) else region_sets()[top]
    return Pooled(regions or NOWHERE, 1.0 / total, family, family_confidence)
