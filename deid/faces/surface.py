# SPDX-License-Identifier: Apache-2.0
"""The surface of the face as distances from an upright axis through the head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates, minimum_filter

from deid.faces.cranium import Cranium
from deid.faces.grid import Floats, Mask, Volume

ANGLES: Final = np.radians(np.arange(-96.0, 97.0, 3.0))
"""Azimuths of the rays, 0 to the front, positive to the patient's left."""
HEIGHT_MM: Final = 3.0
"""Distance of the rays' levels."""
TOP, BOTTOM = 0.20, 1.50
"""First and last level, lengths of the head below the vertex."""
_STEP_MM, _SHORTEST_MM, _LONGEST_MM = 1.5, 15.0, 170.0
_AROUND, _SMOOTH = 5, 2.0


@dataclass(frozen=True)
class Cylinder:
    """Where the rays start.

    Attributes
    ----------
    axis:
        ``(2,)``, x and y of the axis, patient coordinates in mm.
    vertex:
        z of the top of the head in mm.
    length:
        Length of the head in mm.
    """

    axis: Floats
    vertex: float
    length: float

    @property
    def levels(self) -> Floats:
        """mm below the vertex."""
        return np.arange(TOP * self.length, BOTTOM * self.length, HEIGHT_MM)

    @property
    def shape(self) -> tuple[int, int]:
        """Levels and angles of a map."""
        return len(self.levels), len(ANGLES)

    def places(self, distances: Floats) -> Floats:
        """Patient coordinates of places on all rays: ``(levels, angles, distances, 3)``."""
        out = np.stack([np.sin(ANGLES), -np.cos(ANGLES)], axis=-1)
        flat = self.axis + out[:, None, :] * distances[:, None]
        heights = self.vertex - self.levels
        shape = (len(heights), len(ANGLES), len(distances))
        return np.concatenate(
            [
                np.broadcast_to(flat, (*shape, 2)),
                np.broadcast_to(heights[:, None, None, None], (*shape, 1)),
            ],
            axis=-1,
        )

    def coordinates(self, places: Floats) -> tuple[Floats, Floats, Floats]:
        """Level and angle as fractional indices of a map, and mm from the axis."""
        ray = places[..., :2] - self.axis
        angle = np.arctan2(ray[..., 0], -ray[..., 1])
        level = (self.vertex - places[..., 2] - self.levels[0]) / HEIGHT_MM
        at = (angle - ANGLES[0]) / (ANGLES[1] - ANGLES[0])
        return level, at, np.hypot(ray[..., 0], ray[..., 1])


def looked_up(values: Floats, level: Floats, angle: Floats, outside: float = 0.0) -> Floats:
    """Values of a map at fractional indices."""
    return np.asarray(
        map_coordinates(values, [level, angle], order=1, mode="constant", cval=outside)
    )


def skin_of(body: Volume, cylinder: Cylinder) -> Floats:
    """mm from the axis to the outside of the patient, 0 where a ray meets nothing."""
    distances = np.arange(_SHORTEST_MM, _LONGEST_MM, _STEP_MM)
    inside = body.sampled(cylinder.places(distances), 0.0) > 0.5
    last = inside.shape[-1] - 1 - np.argmax(inside[..., ::-1], axis=-1)
    return np.asarray(np.where(inside.any(axis=-1), distances[last] + 0.5 * _STEP_MM, 0.0))


def border_of(body: Volume, cylinder: Cylinder) -> Floats:
    """mm from the axis to where a ray leaves the volume."""
    distances = np.arange(_SHORTEST_MM, _LONGEST_MM, _STEP_MM)
    at = body.indices(cylinder.places(distances))
    last_index = np.array(body.values.shape, np.float64) - 1.0
    within: Mask = np.all((at >= 0.0) & (at <= last_index), axis=-1)
    last = within.shape[-1] - 1 - np.argmax(within[..., ::-1], axis=-1)
    return np.asarray(np.where(within.any(axis=-1), distances[last], 0.0))


def protected_of(cranium: Cranium, cylinder: Cylinder) -> Floats:
    """mm from the axis within which the skull lies, 0 where it doesn't reach."""
    distances = np.arange(_SHORTEST_MM, _LONGEST_MM, _STEP_MM)
    inside = cranium.holds(cylinder.places(distances))
    last = inside.shape[-1] - 1 - np.argmax(inside[..., ::-1], axis=-1)
    return np.asarray(np.where(inside.any(axis=-1), distances[last] + _STEP_MM, 0.0))


def lowest_nearby(skin: Floats) -> Floats:
    """A smooth surface nowhere above the skin within 12 mm or so: it shows no feature of it."""
    low = minimum_filter(skin, size=(2 * _AROUND - 1, 2 * _AROUND - 1), mode="nearest")
    return np.asarray(np.minimum(gaussian_filter(low, _SMOOTH, mode="nearest"), skin))
