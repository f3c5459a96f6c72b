# SPDX-License-Identifier: Apache-2.0
"""Which pixels of an image hold text that must go."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deid.pixels.areas import area_of
from deid.pixels.detector import NO_HINTS, Found, TextDetector
from deid.pixels.hints import Hints
from deid.pixels.keeping import Keep, KeptLines
from deid.pixels.views import views_of

__all__ = ["Keep", "find_text", "representatives"]

_SAMPLED_FRAMES, _MOST_CUTS = 8, 4
_APART, _UNUSUAL = 4, 8.0
"""Pixels between those that are compared, and median deviations from which a change is a cut."""
_MARGIN = 2
_MOSTLY = 0.5


def find_text(
    frames: NDArray[Any],
    detector: TextDetector,
    *,
    keep: Keep | KeptLines = Keep.NOTHING,
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
        What may stay, or the lines that did at an earlier look too.
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
    kept = KeptLines(keep, frames.shape[:3]) if isinstance(keep, Keep) else keep
    text = np.zeros(before.shape, np.bool_)
    for number, frame in enumerate(frames):
        found: list[Found] = []
        for view in views_of(frame):
            picture = np.ascontiguousarray(np.rot90(view)) if turned else view
            found += detector.find(picture, hints)
        for one in kept.others(number, found, hints, turned=turned):
            area = area_of(one.corners, text.shape)
            if before[area].mean() < _MOSTLY:
                text |= area
    if text.any():
        text = _dilated(text)
    return np.asarray(np.rot90(text, -1) if turned else text)


def representatives(frames: NDArray[Any]) -> NDArray[Any]:
    """Frames to look at instead of many: the brightest and darkest values, and a few as they are.

    Text may show in some frames only: those after a cut are among the few, where another screen
    was captured or a line appears.
    """
    count = len(frames)
    if count <= _SAMPLED_FRAMES + 2:
        return frames
    spread = np.linspace(0, count - 1, _SAMPLED_FRAMES).astype(int)
    chosen = set(spread.tolist()) | _after_cuts(frames)
    return np.stack([frames.max(axis=0), frames.min(axis=0), *frames[sorted(chosen)]])


def _after_cuts(frames: NDArray[Any]) -> set[int]:
    """The frames that differ most from the one before, far more than frames of this loop do."""
    changes = np.zeros(len(frames))
    before = frames[0, ::_APART, ::_APART].astype(np.float32)
    for at in range(1, len(frames)):
        now = frames[at, ::_APART, ::_APART].astype(np.float32)
        changes[at], before = np.abs(now - before).mean(), now
    usual = float(np.median(changes[1:]))
    spread = float(np.median(np.abs(changes[1:] - usual)))
    most = np.argsort(changes)[::-1][:_MOST_CUTS]
    return {int(at) for at in most if changes[at] > usual + _UNUSUAL * spread}


def _dilated(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    import cv2  # noqa: PLC0415 - only where pixels are cleaned

    side = 2 * _MARGIN + 1
    return cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
