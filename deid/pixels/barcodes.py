# SPDX-License-Identifier: Apache-2.0
"""Finds bar codes and QR codes: they hold what nobody sees, and often the patient's number."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deid.pixels.detector import Found

_WIDER, _HIGHER = 1.3, 2.0
"""The detector marks the middle of the bars, which reach further."""


class Barcodes:
    """OpenCV's detectors, loaded when they are first asked.

    Nothing is read: a code that can't be is as telling to whoever has the right reader.
    """

    @cached_property
    def _detectors(self) -> tuple[Any, Any]:
        import cv2  # noqa: PLC0415 - only where pixels are cleaned

        return cv2.barcode.BarcodeDetector(), cv2.QRCodeDetector()

    def find(self, picture: NDArray[np.uint8]) -> list[Found]:
        """Codes of a picture, ``(rows, columns)`` or ``(rows, columns, 3)``; text is ``code``."""
        bars, squares = self._detectors
        found: list[Found] = []
        for detector, growth in ((bars, (_WIDER, _HIGHER)), (squares, (_WIDER, _WIDER))):
            some, corners = detector.detectMulti(picture)
            if some:
                found += [
                    Found(_grown(np.asarray(one, np.float32), *growth), "code") for one in corners
                ]
        return found


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
