# SPDX-License-Identifier: Apache-2.0
"""Soft-edged shapes and smooth noise, independent of the matrix size they are drawn at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

Field = NDArray[np.float32]


def soft(distance: Field, width: float) -> Field:
    """Coverage 0..1 of a shape from its signed distance (positive inside).

    The edge is a smoothstep from ``-width`` to ``+width``.
    """
    t = np.clip(distance * np.float32(0.5 / width) + np.float32(0.5), 0.0, 1.0)
    return np.asarray(t * t * (np.float32(3.0) - np.float32(2.0) * t), dtype=np.float32)


def ellipse(x: Field, y: Field, centre: tuple[float, float], axes: tuple[float, float]) -> Field:
    """Approximate signed distance (positive inside) to an axis-parallel ellipse."""
    dx = (x - np.float32(centre[0])) * np.float32(1.0 / axes[0])
    dy = (y - np.float32(centre[1])) * np.float32(1.0 / axes[1])
    return np.asarray((1.0 - np.sqrt(dx * dx + dy * dy)) * min(axes), dtype=np.float32)


def rotated(x: Field, y: Field, centre: tuple[float, float], degrees: float) -> tuple[Field, Field]:
    """Coordinates relative to ``centre`` in a frame turned by ``degrees``."""
    angle = np.deg2rad(degrees)
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    dx, dy = x - np.float32(centre[0]), y - np.float32(centre[1])
    return cosine * dx + sine * dy, cosine * dy - sine * dx


def smooth_noise(x: Field, y: Field, cells: int, rng: np.random.Generator) -> Field:
    """Noise of mean 0 and standard deviation near 1 on a lattice of ``cells`` per unit length.

    The lattice belongs to the patient frame (-1.5..1.5), so that the same seed gives the same
    texture at every matrix size.
    """
    side = 3 * cells + 2
    lattice = rng.standard_normal((side, side)).astype(np.float32)
    scale = np.float32(cells)
    at = np.stack([(y + np.float32(1.5)) * scale, (x + np.float32(1.5)) * scale])
    # Bilinear interpolation of white noise keeps two thirds of its standard deviation.
    values = map_coordinates(lattice, at, order=1, mode="nearest", output=np.float32)
    return np.asarray(values * np.float32(1.5), dtype=np.float32)
