# SPDX-License-Identifier: Apache-2.0
"""A simple CT head: skull, brain, ventricles and falx in Hounsfield units, slice by slice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.phantoms.shapes import ellipse, soft

_SIDE_MM = 240.0
_HEIGHT_MM = 150.0
_AIR, _SCALP, _BONE, _BRAIN, _FLUID = -1000.0, 20.0, 1000.0, 36.0, 6.0


@dataclass(frozen=True)
class HeadSlice:
    """One axial slice: ``(size, size)`` int16 Hounsfield units and where it lies."""

    hounsfield: NDArray[np.int16]
    position_mm: float
    thickness_mm: float
    spacing_mm: float


def head_slices(seed: int, count: int = 12, size: int = 256) -> list[HeadSlice]:
    """An axial head series of ``count`` slices from foot to head, wholly determined by the seed."""
    rng = np.random.default_rng(seed)
    width, depth = rng.uniform(0.58, 0.64), rng.uniform(0.74, 0.82)
    thickness = _HEIGHT_MM / count
    line = ((np.arange(size, dtype=np.float32) + 0.5) * (2.0 / size) - 1.0).astype(np.float32)
    x, y = np.meshgrid(line, line)
    slices = []
    for number in range(count):
        height = (number + 0.5) / count
        taper = float(np.sqrt(max(0.05, 1.0 - (2.0 * max(height - 0.45, 0.0)) ** 2)))
        axes = (width * taper, depth * taper)
        image = np.full((size, size), _AIR, dtype=np.float32)
        for shrink, value in ((0.0, _SCALP), (0.04, _BONE), (0.10, _BRAIN)):
            inside = soft(ellipse(x, y, (0.0, 0.0), (axes[0] - shrink, axes[1] - shrink)), 0.008)
            image += inside * (np.float32(value) - image)
        if 0.35 < height < 0.7:
            for side in (-1.0, 1.0):
                horn = soft(ellipse(x, y, (0.09 * side, 0.0), (0.055, 0.24)), 0.015)
                image += horn * (np.float32(_FLUID) - image)
        image += rng.normal(0.0, 4.0, image.shape).astype(np.float32)
        slices.append(
            HeadSlice(
                hounsfield=np.clip(np.rint(image), -1024, 3071).astype(np.int16),
                position_mm=number * thickness,
                thickness_mm=thickness,
                spacing_mm=_SIDE_MM / size,
            )
        )
    return slices
