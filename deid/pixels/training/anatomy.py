# SPDX-License-Identifier: Apache-2.0
"""Slices of heads and bodies, made ones and those of public templates, on which nothing is written.

Folds of a brain, the rim of a skull and ribs have the width and the contrast of letters; whoever
has never seen them takes them for some.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float32]
Pair = Sequence[float] | NDArray[np.float64]
_MADE_SIDE = 256
_OF_SCANS = 0.6
"""Share of the slices that come from scans, if there are any."""
_SMALLEST, _LARGEST = 48.0, 620.0
"""Pixels of a slice's longer side: a picture is also looked at halved, several times."""
_TILED, _WITH_TEETH = 0.2, 0.5
_LEAST_SPREAD = 1e-6


def read_scans(files: Sequence[Path]) -> list[Grey]:
    """Volumes of NIfTI files, from 0 to 1. Needs nibabel."""
    import nibabel  # noqa: PLC0415 - only where scans are learned from

    volumes = []
    for file in files:
        volume = np.squeeze(np.asarray(nibabel.Nifti1Image.from_filename(file).dataobj, np.float32))
        high = max(float(np.percentile(volume, 99.9)), _LEAST_SPREAD)
        volumes.append(np.clip(volume / high, 0.0, 1.0).astype(np.float32))
    return volumes


class Anatomy:
    """Draws slices, in any size and window.

    Parameters
    ----------
    rng:
        All follows from it.
    scans:
        Volumes of ``read_scans``; without them all slices are made.
    made:
        How many slices are made, which takes a quarter of a second each.
    """

    def __init__(self, rng: np.random.Generator, scans: Sequence[Grey], made: int) -> None:
        self._rng, self._scans = rng, scans
        self._made = [_head(rng) if number % 2 else _body(rng) for number in range(made)]

    def picture(self, side: int) -> Grey:
        """The next, ``(side, side)``, grey values from 0 to 255: a part, or one with air around."""
        rng = self._rng
        one = self._windowed(self._slice())
        longest = float(np.exp(rng.uniform(np.log(_SMALLEST), np.log(_LARGEST))))
        scale = longest / max(one.shape)
        size = max(8, round(one.shape[1] * scale)), max(8, round(one.shape[0] * scale))
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        shown = np.rot90(cv2.resize(one, size, interpolation=how), int(rng.integers(4)))
        shown = shown[:, ::-1] if rng.random() < 0.5 else shown
        return _placed(np.asarray(shown, np.float32), side, rng)

    def _slice(self) -> Grey:
        rng = self._rng
        if not self._scans or rng.random() >= _OF_SCANS:
            return self._made[int(rng.integers(len(self._made)))]
        volume = self._scans[int(rng.integers(len(self._scans)))]
        axis = int(rng.integers(3))
        at = int(volume.shape[axis] * rng.uniform(0.05, 0.95))
        return np.asarray(np.take(volume, at, axis), np.float32)

    def _windowed(self, one: Grey) -> Grey:
        """As some window shows it, and as noise of some strength leaves it."""
        rng = self._rng
        body = one[one > 0] if one.max() > 0 else one
        low, high = np.percentile(body, (rng.uniform(0, 20), rng.uniform(80, 100)))
        low = low if rng.random() < 0.5 else 0.0
        shown = np.clip((one - low) / max(float(high - low), _LEAST_SPREAD), 0.0, 1.0)
        shown = 255.0 * shown ** rng.uniform(0.6, 1.7)
        if rng.random() < 0.3:
            shown = np.asarray(cv2.GaussianBlur(shown, (0, 0), rng.uniform(0.4, 1.5)))
        shown = shown + rng.normal(0.0, rng.uniform(0.0, 10.0), shown.shape)
        if rng.random() < 0.15:
            shown = 255.0 - shown
        return np.asarray(np.clip(shown, 0.0, 255.0), np.float32)


def _placed(one: Grey, side: int, rng: np.random.Generator) -> Grey:
    rows, columns = one.shape
    if max(rows, columns) < side // 2 and rng.random() < _TILED:
        whole = np.tile(one, (-(-side // rows), -(-side // columns)))
        return np.asarray(whole[:side, :side], np.float32)
    canvas = np.full((side, side), float(np.median(one[0])), np.float32)
    top, left = (_start(length, side, rng) for length in (rows, columns))
    inside = one[max(0, -top) :, max(0, -left) :]
    top, left = max(0, top), max(0, left)
    inside = inside[: side - top, : side - left]
    canvas[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
    return canvas


def _start(length: int, side: int, rng: np.random.Generator) -> int:
    free = side - length
    return int(rng.integers(min(free, 0), max(free, 0) + 1))


def _field(rng: np.random.Generator, scale: float) -> Grey:
    """Smooth noise of mean 0 and standard deviation 1."""
    made = cv2.GaussianBlur(rng.normal(0.0, 1.0, (_MADE_SIDE,) * 2), (0, 0), scale)
    return np.asarray(made / max(float(made.std()), _LEAST_SPREAD), np.float32)


def _radius(rng: np.random.Generator, middle: Pair, radii: Pair) -> Grey:
    """Distance from the middle of an uneven ellipse, 1 at its rim."""
    yy, xx = np.mgrid[:_MADE_SIDE, :_MADE_SIDE].astype(np.float32) / _MADE_SIDE
    turn = rng.uniform(-0.3, 0.3)
    y, x = yy - middle[0], xx - middle[1]
    along, across = y * np.cos(turn) + x * np.sin(turn), x * np.cos(turn) - y * np.sin(turn)
    away = np.hypot(along / radii[0], across / radii[1])
    return np.asarray(away * (1.0 + 0.03 * _field(rng, 24.0)), np.float32)


def _step(values: NDArray[np.floating[Any]], soft: float) -> Grey:
    """From 0 where values are low to 1 where they are high."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(values / soft, -30.0, 30.0))), np.float32)


def _head(rng: np.random.Generator) -> Grey:
    """Skin, skull and a brain with folds, ventricles and vessels."""
    away = _radius(rng, rng.uniform(0.47, 0.53, 2), rng.uniform(0.36, 0.46, 2))
    rim, table = rng.uniform(0.78, 0.9), rng.uniform(0.9, 0.96)
    grey, white, fluid, skin, skull = rng.uniform(0.05, 1.0, 5)
    folds = _field(rng, rng.uniform(1.8, 5.0)) + 0.5 * _field(rng, rng.uniform(5.0, 9.0))
    deep = np.clip((rim - away) / rng.uniform(0.15, 0.4), 0.0, 1.0)
    brain = grey + (white - grey) * _step(folds + 2.0 * deep - 1.0, rng.uniform(0.05, 0.4))
    sulci = _step(np.abs(folds) - rng.uniform(0.1, 0.35), 0.05)
    brain = fluid + (brain - fluid) * np.maximum(sulci, _step(deep - 0.6, 0.1))
    for _ in range(int(rng.integers(1, 5))):
        hole = _radius(rng, rng.uniform(0.38, 0.62, 2), rng.uniform(0.02, 0.13, 2))
        brain = brain + (fluid - brain) * _step(1.0 - hole, 0.08)
    if rng.random() < _WITH_TEETH:
        brain = _with_teeth(brain, rng)
    made = np.where(away < rim, brain, np.where(away < table, skull, skin))
    return np.asarray(np.where(away < 1.0, made, 0.0), np.float32)


def _with_teeth(made: Grey, rng: np.random.Generator) -> Grey:
    """Teeth along a jaw, or vertebrae one above the other: a row of blocks, as letters are."""
    count, bend = int(rng.integers(6, 17)), rng.uniform(0.0, 1.0)
    wide, deep = rng.uniform(0.12, 0.3), rng.uniform(0.1, 0.35)
    y, x = rng.uniform(0.3, 0.6, 2)
    tooth, long = rng.uniform(0.0, 1.0), rng.uniform(0.8, 2.2)
    size = rng.uniform(0.35, 0.6) * 2.0 * wide / count
    for along in np.linspace(-1.0, 1.0, count):
        at = y + deep * bend * along**2, x + wide * along
        one = _radius(rng, at, (size * long, size))
        made = made + (tooth - made) * _step(1.0 - one, 0.1)
        if rng.random() < 0.3:
            made = made + (rng.uniform(0.0, 1.0) - tooth) * _step(0.4 - one, 0.1)
    return np.asarray(made, np.float32)


def _body(rng: np.random.Generator) -> Grey:
    """Fat, muscle, organs, bowel, ribs and a spine, as CT and MR show them across."""
    away = _radius(rng, (0.5, 0.5), (rng.uniform(0.25, 0.4), rng.uniform(0.38, 0.48)))
    fat, muscle, bone = rng.uniform(0.05, 1.0, 3)
    made = np.where(away < rng.uniform(0.8, 0.95), muscle, fat)
    made = made + 0.04 * _field(rng, rng.uniform(1.0, 4.0))
    for _ in range(int(rng.integers(5, 30))):
        radii = rng.uniform(0.01, 0.18, 2) * rng.uniform(0.4, 1.0)
        organ = _radius(rng, rng.uniform(0.25, 0.75, 2), radii)
        inside = _step(1.0 - organ, rng.uniform(0.02, 0.2))
        level = rng.uniform(0.0, 1.0) + rng.uniform(0.0, 0.15) * _field(rng, rng.uniform(1.0, 6.0))
        made = made + (level - made) * inside
        if rng.random() < 0.3:  # the wall of a bowel or of a vessel
            made = made + rng.uniform(-0.5, 0.5) * np.exp(-(((organ - 1.0) / 0.12) ** 2))
    bones = [(rng.uniform(0.6, 0.75), 0.5, rng.uniform(0.03, 0.08))]
    around = np.arange(0.0, 2.0 * np.pi, rng.uniform(0.3, 0.9))
    bones += [(0.5 + 0.26 * np.sin(at), 0.5 + 0.38 * np.cos(at), 0.02) for at in around]
    for y, x, size in bones:
        ring = _radius(rng, (y, x), rng.uniform(0.6, 2.0, 2) * size)
        made = made + (bone - made) * _step(1.0 - ring, 0.05)
        made = made + (rng.uniform(0.0, 1.0) - bone) * _step(0.7 - ring, 0.05) * (bone > 0.5)
    made = np.clip(made, 0.0, None)
    return np.asarray(np.where(away < 1.0, made, 0.0), np.float32)
