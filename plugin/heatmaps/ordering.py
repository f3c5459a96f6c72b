# SPDX-License-Identifier: AGPL-3.0-or-later
"""In what order, and which, of an image's heat maps are shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, get_args

from inference.contract import ClassProbability, FindingClass

Order = Literal["probability", "severity", "preference"]
ORDERS: tuple[Order, ...] = get_args(Order)

Pair = tuple[FindingClass, ClassProbability]


def ordered(pairs: Iterable[Pair], order: Order, preference: Sequence[str] = ()) -> list[Pair]:
    """The finding classes of an image in one of three orders.

    ``probability``: the highest global probability first. ``severity``: present findings first,
    the most severe of them first, then by probability. ``preference``: the findings of
    ``preference`` in its order, the others behind by probability. Equals are ordered by key.
    """
    by_probability = sorted(pairs, key=lambda pair: (-pair[1].probability, pair[0].key))
    if order == "severity":
        return sorted(by_probability, key=lambda p: (not p[1].present, -p[0].severity))
    if order == "preference":
        rank = {key: number for number, key in enumerate(preference)}
        return sorted(by_probability, key=lambda pair: rank.get(pair[0].key, len(rank)))
    return by_probability


def subset(pairs: Iterable[Pair], *, present: bool, threshold: float) -> list[Pair]:
    """Those that are present, if only they are wanted, and reach a global probability."""
    return [
        (finding, item)
        for finding, item in pairs
        if item.probability >= threshold and (item.present or not present)
    ]
