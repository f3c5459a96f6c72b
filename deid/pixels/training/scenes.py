# SPDX-License-Identifier: Apache-2.0
"""Generated pictures, with the middles of their lines marked."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from deid.pixels.lines import SHRUNK, STRIDE
from deid.pixels.training.anatomy import Anatomy, Grey
from deid.pixels.training.grounds import ground, shapes
from deid.pixels.training.writing import Fonts, drawn

SIDE = 256
_GROUND_SIDE, GROUNDS = 448, 160
_SMALL_PX, _SMALL_WEIGHT = 14.0, 3.0
_LETTERED, _LETTERED_ANATOMY = 0.85, 0.5
"""Share of the pictures with writing, and of those that show a slice of a body."""
_ANATOMICAL = 0.4
"""Share of the pictures that do."""
_SHAPES, _SHAPES_ON_ANATOMY = 0.8, 0.15
_SEEN = 0.6
"""Share of a line's height below which what the border leaves of it is neither line nor ground:
learned as lines, slivers of letters make one of the noise along any border."""


class Scene(NamedTuple):
    """A picture to learn from.

    Attributes
    ----------
    grey:
        ``(SIDE, SIDE)`` from 0 to 1.
    marked:
        ``(SIDE // STRIDE, SIDE // STRIDE)``, 1 in the middle of lines.
    weight:
        Of the same shape: small letters would otherwise count for little.
    """

    grey: NDArray[np.float32]
    marked: NDArray[np.float32]
    weight: NDArray[np.float32]


class Scenes:
    """Draws scenes, all of which follow from the seed, the fonts and the scans."""

    _remembered = 2048

    def __init__(
        self, fonts: Fonts, seed: int, grounds: int = GROUNDS, scans: Sequence[Grey] = ()
    ) -> None:
        self._fonts = fonts
        self._rng = np.random.default_rng(seed)
        self._anatomy = Anatomy(self._rng, scans, grounds)
        self._grounds = [ground(self._rng, _GROUND_SIDE) for _ in range(grounds)]
        self._drawn: list[Scene] = []

    def batch(self, fresh: int, again: int) -> list[Scene]:
        """New scenes, and turned or inverted ones of before: drawing costs as much as learning."""
        rng = self._rng
        made = [self.next() for _ in range(fresh)]
        self._drawn = (self._drawn + made)[-self._remembered :]
        for _ in range(again):
            old = self._drawn[int(rng.integers(len(self._drawn)))]
            turns = int(rng.integers(4))
            grey, marked, weight = (np.rot90(part, turns) for part in old)
            grey = 1.0 - grey if rng.random() < 0.3 else grey
            grey = np.clip(grey * rng.uniform(0.6, 1.3) + rng.uniform(-0.1, 0.1), 0.0, 1.0)
            made.append(Scene(np.asarray(grey, np.float32), marked, weight))
        return made

    def next(self) -> Scene:
        """The next scene."""
        rng = self._rng
        anatomical = rng.random() < _ANATOMICAL
        under = self._anatomy.picture(SIDE) if anatomical else self._cut()
        image = Image.fromarray(np.asarray(under, np.uint8))
        if rng.random() < (_SHAPES_ON_ANATOMY if anatomical else _SHAPES):
            shapes(ImageDraw.Draw(image), rng, SIDE)
        grey = np.array(image, np.float32)
        marked = np.zeros((SIDE // STRIDE, SIDE // STRIDE), np.float32)
        weight = np.ones_like(marked)
        if rng.random() < (_LETTERED_ANATOMY if anatomical else _LETTERED):
            self._write(grey, marked, weight)
        return Scene(self._worn(grey) / np.float32(255.0), marked, weight)

    def _cut(self) -> NDArray[np.float32]:
        """A piece of a ground, mirrored, turned, inverted, with another contrast."""
        rng = self._rng
        whole = self._grounds[int(rng.integers(len(self._grounds)))]
        top, left = rng.integers(0, _GROUND_SIDE - SIDE, 2)
        piece = np.rot90(whole[top : top + SIDE, left : left + SIDE], int(rng.integers(4)))
        if rng.random() < 0.15:
            piece = 255.0 - piece
        if rng.random() < 0.5:
            piece = piece * rng.uniform(0.4, 1.5) + rng.uniform(-40, 40)
        return np.clip(piece, 0.0, 255.0)

    def _write(
        self, grey: NDArray[np.float32], marked: NDArray[np.float32], weight: NDArray[np.float32]
    ) -> None:
        rng = self._rng
        block = rng.random() < 0.3
        size = self._size()
        angle = self._angle()
        x, y = rng.integers(-30, SIDE - 20, 2)
        for _ in range(int(rng.integers(1, 6))):
            if not block:
                size, angle = self._size(), self._angle()
                x, y = rng.integers(-30, SIDE - 20, 2)
            font, text = self._fonts.line(rng)
            cover = drawn(font, text, size, bool(rng.random() < 0.75))
            if cover is None:
                continue
            self._stamp(grey, marked, weight, (cover, int(x), int(y), angle))
            y += int(size * rng.uniform(1.05, 1.8))

    def _size(self) -> int:
        rng = self._rng
        return int(rng.integers(7, 13) if rng.random() < 0.5 else rng.integers(12, 31))

    def _angle(self) -> float:
        chosen = float(self._rng.random())
        if chosen < 0.62:
            return 0.0
        if chosen < 0.86:
            return float(self._rng.choice([90.0, 270.0, 180.0]))
        return float(self._rng.uniform(-180, 180) if chosen > 0.95 else self._rng.uniform(-12, 12))

    def _stamp(
        self,
        grey: NDArray[np.float32],
        marked: NDArray[np.float32],
        weight: NDArray[np.float32],
        line: tuple[NDArray[np.uint8], int, int, float],
    ) -> None:
        """Blend a line into the picture, and mark the middle of its box."""
        cover, x, y, angle = line
        rows, columns = cover.shape
        turn = cv2.getRotationMatrix2D((0.0, 0.0), angle, 1.0)
        corners = np.array([(0, 0), (columns, 0), (columns, rows), (0, rows)], np.float32)
        turned = corners @ turn[:, :2].T
        shift = np.array([x, y], np.float32) - turned.min(axis=0)
        turn[:, 2] = shift
        alpha = cv2.warpAffine(cover, turn, (SIDE, SIDE), flags=cv2.INTER_LINEAR) / 255.0
        box = turned + shift
        if not (alpha > 0.5).any():
            return
        self._blend(grey, np.asarray(alpha, np.float32), box)
        middle, thick = _shrunk(box), float(min(rows, columns))
        points = np.round((middle / STRIDE - 0.5) * 16).astype(np.int32)
        line_mask = np.zeros(marked.shape, np.uint8)
        cv2.fillConvexPoly(line_mask, points, 1, shift=4)
        if _height(line_mask) < _SEEN * (1.0 - 2.0 * SHRUNK) * thick / STRIDE:
            weight[cv2.dilate(line_mask, np.ones((9, 9), np.uint8)) > 0] = 0.0
            return
        marked[line_mask > 0] = 1.0
        if thick < _SMALL_PX:
            near = cv2.dilate(line_mask, np.ones((3, 3), np.uint8))
            weight[near > 0] = _SMALL_WEIGHT

    def _blend(
        self, grey: NDArray[np.float32], alpha: NDArray[np.float32], box: NDArray[np.float32]
    ) -> None:
        rng = self._rng
        mask = np.zeros(grey.shape, np.uint8)
        cv2.fillConvexPoly(mask, np.round(box).astype(np.int32), 1)
        # Letters over parts that are as bright as they are vanish; the line goes on nevertheless.
        under = grey[mask > 0] if mask.any() else grey
        level = float(np.median(under))
        if rng.random() < 0.08:
            plate = rng.choice([0.0, 255.0, rng.uniform(0, 255)])
            grey[cv2.dilate(mask, np.ones((5, 5), np.uint8)) > 0] = plate
            level = float(plate)
        if rng.random() < 0.15:
            # Faint, yet above the noise.
            step = rng.uniform(30, 70)
            fill = level + step if level < 128 else level - step
        else:
            fill = rng.uniform(0, 70) if level > 128 else rng.uniform(180, 256)
        if rng.random() < 0.08:
            rim = cv2.dilate(alpha, np.ones((3, 3), np.uint8))
            grey *= 1.0 - rim
            grey += rim * (0.0 if fill > 128 else 255.0)
        strength = alpha * (rng.uniform(0.6, 1.0) if rng.random() < 0.15 else 1.0)
        grey *= 1.0 - strength
        grey += strength * float(fill)

    def _worn(self, grey: NDArray[np.float32]) -> NDArray[np.float32]:
        """What capture does to a picture: blur, noise, JPEG, another polarity."""
        rng = self._rng
        if rng.random() < 0.12:
            grey = np.asarray(cv2.GaussianBlur(grey, (0, 0), rng.uniform(0.3, 0.8)), np.float32)
        if rng.random() < 0.2:
            grey = grey + rng.normal(0, rng.uniform(1, 10), grey.shape).astype(np.float32)
        grey = np.clip(grey, 0.0, 255.0)
        if rng.random() < 0.12:
            buffer = BytesIO()
            Image.fromarray(grey.astype(np.uint8)).save(
                buffer, "JPEG", quality=int(rng.integers(45, 96))
            )
            grey = np.array(Image.open(buffer), np.float32)
        if rng.random() < 0.08:
            grey = 255.0 - grey
        return np.asarray(grey, np.float32)


def _height(mask: NDArray[np.uint8]) -> float:
    """Pixels across what is marked."""
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return 0.0
    _, sides, _ = cv2.minAreaRect(np.stack([columns, rows], axis=1).astype(np.float32))
    return float(min(sides)) + 1.0


def _shrunk(box: NDArray[np.float32]) -> NDArray[np.float32]:
    """The box without ``SHRUNK`` of its height on each side."""
    along, across = box[1] - box[0], box[3] - box[0]
    long, short = float(np.linalg.norm(along)), float(np.linalg.norm(across))
    cut = SHRUNK * min(long, short)
    a, b = along / max(long, 1e-6) * cut, across / max(short, 1e-6) * cut
    return np.asarray(box + np.stack([a + b, b - a, -a - b, a - b]), np.float32)
