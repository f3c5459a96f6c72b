# SPDX-License-Identifier: AGPL-3.0-or-later
"""Laying a grid of patch probabilities on the pixels of a picture.

Smoothing replaces the step between two patches by a straight ramp, centred on their border. Its
width is ``smoothing`` patches: 0 leaves the patches as they are, 1 interpolates from centre to
centre. A ramp is never narrower than two pixels, so that the difference between the two pixels at
a border is at most half of the difference between the patches, at any strength, where a patch is
at least two pixels wide. The centre of a patch keeps its value: smoothing moves no finding.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference.contract import MapExtent

LEAST_RAMP_PIXELS = 2.0

Weights = NDArray[np.float32]


class Placement(NamedTuple):
    """Where a map lies on an image and how large the picture becomes.

    ``extent`` is in pixels of the stored image of ``rows x columns``; the picture has ``height x
    width`` pixels and shows the whole of that image.
    """

    extent: MapExtent
    rows: int
    columns: int
    height: int
    width: int

    def lay(self, cells: NDArray[np.float32], *, smoothing: float) -> NDArray[np.float32]:
        """The map at every pixel, ``(height, width)`` float32; 0 where the map does not reach.

        Args:
            cells: Probabilities, ``(rows, columns)`` of the grid.
            smoothing: Width of the ramp between two patches in patches, 0 to 1.
        """
        down, across = self.weights(cells.shape, smoothing)
        laid: NDArray[np.float32] = (down @ cells.astype(np.float32, copy=False)) @ across.T
        return laid

    def weights(self, grid: tuple[int, ...], smoothing: float) -> tuple[Weights, Weights]:
        """How much of each grid row a pixel row takes, ``(height, rows)``, and the same across."""
        down, across = self._positions(*grid)
        return _weights(down, grid[0], smoothing), _weights(across, grid[1], smoothing)

    def _positions(
        self, cells_down: int, cells_across: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Centres of the picture's pixels in units of map cells, down and across."""
        y = (np.arange(self.height, dtype=np.float64) + 0.5) * (self.rows / self.height)
        x = (np.arange(self.width, dtype=np.float64) + 0.5) * (self.columns / self.width)
        down = (y - self.extent.top) / (self.extent.bottom - self.extent.top) * cells_down
        across = (x - self.extent.left) / (self.extent.right - self.extent.left) * cells_across
        return down, across


def ramp_width(smoothing: float, cells_per_pixel: float) -> float:
    """Width of the ramp in cells; 0 for no smoothing at all."""
    if smoothing <= 0.0:
        return 0.0
    return min(1.0, max(smoothing, LEAST_RAMP_PIXELS * cells_per_pixel))


def _weights(position: NDArray[np.float64], cells: int, smoothing: float) -> Weights:
    step = float(position[1] - position[0]) if len(position) > 1 else 1.0
    width = ramp_width(smoothing, step)
    border = np.clip(np.rint(position), 1, cells - 1) if cells > 1 else np.ones_like(position)
    if width > 0.0:
        upper = np.clip((position - border) / width + 0.5, 0.0, 1.0)
    else:
        upper = (position >= border).astype(np.float64)
    lower_cell = (border - 1).astype(np.intp)
    upper_cell = np.minimum(lower_cell + 1, cells - 1)
    if cells == 1:
        upper = np.zeros_like(upper)
    weights = np.zeros((len(position), cells), np.float32)
    row = np.arange(len(position))
    weights[row, lower_cell] += (1.0 - upper).astype(np.float32)
    weights[row, upper_cell] += upper.astype(np.float32)
    weights[(position < 0) | (position >= cells)] = 0.0
    return weights
