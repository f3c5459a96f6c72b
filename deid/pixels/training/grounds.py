# SPDX-License-Identifier: Apache-2.0
"""Made grounds on which writing may stand, and drawn shapes that must not be taken for it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import ImageDraw
from scipy.ndimage import gaussian_filter, gaussian_filter1d

Grey = NDArray[np.float32]
_Drawing = Callable[[ImageDraw.ImageDraw, np.random.Generator, int, int], None]


def ground(rng: np.random.Generator, side: int) -> Grey:
    """One ground, ``(side, side)``, grey values from 0 to 255."""
    kinds = (_flat, _flat, _tissue, _speckle, _speckle, _octaves, _fibres, _bones, _bones)
    made = kinds[int(rng.integers(len(kinds)))](rng, side)
    return np.asarray(np.clip(made, 0.0, 255.0), np.float32)


def _field(rng: np.random.Generator, side: int, scale: float) -> Grey:
    """A smooth field from 0 to 1; drawn coarse and enlarged, which costs less than a wide blur."""
    step = max(1, int(scale // 3))
    coarse = gaussian_filter(rng.normal(0.0, 1.0, (side // step + 8,) * 2), scale / step)
    coarse = (coarse - coarse.min()) / max(float(np.ptp(coarse)), 1e-6)
    large = gaussian_filter(np.kron(coarse, np.ones((step, step)))[:side, :side], step / 2.0)
    return np.asarray(large, np.float32)


def _flat(rng: np.random.Generator, side: int) -> Grey:
    level = rng.choice([rng.uniform(0, 30), rng.uniform(0, 255), rng.uniform(200, 255)])
    return np.asarray(rng.normal(level, rng.uniform(0.0, 9.0), (side, side)), np.float32)


def _tissue(rng: np.random.Generator, side: int) -> Grey:
    smooth = _field(rng, side, rng.uniform(6, 45))
    noise = rng.normal(0, rng.uniform(2, 16), (side, side))
    if rng.random() < 0.4:
        noise = 2.0 * gaussian_filter(noise, rng.uniform(0.5, 1.2))
    return np.asarray(rng.uniform(0, 60) + smooth * rng.uniform(60, 200) + noise, np.float32)


def _speckle(rng: np.random.Generator, side: int) -> Grey:
    sigma = rng.uniform(0.6, 2.0), rng.uniform(1.0, 4.0)
    noise = gaussian_filter(rng.rayleigh(1.0, (side, side)), sigma)
    bright = noise * rng.uniform(30, 110) * (0.5 + _field(rng, side, rng.uniform(15, 60)))
    if rng.random() < 0.6:
        yy, xx = np.mgrid[:side, :side]
        angle = np.arctan2(xx - side * rng.uniform(0, 1), yy + side * rng.uniform(0.05, 0.4))
        bright = bright * (np.abs(angle) < rng.uniform(0.3, 0.8))
    return np.asarray(bright, np.float32)


def _octaves(rng: np.random.Generator, side: int) -> Grey:
    """Noise of all scales at once, as bone and lung have."""
    total = np.zeros((side, side), np.float32)
    weight = rng.uniform(0.45, 0.9)
    for octave, scale in enumerate((32.0, 16.0, 8.0, 4.0, 2.0, 1.0)):
        total += (_field(rng, side, scale) - 0.5) * weight**octave
    total = (total - total.min()) / max(float(np.ptp(total)), 1e-6)
    return np.asarray(rng.uniform(0, 80) + total * rng.uniform(80, 220), np.float32)


def _fibres(rng: np.random.Generator, side: int) -> Grey:
    """Streaks along one direction: muscle, trabeculae, reverberation."""
    noise = gaussian_filter1d(rng.normal(0, 1, (side, side)), rng.uniform(4, 14), axis=0)
    noise = gaussian_filter1d(noise, rng.uniform(0.6, 2.0), axis=1)
    if rng.random() < 0.5:
        noise = noise.T
    noise = noise / max(float(noise.std()), 1e-6) * rng.uniform(10, 35)
    return np.asarray(rng.uniform(40, 200) + noise, np.float32)


def _bones(rng: np.random.Generator, side: int) -> Grey:
    """Bright bands with sharp edges over a slow gradient, as ribs and vertebrae are."""
    yy, xx = np.mgrid[:side, :side].astype(np.float32) / side
    grey = rng.uniform(20, 120) + rng.uniform(-80, 80) * xx + rng.uniform(-80, 80) * yy
    for _ in range(int(rng.integers(2, 8))):
        bend, tilt, at = rng.uniform(-0.8, 0.8), rng.uniform(-0.7, 0.7), rng.uniform(-0.2, 1.2)
        axis = yy if rng.random() < 0.7 else xx
        other = xx if axis is yy else yy
        off = np.abs(axis - at - tilt * (other - 0.5) - bend * (other - 0.5) ** 2)
        width, soft = rng.uniform(0.01, 0.09), rng.uniform(0.002, 0.03)
        grey = grey + rng.uniform(15, 90) / (1.0 + np.exp(np.clip((off - width) / soft, -30, 30)))
    grey = grey + _field(rng, side, rng.uniform(2, 12)) * rng.uniform(0, 60)
    return np.asarray(grey + rng.normal(0, rng.uniform(0.5, 8), (side, side)), np.float32)


def shapes(draw: ImageDraw.ImageDraw, rng: np.random.Generator, side: int) -> None:
    """Draw what consoles and bodies show beside writing."""
    for _ in range(int(rng.integers(1, 5))):
        kind = _SHAPES[int(rng.integers(len(_SHAPES)))]
        kind(draw, rng, side, int(rng.integers(90, 256)) if rng.random() < 0.8 else 0)


def _place(rng: np.random.Generator, side: int) -> tuple[int, int]:
    x, y = rng.integers(-20, side, 2)
    return int(x), int(y)


def _ruler(draw: ImageDraw.ImageDraw, rng: np.random.Generator, side: int, fill: int) -> None:
    (x, y), step = _place(rng, side), int(rng.integers(4, 22))
    major, long, short = int(rng.integers(2, 11)), int(rng.integers(6, 18)), int(rng.integers(2, 7))
    lying, lined = rng.random() < 0.5, rng.random() < 0.6
    length = int(rng.integers(60, 2 * side))
    if lined:
        draw.line((x, y, x + length, y) if lying else (x, y, x, y + length), fill=fill)
    for number, at in enumerate(range(0, length, step)):
        tick = long if number % major == 0 else short
        draw.line(
            (x + at, y, x + at, y + tick) if lying else (x, y + at, x + tick, y + at), fill=fill
        )


def _mesh(draw: ImageDraw.ImageDraw, rng: np.random.Generator, side: int, fill: int) -> None:
    """Crossed struts in a row, or a zigzag: a stent, a suture, a coil."""
    (x, y), width = _place(rng, side), int(rng.integers(1, 3))
    pitch, height = int(rng.integers(4, 18)), int(rng.integers(6, 40))
    crossed, standing = rng.random() < 0.6, rng.random() < 0.4
    for number in range(int(rng.integers(4, 22))):
        at = number * pitch
        strokes = [(at, 0, at + pitch, height)]
        if crossed:
            strokes.append((at, height, at + pitch, 0))
        elif number % 2:
            strokes = [(at, height, at + pitch, 0)]
        for a, b, c, d in strokes:
            ends = (x + b, y + a, x + d, y + c) if standing else (x + a, y + b, x + c, y + d)
            draw.line(ends, fill=fill, width=width)


def _grid(draw: ImageDraw.ImageDraw, rng: np.random.Generator, side: int, fill: int) -> None:
    (x, y), step, count = _place(rng, side), int(rng.integers(6, 30)), int(rng.integers(2, 12))
    for number in range(count + 1):
        at, far = number * step, count * step
        draw.line((x, y + at, x + far, y + at), fill=fill)
        draw.line((x + at, y, x + at, y + far), fill=fill)


def _curve(draw: ImageDraw.ImageDraw, rng: np.random.Generator, side: int, fill: int) -> None:
    x, y = _place(rng, side)
    ts = np.linspace(0.0, 1.0, 40)
    across = rng.uniform(20, 250) * ts
    along = rng.uniform(2, 80) * np.sin(ts * rng.uniform(1, 30) + rng.uniform(0, 6))
    points = [(x + float(a), y + float(b)) for a, b in zip(across, along, strict=True)]
    if rng.random() < 0.5:
        points = [(b - y + x, a - x + y) for a, b in points]
    draw.line(points, fill=fill, width=int(rng.integers(1, 5)))


def _marks(draw: ImageDraw.ImageDraw, rng: np.random.Generator, side: int, fill: int) -> None:
    """Rings, crosses, arrows, dots and squares: calipers, clips, electrodes, sutures."""
    for _ in range(int(rng.integers(1, 6))):
        (x, y), r = _place(rng, side), int(rng.integers(2, 18))
        width = int(rng.integers(1, 4))
        kind = int(rng.integers(0, 6))
        if kind in (0, 1):
            draw.ellipse((x - r, y - r, x + r, y + r), outline=fill, width=width)
        if kind in (1, 2):
            reach = int(r * rng.uniform(1, 2.5))
            draw.line((x - reach, y, x + reach, y), fill=fill, width=width)
        if kind == 2:
            draw.line((x, y - r, x, y + r), fill=fill, width=width)
        if kind == 3:
            draw.line((x - r, y - r, x + r, y + r), fill=fill, width=width)
            draw.line((x - r, y + r, x + r, y - r), fill=fill, width=width)
        if kind == 4:
            draw.polygon((x, y, x + r, y + r // 2, x + r // 2, y + r), fill=fill)
        if kind == 5:
            draw.rectangle((x - r, y - r, x + 2 * r, y + r), outline=fill, width=width)


def _dots(draw: ImageDraw.ImageDraw, rng: np.random.Generator, side: int, fill: int) -> None:
    (x, y), step = _place(rng, side), float(rng.uniform(4, 20))
    angle, size = float(rng.uniform(0, 3.2)), int(rng.integers(0, 4))
    for number in range(int(rng.integers(4, 40))):
        a, b = x + number * step * np.cos(angle), y + number * step * np.sin(angle)
        draw.ellipse((a, b, a + size, b + size), fill=fill)


_SHAPES: tuple[_Drawing, ...] = (_ruler, _mesh, _mesh, _grid, _curve, _marks, _marks, _dots)
