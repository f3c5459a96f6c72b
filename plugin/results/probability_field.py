# SPDX-License-Identifier: AGPL-3.0-or-later
"""A probability map as a continuous field over the image.

Both the segmentation and the outlines are drawn from this one field, so they agree.

Coordinates are those of SCOORD and of PIXEL graphics (PS3.3 C.18.6.1.1): ``x`` along columns, ``y``
along rows, (0, 0) the outer corner of the first pixel, (0.5, 0.5) its centre, (Columns, Rows) the
outer corner of the last.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.contract import MapExtent

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ProbabilityField:
    """Bilinear between cell centres, constant from the outer centres to the map's edge.

    Attributes:
        values: patch probabilities, ``(map rows, map columns)``.
        extent: where the map lies on the image.
        threshold: patch probability that outlines a region.
        floor: cells that count as at least ``threshold`` over their whole area, ``(map rows, map
            columns)``; regions that interpolation would shrink to less than the map resolves.
    """

    values: NDArray[np.float32]
    extent: MapExtent
    threshold: float
    floor: NDArray[np.bool_]

    @property
    def cell_width(self) -> float:
        """Width of one map cell in image pixels."""
        return (self.extent.right - self.extent.left) / int(self.values.shape[1])

    @property
    def cell_height(self) -> float:
        """Height of one map cell in image pixels."""
        return (self.extent.bottom - self.extent.top) / int(self.values.shape[0])

    def sample(self, x: Floats, y: Floats) -> NDArray[np.float32]:
        """Probabilities on a grid.

        Args:
            x: column coordinates, ``(n,)``, pixels.
            y: row coordinates, ``(m,)``, pixels.

        Returns:
            ``(m, n)`` probabilities; 0 where the map doesn't reach.
        """
        rows, columns = self.values.shape
        across = linear_weights(x, self.extent.left, self.cell_width, columns)
        down = linear_weights(y, self.extent.top, self.cell_height, rows)
        # Only the cells in reach: most samples are of a part of the image.
        near_y, near_x = _used(down), _used(across)
        reached = down[:, near_y] @ self.values[near_y, near_x]
        field: NDArray[np.float32] = (reached @ across[:, near_x].T).astype(np.float32, copy=False)
        if self.floor.any():
            inside = self.sample_cells(self.floor, x, y)
            np.maximum(field, np.float32(self.threshold), out=field, where=inside)
        return field

    def sample_cells(self, cells: NDArray[np.bool_], x: Floats, y: Floats) -> NDArray[np.bool_]:
        """Which points of a grid lie in marked cells; shapes as in ``sample``."""
        rows, columns = cells.shape
        column, inside_x = _cell_index(x, self.extent.left, self.cell_width, columns)
        row, inside_y = _cell_index(y, self.extent.top, self.cell_height, rows)
        return cells[np.ix_(row, column)] & np.outer(inside_y, inside_x)


def linear_weights(position: Floats, start: float, size: float, count: int) -> NDArray[np.float32]:
    """Weights of linear interpolation between cell centres.

    Args:
        position: ``(n,)`` coordinates.
        start: outer edge of the first cell.
        size: width of a cell.
        count: number of cells.

    Returns:
        ``(n, count)``; a row sums to 1 inside the map and to 0 outside.
    """
    centre = np.clip((position - start) / size - 0.5, 0, count - 1)
    lower = np.minimum(centre.astype(np.intp), max(count - 2, 0))
    upper = np.minimum(lower + 1, count - 1)
    fraction = (centre - lower).astype(np.float32)
    weights = np.zeros((len(position), count), np.float32)
    row = np.arange(len(position))
    weights[row, lower] += 1 - fraction
    weights[row, upper] += fraction
    outside = (position < start) | (position > start + size * count)
    weights[outside] = 0
    return weights


def _used(weights: NDArray[np.float32]) -> slice:
    index = np.flatnonzero(weights.any(axis=0))
    return slice(int(index[0]), int(index[-1]) + 1) if len(index) else slice(0, 0)


def _cell_index(
    position: Floats, start: float, size: float, count: int
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    index = np.floor((position - start) / size).astype(np.intp)
    return np.clip(index, 0, count - 1), (index >= 0) & (index < count)
