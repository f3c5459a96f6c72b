# SPDX-License-Identifier: AGPL-3.0-or-later
"""One colour per finding, so that several can be told apart in one picture.

Those of the model are kept where they differ enough among each other. Else they come from the
palette of Okabe and Ito ("Color Universal Design", 2008), which is made for colour-blind readers,
without its black and its grey, which a radiograph has already.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from inference.contract import FindingClass

PALETTE = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (204, 121, 167),
    (213, 94, 0),
    (0, 114, 178),
)
LEAST_DISTANCE = 60.0
"""In sRGB, weighted as eyes do: about the distance of yellow and orange."""

Colour = tuple[int, int, int]


def distinct_colours(classes: Sequence[FindingClass]) -> dict[str, Colour]:
    """By key, the colour in which each of a model's findings is drawn beside the others."""
    own = [item.colour for item in classes]
    if all(_distance(a, b) >= LEAST_DISTANCE for a, b in combinations(own, 2)):
        return {item.key: item.colour for item in classes}
    return {item.key: PALETTE[at % len(PALETTE)] for at, item in enumerate(classes)}


def _distance(a: Colour, b: Colour) -> float:
    """Compuphase's low-cost approximation of perceived distance ("Colour metric", 2019)."""
    red = (a[0] + b[0]) / 2
    squares = [(x - y) ** 2 for x, y in zip(a, b, strict=True)]
    weights = (2 + red / 256, 4.0, 2 + (255 - red) / 256)
    return float(sum(w * s for w, s in zip(weights, squares, strict=True)) ** 0.5)
