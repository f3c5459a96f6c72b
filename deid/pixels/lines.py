# SPDX-License-Identifier: Apache-2.0
"""Finds lines of writing with a small network of our own; what they say it doesn't know.

The network marks the middle of every line, as DB does (Liao et al., arXiv:1911.08947); how it was
made stands in data/README.md beside its weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

WEIGHTS = Path(__file__).parent / "data" / "lines.onnx"
STRIDE = 2
"""Pixels of the picture per pixel of the network's map."""
SHRUNK = 0.2
"""Share of a line's height that its marked middle lacks on each side where the network learns."""
_POSSIBLE = 0.3
_LEVELS, _LEAST_SIDE = 4, 48
"""The network knows letters of up to 30 pixels; larger ones are so in a smaller picture."""
_MULTIPLE = 16
_TILE, _OVERLAP = 1024, 64
_SOLID, _PIECES, _FEWEST = 0.5, 3, 24
"""Share of its box that a line fills; what fills less, such as an angle, is boxed in pieces."""
_GROWN, _ROUNDING = 0.15, 1.0
"""Share of a middle's height, and pixels, by which the box grows on each side. The map is a little
wider than what was marked, as it prefers too much to too little."""


class Line(NamedTuple):
    """Where a line of writing may be.

    Attributes
    ----------
    corners:
        ``(4, 2)`` x and y in pixels; from the first to the second is the way that most goes right.
    sure:
        The network's probability, of the best half of the line's middle.
    level:
        In the picture halved how often it was found.
    """

    corners: NDArray[np.float32]
    sure: float
    level: int


class LineFinder:
    """The network, loaded when it is first asked.

    Parameters
    ----------
    threads:
        Of the network.
    weights:
        An ONNX file, from ``(1, 1, rows, columns)`` in 0 to 1 to a map of ``STRIDE``.
    """

    def __init__(self, threads: int = 1, weights: Path = WEIGHTS) -> None:
        self._threads, self._weights = threads, weights

    @cached_property
    def _session(self) -> Any:
        # Looked up here: a run that finds no pixel data loads no network.
        import onnxruntime  # noqa: PLC0415

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = self._threads
        # Pictures differ in size: an arena that keeps the largest is never given back.
        options.enable_cpu_mem_arena = False
        return onnxruntime.InferenceSession(
            str(self._weights), options, providers=["CPUExecutionProvider"]
        )

    def find(self, picture: NDArray[np.uint8]) -> list[Line]:
        """Possible lines of a grey picture, ``(rows, columns)``, letters of 7 to 240 pixels."""
        import cv2  # noqa: PLC0415 - as above

        found: list[Line] = []
        for level in range(_LEVELS):
            if level and min(picture.shape) < 2 * _LEAST_SIDE:
                break
            if level:
                size = (picture.shape[1] // 2, picture.shape[0] // 2)
                picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
            found += _lines(self._map(picture), level)
        return found

    def _map(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The network's map, ``(rows, columns)`` each divided by ``STRIDE`` and rounded up."""
        rows, columns = picture.shape
        whole = np.zeros((-(-rows // STRIDE), -(-columns // STRIDE)), np.float32)
        for top in range(0, rows, _TILE):
            for left in range(0, columns, _TILE):
                above, before = min(top, _OVERLAP), min(left, _OVERLAP)
                seen = picture[
                    top - above : top + _TILE + _OVERLAP, left - before : left + _TILE + _OVERLAP
                ]
                part = self._seen(seen)[above // STRIDE :, before // STRIDE :]
                into = whole[
                    top // STRIDE : (top + _TILE) // STRIDE,
                    left // STRIDE : (left + _TILE) // STRIDE,
                ]
                into[:] = part[: into.shape[0], : into.shape[1]]
        return whole

    def _seen(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        rows, columns = (-(-side // _MULTIPLE) * _MULTIPLE for side in picture.shape)
        padded = np.zeros((1, 1, rows, columns), np.float32)
        padded[0, 0, : picture.shape[0], : picture.shape[1]] = picture
        padded *= np.float32(1.0 / 255.0)
        (answer,) = self._session.run(None, {"picture": padded})
        return np.asarray(answer[0, 0], np.float32)


def _lines(probable: NDArray[np.float32], level: int) -> Iterator[Line]:
    import cv2  # noqa: PLC0415 - as above

    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        np.asarray(probable > _POSSIBLE, np.uint8)
    )
    for number in range(1, count):
        left, top, width, height, _ = stats[number]
        here = labels[top : top + height, left : left + width] == number
        rows, columns = np.nonzero(here)
        values = np.sort(probable[top : top + height, left : left + width][here])
        sure = float(values[len(values) // 2 :].mean())
        points = np.stack([columns + left, rows + top], axis=1).astype(np.float32)
        for corners in _boxes(points, _PIECES):
            yield Line(_scaled(corners, level), sure, level)


def _boxes(points: NDArray[np.float32], pieces: int) -> Iterator[NDArray[np.float32]]:
    """Boxes around the pixels of a middle, grown to the line's height."""
    import cv2  # noqa: PLC0415 - as above

    middle, sides, angle = cv2.minAreaRect(points)
    wide, high = sides[0] + 1.0, sides[1] + 1.0
    if pieces and len(points) >= _FEWEST and len(points) < _SOLID * wide * high:
        away = points - points.mean(axis=0)
        along = away @ np.linalg.svd(away, full_matrices=False)[2][0]
        for half in (points[along < 0], points[along >= 0]):
            if len(half):
                yield from _boxes(half, pieces - 1)
        return
    grown = 2.0 * (_GROWN * min(wide, high) + _ROUNDING / STRIDE)
    box = cv2.boxPoints((middle, (wide + grown, high + grown), angle))
    yield _rightwards(np.asarray(box, np.float32))


def _rightwards(box: NDArray[np.float32]) -> NDArray[np.float32]:
    """The corners from the one on whose way to the next most goes right."""
    steps = np.roll(box, -1, axis=0) - box
    directions = steps[:, 0] / np.maximum(np.linalg.norm(steps, axis=1), 1e-6)
    return np.roll(box, -int(directions.argmax()), axis=0)


def _scaled(corners: NDArray[np.float32], level: int) -> NDArray[np.float32]:
    """From pixels of the map to pixels of the picture; both count from the middle of a pixel."""
    scale = STRIDE * 2**level
    return np.asarray((corners + 0.5) * scale - 0.5, np.float32)
