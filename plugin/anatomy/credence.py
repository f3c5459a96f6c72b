# SPDX-License-Identifier: AGPL-3.0-or-later
"""How sure an answer is after several witnesses were heard.

A product of experts: ten answers (the regions) are equally likely at first, witnesses err
independently, and one that errs names any of the nine others. With ``c`` the confidence of a
witness after its credit was applied, an answer ``a`` weighs::

    w(a) = product over witnesses of (c if it says a, (1 - c) / 9 if it says something else)

and its probability is ``w(a)`` over the sum of the weights of all ten. A set of regions is one
answer; sets that overlap are different answers. See Hinton, "Training products of experts by
minimizing contrastive divergence" (Neural Computation 2002), and for pools of opinions Genest and
Zidek, "Combining probability distributions" (Statistical Science 1986).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from inference.contract import RegionName

_ANSWERS = 10
_SUREST, _LEAST = 0.999, 0.001


class Voice(NamedTuple):
    """What a witness says, and how sure it is, 0 to 1, after its credit was applied."""

    regions: frozenset[RegionName]
    confidence: float


def credited(confidence: float, credit: float) -> float:
    """A confidence drawn towards one in ten, which says nothing, by the lack of credit.

    Args:
        confidence: the witness's own, 0 to 1.
        credit: 1 leaves it as it is, 0 makes it one in ten.
    """
    return credit * confidence + (1.0 - credit) / _ANSWERS


def pooled(answer: frozenset[RegionName], voices: Sequence[Voice]) -> float:
    """Probability of an answer after all voices; that of the voice itself where there is one.

    Args:
        answer: what at least one of the voices says; 0 where it names no region.
        voices: those who say nothing count for nothing.
    """
    heard = [voice for voice in voices if voice.regions]
    if not answer or not heard:
        return 0.0
    if len(heard) == 1 and heard[0].regions == answer:
        return heard[0].confidence
    named = {voice.regions for voice in heard}
    unnamed = max(0, _ANSWERS - len(named | {answer}))
    weights = {one: _weight(one, heard) for one in named | {answer}}
    every = sum(weights.values()) + unnamed * _weight(frozenset(), heard)
    return weights[answer] / every


def _weight(answer: frozenset[RegionName], voices: Sequence[Voice]) -> float:
    return math.prod(
        sure if voice.regions == answer else (1.0 - sure) / (_ANSWERS - 1)
        for voice in voices
        for sure in (min(max(voice.confidence, _LEAST), _SUREST),)
    )
