# SPDX-License-Identifier: AGPL-3.0-or-later
"""How like two series are: which of a prior's series hangs beside one of the current study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from plugin.hanging.shown import Shown

Trait = Literal[
    "orientation",
    "view",
    "contrast",
    "description",
    "kernel",
    "thickness",
    "echo-time",
    "repetition-time",
    "inversion-time",
    "image-type",
]
_WEIGHTS: Mapping[Trait, int] = {
    "orientation": 3,
    "view": 3,
    "contrast": 3,
    "description": 3,
    "kernel": 2,
    "thickness": 2,
    "echo-time": 1,
    "repetition-time": 1,
    "inversion-time": 1,
    "image-type": 1,
}
"""Set by hand: what makes two series unlike to a reader comes first. The timing of an MR sequence
weighs as much as its description, which other devices and departments word otherwise."""
_ALIKE = 0.5
"""From which similarity a trait is named."""


@dataclass(frozen=True)
class Likeness:
    """How like a series is to the one beside which it hangs.

    Attributes:
        score: from 0 to 1.
        alike: in which traits.
    """

    score: float
    alike: tuple[Trait, ...]


def likeness(one: Shown, beside: Shown) -> Likeness:
    """How like ``one`` is to ``beside``, in all that is known of ``beside``."""
    found = _similarities(one, beside)
    if not found:
        return Likeness(0.0, ())
    weight = sum(_WEIGHTS[trait] for trait in found)
    score = sum(_WEIGHTS[trait] * value for trait, value in found.items()) / weight
    # Rounded, so that what is alike stays so whatever the order of the sum.
    return Likeness(round(score, 6), tuple(trait for trait in found if found[trait] >= _ALIKE))


def _similarities(one: Shown, beside: Shown) -> dict[Trait, float]:
    """By trait, from 0 to 1; without those that are unknown of ``beside``."""
    mine, wanted = one.details, beside.details
    found: dict[Trait, float] = {}
    if beside.facts.orientation != "none":
        found["orientation"] = float(one.facts.orientation == beside.facts.orientation)
        found["contrast"] = float(one.facts.contrast == beside.facts.contrast)
    if beside.facts.anatomy.view:
        found["view"] = float(one.facts.anatomy.view == beside.facts.anatomy.view)
    if wanted.words:
        found["description"] = len(mine.words & wanted.words) / len(mine.words | wanted.words)
    if wanted.kernel:
        found["kernel"] = float(mine.kernel == wanted.kernel)
    if wanted.thickness:
        found["thickness"] = _ratio(mine.thickness, wanted.thickness)
    if wanted.echo_time:
        found["echo-time"] = _ratio(mine.echo_time, wanted.echo_time)
    if wanted.repetition_time:
        found["repetition-time"] = _ratio(mine.repetition_time, wanted.repetition_time)
    if wanted.inversion_time:
        found["inversion-time"] = _ratio(mine.inversion_time, wanted.inversion_time)
    found["image-type"] = float(mine.hands == wanted.hands)
    return found


def _ratio(one: float, other: float) -> float:
    return min(one, other) / max(one, other)
