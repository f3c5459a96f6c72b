# SPDX-License-Identifier: Apache-2.0
"""Finds bar codes and codes of squares: they hold what nobody sees, and often the patient's number.

Bars and QR codes by OpenCV; Data Matrix, PDF417, Aztec and their kin, as wristbands, labels and
driving licences have them, by ZXing (zxing-cpp, Apache-2.0)."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deid.pixels.detector import NO_HINTS, Found
from deid.pixels.hints import Hints

_SCALES = (1.0, 1.5)
_DETECTOR_SCALES = (0.01, 0.02, 0.04, 0.08, 0.12)
"""The detector misses bars of some widths at any one scale."""
_WIDER, _HIGHER = 1.3, 2.0
"""The detector marks the middle of the bars, which reach further."""


_MATRICES = ("DataMatrix", "Aztec", "MaxiCode", "MicroQRCode", "RMQRCode")
_STACKS = ("PDF417", "MicroPDF417")
_QUIET = 1.25
"""A position may end inside of the outermost squares."""


class Barcodes:
    """OpenCV's detectors and ZXing, loaded when they are first asked.

    What is read is not looked at: a code that can't be read is as telling to whoever has the right
    reader.
    """

    @cached_property
    def _detectors(self) -> tuple[Any, Any]:
        import cv2  # noqa: PLC0415 - only where pixels are cleaned

        bars = cv2.barcode.BarcodeDetector()
        bars.setDetectorScales(_DETECTOR_SCALES)
        # It finds squares of two pixels, and any turn; the other one needs four.
        return bars, cv2.QRCodeDetectorAruco()

    def find(self, picture: NDArray[np.uint8], hints: Hints = NO_HINTS) -> list[Found]:  # noqa: ARG002
        """Codes of a picture, ``(rows, columns)`` or ``(rows, columns, 3)``; text is ``code``."""
        import cv2  # noqa: PLC0415 - as above

        bars, squares = self._detectors
        found: list[Found] = []
        # Both may be light on dark.
        for seen in (picture, 255 - picture):
            found += _boxes(squares, seen, 1.0, (_WIDER, _WIDER))
        for scale in _SCALES:
            sized = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale), np.uint8)
            for seen in (sized, 255 - sized):
                found += _boxes(bars, seen, scale, (_WIDER, _HIGHER))
        return found + self._matrices(picture)

    def _matrices(self, picture: NDArray[np.uint8]) -> list[Found]:
        import zxingcpp  # noqa: PLC0415 - as above

        kinds: Any = zxingcpp.BarcodeFormat
        matrices, stacks = ([getattr(kinds, name) for name in of] for of in (_MATRICES, _STACKS))
        # Their corners are seen in noise; with the right checksum they are none.
        noisy = (kinds.DataMatrix, *(getattr(kinds, name) for name in _STACKS))
        read: Any = zxingcpp.read_barcodes
        colours = picture.ndim == 3
        grey = np.ascontiguousarray(picture.mean(axis=2).astype(np.uint8) if colours else picture)
        # Light on dark it finds matrices by itself, and no stacks.
        looks = ((grey, [*matrices, *stacks]), (255 - grey, stacks))
        return [
            Found(_grown(_corners(code.position), _QUIET, _QUIET), "code")
            for seen, formats in looks
            for code in read(seen, formats=formats, return_errors=True)
            if code.valid or code.format not in noisy
        ]


def _corners(position: Any) -> NDArray[np.float32]:
    around = (
        position.top_left, position.top_right, position.bottom_right, position.bottom_left,
    )  # fmt: skip
    return np.array([(corner.x, corner.y) for corner in around], np.float32)


def _boxes(
    detector: Any, picture: NDArray[np.uint8], scale: float, growth: tuple[float, float]
) -> list[Found]:
    some, corners = detector.detectMulti(picture)
    if not some:
        return []
    return [Found(_grown(np.asarray(one, np.float32) / scale, *growth), "code") for one in corners]


def _grown(corners: NDArray[np.float32], wider: float, higher: float) -> NDArray[np.float32]:
    """A box grown around its middle, along its long and its short side."""
    middle = corners.mean(axis=0)
    sides = corners[1] - corners[0], corners[2] - corners[1]
    long, short = sorted(sides, key=lambda side: -float(np.linalg.norm(side)))
    axes = [side / max(float(np.linalg.norm(side)), 1e-6) for side in (long, short)]
    grown = middle.copy() + np.zeros_like(corners)
    for axis, by in zip(axes, (wider, higher), strict=True):
        grown += np.outer((corners - middle) @ axis, axis) * by
    return np.asarray(grown, np.float32)
