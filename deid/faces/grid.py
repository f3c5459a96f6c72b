# SPDX-License-Identifier: Apache-2.0
"""Voxels and where they lie in the patient (PS3.3 section C.7.6.2.1.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Volume:
    """A stack of slices.

    Attributes
    ----------
    values:
        ``(slices, rows, columns)``: Hounsfield units, or the signal of MR.
    axes:
        ``(3, 3)``; its columns are the steps in mm, in patient coordinates (x to the left, y to
        the back, z to the head), of one slice, one row and one column. A tilted gantry makes them
        oblique to each other.
    origin:
        ``(3,)``, the place of the first voxel.
    """

    values: NDArray[np.float32]
    axes: Floats
    origin: Floats

    @cached_property
    def spacing(self) -> Floats:
        """``(3,)``, mm between slices, rows and columns."""
        return np.asarray(np.linalg.norm(self.axes, axis=0), np.float64)

    @cached_property
    def _inverse(self) -> Floats:
        return np.asarray(np.linalg.inv(self.axes), np.float64)

    def places(self, indices: NDArray[np.integer]) -> Floats:
        """Patient coordinates in mm, ``(n, 3)``, of voxels given as ``(n, 3)`` indices."""
        return np.asarray(indices @ self.axes.T + self.origin)

    def indices(self, places: Floats) -> Floats:
        """Fractional indices ``(..., 3)`` of patient coordinates ``(..., 3)`` in mm."""
        return np.asarray((places - self.origin) @ self._inverse.T)

    def sampled(self, places: Floats, outside: float = np.nan) -> Floats:
        """Values at patient coordinates ``(..., 3)`` by linear interpolation."""
        at = np.moveaxis(self.indices(places), -1, 0)
        # In float64: with float32 a constant nan makes whole rows of the border nan.
        found = map_coordinates(
            self.values, at, output=np.float64, order=1, mode="constant", cval=outside
        )
        return np.asarray(found)

    def coarse(self, millimetres: float) -> Volume:
        """The volume with about so many mm between voxels, smoothed against noise."""
        steps = [max(1, round(millimetres / space)) for space in self.spacing]
        sigma = [step * 0.5 if step > 1 else 0.4 for step in steps]
        smooth = gaussian_filter(self.values, sigma)[:: steps[0], :: steps[1], :: steps[2]]
        return Volume(np.ascontiguousarray(smooth), self.axes * np.array(steps), self.origin)

    def faces_towards(self, direction: Sequence[float]) -> tuple[int, int]:
        """Axis and index (0 or -1) of the side of the volume that looks most that way."""
        along = (np.asarray(direction) @ self.axes) / self.spacing
        axis = int(np.argmax(np.abs(along)))
        return axis, -1 if along[axis] > 0 else 0
