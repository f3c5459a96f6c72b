# SPDX-License-Identifier: Apache-2.0
"""Whole-body phantom volumes: axial CT slices from the vertex to the feet, each with its region.

Schematic on purpose: outline, skull, brain, airway, lungs, heart, ribs, liver, kidneys, bowel gas,
spine, iliac wings, bladder, femora, knees and feet, in proportions that differ from phantom to
phantom (heights of the segments after the canon of artistic anatomy, varied by a tenth).
Good enough to teach and test what lies above what; no substitute for patients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from inference.contract import RegionName

Floats = npt.NDArray[np.float32]
Slice = npt.NDArray[np.float32]

SIZE: Final = 48
FIELD_MM: Final = 500.0
AIR, LUNG, FAT, SOFT, BONE = -1000.0, -820.0, -90.0, 45.0, 700.0

SEGMENTS: Final[tuple[tuple[RegionName, float], ...]] = (
    ("head", 230.0),
    ("neck", 90.0),
    ("chest", 280.0),
    ("abdomen", 210.0),
    ("pelvis", 210.0),
    ("lower limb", 780.0),
)
"""Regions from the top and their mean heights in mm."""


@dataclass(frozen=True, slots=True)
class BodyVolume:
    """Axial slices of one phantom.

    :param slices: ``(count, 48, 48)`` in HU, from the head downwards, 500 mm wide.
    :param heights: distance of each slice from the vertex in mm.
    :param regions: the region that each slice shows.
    """

    slices: Floats
    heights: Floats
    regions: tuple[RegionName, ...]


@dataclass(frozen=True, slots=True)
class _Body:
    bounds: Floats
    girth: float
    arms: bool
    organs: Floats
    turn: float
    at: tuple[float, float]


class _Canvas:
    """One slice in mm around its middle, x to the left of the patient, y to the back."""

    def __init__(self, body: _Body) -> None:
        axis = (np.arange(SIZE, dtype=np.float32) + 0.5) / SIZE * FIELD_MM - FIELD_MM / 2
        x, y = np.meshgrid(axis - body.at[0], axis - body.at[1])
        self._x = np.cos(body.turn) * x + np.sin(body.turn) * y
        self._y = np.cos(body.turn) * y - np.sin(body.turn) * x
        self.image: Slice = np.full((SIZE, SIZE), AIR, np.float32)

    def oval(self, value: float, at: tuple[float, float], radii: tuple[float, float]) -> None:
        """Fill an ellipse, softly at the edge, where it is not too small to be seen."""
        if min(radii) < 1.0:
            return
        far = np.hypot((self._x - at[0]) / radii[0], (self._y - at[1]) / radii[1])
        share = np.clip((1.0 - far) * min(radii) / (FIELD_MM / SIZE) + 0.5, 0.0, 1.0)
        self.image += share * (value - self.image)

    def pair(self, value: float, at: tuple[float, float], radii: tuple[float, float]) -> None:
        """Fill an ellipse on either side."""
        self.oval(value, at, radii)
        self.oval(value, (-at[0], at[1]), radii)

    def ring(self, at: tuple[float, float], radii: tuple[float, float], within: float) -> None:
        """A ring of bone around soft tissue."""
        self.oval(BONE, at, radii)
        self.oval(within, at, (radii[0] - 9.0, radii[1] - 9.0))


def body_volume(seed: int, spacing_mm: float = 20.0, whole: bool = True) -> BodyVolume:
    """Make one phantom.

    :param seed: the same seed gives the same phantom.
    :param spacing_mm: distance of the slices.
    :param whole: from vertex to feet; else a stretch of 300 to 900 mm somewhere.
    """
    rng = np.random.default_rng(seed)
    body = _body(rng)
    first, last = 0.0, float(body.bounds[-1])
    if not whole:
        length = min(rng.uniform(300.0, 900.0), last)
        first = rng.uniform(0.0, last - length)
        last = first + length
    heights = np.arange(first + spacing_mm / 2, last, spacing_mm, dtype=np.float32)
    noise = rng.uniform(5.0, 30.0)
    slices = np.stack([_slice(body, float(height)) for height in heights])
    slices += rng.normal(0.0, noise, slices.shape).astype(np.float32)
    return BodyVolume(slices, heights, tuple(_region(body, float(h)) for h in heights))


def _body(rng: np.random.Generator) -> _Body:
    parts = np.array([height for _, height in SEGMENTS]) * rng.uniform(0.9, 1.1, len(SEGMENTS))
    return _Body(
        bounds=(np.cumsum(parts) * rng.uniform(0.9, 1.1)).astype(np.float32),
        girth=rng.uniform(0.85, 1.2),
        arms=bool(rng.random() < 0.4),
        organs=rng.uniform(0.85, 1.15, 16).astype(np.float32),
        turn=rng.normal(0.0, 0.06),
        at=(rng.normal(0.0, 10.0), rng.normal(0.0, 10.0)),
    )


def _place(body: _Body, height: float) -> tuple[int, float]:
    """Segment of a height, and how far down in it, 0 to 1."""
    segment = min(int(np.searchsorted(body.bounds, height, side="right")), len(SEGMENTS) - 1)
    top = float(body.bounds[segment - 1]) if segment else 0.0
    return segment, float(np.clip((height - top) / (float(body.bounds[segment]) - top), 0.0, 1.0))


def _region(body: _Body, height: float) -> RegionName:
    return SEGMENTS[_place(body, height)[0]][0]


def _slice(body: _Body, height: float) -> Slice:
    segment, down = _place(body, height)
    canvas = _Canvas(body)
    (_head, _neck, _chest, _abdomen, _pelvis, _legs)[segment](canvas, body, down)
    if body.arms and segment in (2, 3, 4):
        canvas.pair(SOFT, (225.0, 10.0), (24.0, 26.0))
        canvas.pair(BONE, (225.0, 10.0), (9.0, 9.0))
    return canvas.image


def _trunk(canvas: _Canvas, body: _Body, width: float, depth: float) -> tuple[float, float]:
    wide, deep = width * body.girth, depth * body.girth
    canvas.oval(FAT, (0.0, 0.0), (wide, deep))
    rim = 10.0 + 14.0 * (body.girth - 0.85)
    canvas.oval(SOFT, (0.0, 0.0), (wide - rim, deep - rim))
    return wide, deep


def _spine(canvas: _Canvas, at: float, size: float) -> None:
    canvas.oval(BONE, (0.0, at), (size, size * 0.8))
    canvas.oval(BONE * 0.6, (0.0, at + size * 1.4), (size * 0.5, size * 0.9))


def _head(canvas: _Canvas, body: _Body, down: float) -> None:
    round_ = np.sqrt(max(0.05, 1.0 - (1.0 - min(1.0, down / 0.55)) ** 2))
    wide, deep = 78.0 * round_ * body.organs[0], 98.0 * round_ * body.organs[1]
    canvas.oval(SOFT, (0.0, 0.0), (wide, deep))
    canvas.ring((0.0, 0.0), (wide - 5.0, deep - 5.0), 38.0)
    if 0.3 < down < 0.6:
        canvas.pair(5.0, (9.0, -5.0), (6.0, 22.0))
    if down > 0.6:
        canvas.pair(-20.0, (34.0, -70.0), (13.0, 13.0))
        canvas.oval(AIR, (0.0, -62.0), (14.0, 24.0 * (down - 0.4)))
        canvas.pair(AIR, (30.0, -45.0), (14.0, 16.0 * (down > 0.75)))
    if down > 0.85:
        canvas.ring((0.0, -50.0), (48.0, 45.0), SOFT)
        _spine(canvas, 40.0, 16.0)


def _neck(canvas: _Canvas, body: _Body, down: float) -> None:
    wide = (62.0 + 60.0 * max(0.0, down - 0.6)) * body.organs[2]
    canvas.oval(FAT, (0.0, 0.0), (wide, 62.0))
    canvas.oval(SOFT, (0.0, 0.0), (wide - 7.0, 55.0))
    canvas.oval(AIR, (0.0, -26.0), (9.0, 10.0))
    canvas.pair(110.0, (20.0, -26.0), (9.0, 14.0 * (down > 0.4)))
    _spine(canvas, 14.0, 15.0)


def _chest(canvas: _Canvas, body: _Body, down: float) -> None:
    grown = min(1.0, 0.45 + 1.6 * down)
    wide, deep = _trunk(canvas, body, 185.0 - 20.0 * down, 95.0 + 25.0 * grown)
    ribs = (wide - 24.0, deep - 20.0)
    canvas.ring((0.0, 0.0), ribs, SOFT)
    lung = (68.0 * grown * body.organs[3], (deep - 34.0) * grown * body.organs[4] * 0.95)
    canvas.pair(LUNG, (wide * 0.44, 0.0), lung)
    if down > 0.45:
        canvas.oval(55.0, (18.0, -22.0), (62.0 * body.organs[5], 48.0))
    else:
        canvas.oval(AIR, (0.0, -5.0), (10.0, 9.0))
        canvas.oval(120.0, (8.0, -28.0), (22.0, 18.0))
    if down > 0.85:
        canvas.oval(60.0, (-wide * 0.4, -5.0), (66.0, 56.0))
    _spine(canvas, deep * 0.52, 18.0)


def _abdomen(canvas: _Canvas, body: _Body, down: float) -> None:
    wide, deep = _trunk(canvas, body, 165.0 - 8.0 * down, 112.0)
    liver = max(0.0, 1.0 - down * 1.25) * body.organs[6]
    canvas.oval(-60.0, (0.0, -20.0), (wide * 0.75, deep * 0.55))
    canvas.oval(62.0, (-wide * 0.42, -10.0), (88.0 * liver, 74.0 * liver))
    canvas.oval(52.0, (wide * 0.52, 18.0), (38.0 * liver, 42.0 * liver))
    canvas.oval(AIR * 0.7, (wide * 0.25, -45.0), (32.0 * liver, 20.0 * liver))
    kidneys = float(np.exp(-(((down - 0.5) / 0.25) ** 2)))
    canvas.pair(90.0, (62.0, 45.0), (27.0 * kidneys, 30.0 * kidneys))
    for number in range(4):
        gas = max(0.0, down - 0.35) * 26.0 * body.organs[7 + number]
        canvas.oval(
            AIR * 0.6, (-75.0 + 50.0 * number, -50.0 + 8.0 * (number % 2)), (gas, gas * 0.8)
        )
    _spine(canvas, 58.0, 23.0)


def _pelvis(canvas: _Canvas, body: _Body, down: float) -> None:
    _trunk(canvas, body, 170.0 + 14.0 * np.sin(np.pi * down), 108.0)
    if down < 0.5:
        wing = 1.0 - down
        canvas.pair(BONE, (118.0 - 40.0 * down, 22.0 + 30.0 * down), (14.0, 58.0 * wing))
        canvas.oval(BONE * 0.8, (0.0, 62.0), (44.0 * (1.1 - down), 24.0))
        canvas.oval(AIR * 0.5, (35.0, -30.0), (16.0, 13.0))
    else:
        canvas.pair(BONE, (92.0, 5.0), (27.0, 27.0))
        canvas.pair(BONE * 0.8, (38.0, -45.0), (36.0 * down, 9.0))
        canvas.oval(8.0, (0.0, -22.0), (38.0 * body.organs[11] * (1.4 - down), 32.0))
        canvas.pair(BONE * 0.8, (52.0, 52.0), (15.0, 20.0 * down))


def _legs(canvas: _Canvas, body: _Body, down: float) -> None:
    apart = 88.0 - 18.0 * down
    knee = float(np.exp(-(((down - 0.47) / 0.05) ** 2)))
    foot = down > 0.93
    girth = (84.0 - 52.0 * down + 10.0 * float(np.exp(-(((down - 0.62) / 0.1) ** 2)))) * body.girth
    if foot:
        canvas.pair(SOFT, (apart, -40.0), (38.0, 95.0))
        canvas.pair(BONE, (apart, -40.0), (26.0, 82.0))
        return
    canvas.pair(FAT, (apart, 0.0), (girth, girth))
    canvas.pair(SOFT, (apart, 0.0), (girth - 9.0, girth - 9.0))
    bone = 15.0 + 22.0 * knee
    canvas.pair(BONE, (apart, -5.0), (bone, bone * 0.9))
    if down < 0.44:
        canvas.pair(-30.0, (apart, -5.0), (6.0, 6.0))
    elif down > 0.52:
        canvas.pair(BONE, (apart + 22.0, 12.0), (7.0, 7.0))
