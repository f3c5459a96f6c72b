# SPDX-License-Identifier: AGPL-3.0-or-later
"""Iso-probability bands: the heat map as masks that any viewer can draw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from inference.contract import FindingClass
from plugin.results.regions import LocatedFinding


@dataclass(frozen=True)
class Window:
    """Pixels ``[top, bottom) x [left, right)`` of the image outside of which a mask is empty."""

    top: int
    bottom: int
    left: int
    right: int

    @cached_property
    def x(self) -> NDArray[np.float64]:
        """Column coordinates of pixel centres."""
        return np.arange(self.left, self.right, dtype=np.float64) + 0.5

    @cached_property
    def y(self) -> NDArray[np.float64]:
        """Row coordinates of pixel centres."""
        return np.arange(self.top, self.bottom, dtype=np.float64) + 0.5


@dataclass(frozen=True)
class Band:
    """Where ``lower <= probability < upper`` (``<=`` for the last band).

    Attributes:
        mask: of the window's size.
        strength: 0 for the lowest band of a finding, 1 for the highest.
    """

    finding: FindingClass
    lower: float
    upper: float
    strength: float
    window: Window
    mask: NDArray[np.bool_]

    @property
    def label(self) -> str:
        """Finding and limits, for a reader."""
        return f"{self.finding.name} {self.lower:.2f}-{self.upper:.2f}"


def limits(patch_threshold: float, fractions: Sequence[float]) -> list[float]:
    """Probabilities that bound the bands, from the patch threshold to 1.

    Args:
        patch_threshold: of the class.
        fractions: parts of the way from the threshold to certainty, see ``ResultOptions.bands``.
    """
    return [patch_threshold + part * (1 - patch_threshold) for part in fractions] + [1.0]


def bands(
    located: LocatedFinding, fractions: Sequence[float], rows: int, columns: int
) -> Iterator[Band]:
    """Bands of one finding, lowest first; those without a pixel are left out.

    Args:
        located: the finding and its field.
        fractions: see ``limits``.
        rows: of the image.
        columns: of the image.
    """
    window = hot_window(located, rows, columns)
    if window is None:
        return
    values = located.field.sample(window.x, window.y)
    edges = limits(located.finding.patch_threshold, fractions)
    reached = [values >= np.float32(edge) for edge in edges[:-1]]
    reached.append(np.zeros_like(reached[0]))
    for index in range(len(fractions)):
        mask = reached[index] & ~reached[index + 1]
        if mask.any():
            strength = index / max(len(fractions) - 1, 1)
            lower, upper = edges[index : index + 2]
            yield Band(located.finding, lower, upper, strength, window, mask)


def hot_window(located: LocatedFinding, rows: int, columns: int) -> Window | None:
    """Pixels around all cells that reach the patch threshold; bilinear values reach one further."""
    field = located.field
    hot = field.values >= np.float32(field.threshold)
    down, across = np.flatnonzero(hot.any(axis=1)), np.flatnonzero(hot.any(axis=0))
    if not len(down):
        return None
    top = field.extent.top + (down[0] - 1) * field.cell_height
    bottom = field.extent.top + (down[-1] + 2) * field.cell_height
    left = field.extent.left + (across[0] - 1) * field.cell_width
    right = field.extent.left + (across[-1] + 2) * field.cell_width
    window = Window(
        top=max(0, int(np.floor(top))),
        bottom=min(rows, int(np.ceil(bottom))),
        left=max(0, int(np.floor(left))),
        right=min(columns, int(np.ceil(right))),
    )
    return window if window.top < window.bottom and window.left < window.right else None
