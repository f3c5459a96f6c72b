# SPDX-License-Identifier: Apache-2.0
"""Which pixels of an image hold text that must go."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from deid.pixels.detector import NO_HINTS, Found, TextDetector
from deid.pixels.hints import Hints
from deid.pixels.views import views_of
from deid.vocabulary import folded, words_of

_SAMPLED_FRAMES = 8
_MARGIN = 2
_MOSTLY = 0.5
_LETTER = 0.8
# What a keep-list may hold: side, projection, scale and depth. All of the line must be that.
_KEPT = re.compile(
    r"(?:[LR]|LEFT|RIGHT|[LR] ?(?:CC|MLO|ML|LM|AP|PA|LAT)|AP|PA|LAT|SUPINE|PRONE|ERECT|PORTABLE"
    r"|\d{1,3}(?:[.,]\d{1,2})? ?(?:CM|MM|HZ|MHZ|%|DB|FPS|KV|MAS))",
    re.IGNORECASE,
)


class Keep(StrEnum):
    """What text may stay."""

    NOTHING = "nothing"
    TECHNICAL = "technical"
    """Laterality, projection, scale and depth, where that is all that the line says."""


def find_text(
    frames: NDArray[Any],
    detector: TextDetector,
    *,
    keep: Keep = Keep.NOTHING,
    hints: Hints = NO_HINTS,
    covered: NDArray[np.bool_] | None = None,
    turned: bool = False,
) -> NDArray[np.bool_]:
    """Pixels that text covers, ``(rows, columns)``: of all frames together.

    Parameters
    ----------
    frames:
        ``(frames, rows, columns)`` or ``(frames, rows, columns, 3)``; see ``representatives`` for
        many.
    keep:
        What may stay.
    hints:
        What is known of the image; a line that holds a denied word never stays.
    covered:
        ``(rows, columns)``, what was masked: a mask itself can look like a stroke, so what lies on
        it for the most part is not text.
    turned:
        Look at the image turned by a right angle, in which other lines stand upright.
    """
    before = np.zeros(frames.shape[1:3], np.bool_) if covered is None else covered
    before = np.rot90(before) if turned else before
    hints = hints.turned() if turned else hints
    text = np.zeros(before.shape, np.bool_)
    for frame in frames:
        for view in views_of(frame):
            picture = np.ascontiguousarray(np.rot90(view)) if turned else view
            for found in detector.find(picture, hints):
                if not _may_stay(found, keep, hints):
                    area = area_of(found.corners, text.shape)
                    if before[area].mean() < _MOSTLY:
                        text |= area
    if text.any():
        text = _dilated(text)
    return np.asarray(np.rot90(text, -1) if turned else text)


def representatives(frames: NDArray[Any]) -> NDArray[Any]:
    """Frames to look at instead of many: the brightest and darkest values, and a few as they are.

    Text may show in some frames only.
    """
    count = len(frames)
    if count <= _SAMPLED_FRAMES + 2:
        return frames
    chosen = np.linspace(0, count - 1, _SAMPLED_FRAMES).astype(int)
    return np.stack([frames.max(axis=0), frames.min(axis=0), *frames[chosen]])


def _dilated(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    import cv2  # noqa: PLC0415 - only where pixels are cleaned

    side = 2 * _MARGIN + 1
    return cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)) > 0


def _may_stay(found: Found, keep: Keep, hints: Hints) -> bool:
    if keep is Keep.NOTHING or not _KEPT.fullmatch(found.text):
        return False
    # Readers lose the spaces between words.
    read = folded("".join(words_of(found.text)))
    return not any(word in read for word in hints.denied) and not hints.is_denied(read)


def _lengthened(corners: NDArray[np.float32]) -> NDArray[np.float32]:
    """A box with most of a letter more at both ends of its line.

    Detectors lose first and last letters where the ground below them changes.
    """
    along, across = corners[1] - corners[0], corners[3] - corners[0]
    long, short = float(np.linalg.norm(along)), float(np.linalg.norm(across))
    if short > long:
        corners = np.roll(corners, -1, axis=0)
        along, long, short = across, short, long
    if long <= 0.0:
        return corners
    # From the second corner back to the first, and from the third on to the fourth.
    step = along / long * (-_LETTER * short)
    return np.asarray(corners + np.stack([step, -step, -step, step]), np.float32)


def area_of(corners: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The pixels of a picture of ``shape`` that a line covers, its ends included."""
    picture = Image.new("1", (shape[1], shape[0]))
    ImageDraw.Draw(picture).polygon([(float(x), float(y)) for x, y in _lengthened(corners)], fill=1)
    return np.asarray(picture)
