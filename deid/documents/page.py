# SPDX-License-Identifier: Apache-2.0
"""Whether pixels show a page: bright paper, and dark writing on it in rows.

A form that was scanned into a secondary capture most often says so nowhere in its header.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_LARGEST_SIDE = 2400
_PAPER, _INK = 0.8, 0.5
"""Of the way from the darkest to the paper's level: at least so bright is paper, below is ink."""
_LEAST_PAPER = 0.6
_MOST_BETWEEN = 0.12
"""Share of neither paper nor ink: radiographs have much, writing the rims of its letters."""
_LEAST_INK, _MOST_INK = 0.002, 0.25
_STRIPS = 8
_LEAST_ROWS = 4
_TALLEST_ROW = 0.08
"""Share of the height that a row of writing may have."""


def looks_like_page(frames: NDArray[Any], photometric: str) -> bool:
    """Whether one of the first frames is a page.

    Parameters
    ----------
    frames:
        ``(frames, rows, columns)`` or ``(frames, rows, columns, 3)``, as decoded.
    photometric:
        Photometric Interpretation (0028,0004) of ``frames``.
    """
    return any(_is_page(_brightness(frame, photometric)) for frame in frames[:3])


def _brightness(frame: NDArray[Any], photometric: str) -> NDArray[np.float32]:
    """The frame as displayed, 0 dark to 1 as bright as its paper."""
    step = max(1, -(-max(frame.shape[:2]) // _LARGEST_SIDE))
    grey = frame[::step, ::step].astype(np.float32)
    if grey.ndim == 3:
        grey = grey.mean(axis=2)
    if photometric == "MONOCHROME1":
        grey = -grey
    # Single hot or dead pixels are no level of the picture.
    dark, paper = np.percentile(grey, (0.1, 90.0))
    if paper <= dark:
        return np.zeros(grey.shape, np.float32)
    return np.asarray((grey - dark) / (paper - dark), np.float32)


def _is_page(brightness: NDArray[np.float32]) -> bool:
    if min(brightness.shape) < _STRIPS:
        return False
    ink = brightness < _INK
    paper = float((brightness >= _PAPER).mean())
    if paper < _LEAST_PAPER or 1.0 - paper - float(ink.mean()) > _MOST_BETWEEN:
        return False
    if not _LEAST_INK <= float(ink.mean()) <= _MOST_INK:
        return False
    # In strips, so that a page which lies askew keeps its blank rows; writing may fill a few only.
    strips = np.array_split(ink, _STRIPS, axis=1)
    return sum(_has_rows(strip) for strip in strips) >= 2


def _has_rows(strip: NDArray[np.bool_]) -> bool:
    """Whether inked and blank rows take turns, and the inked ones are broken as letters are."""
    inked = strip.any(axis=1)
    edges = np.diff(np.concatenate(([0], inked.astype(np.int8), [0])))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    heights = ends - starts
    rows = [
        strip[start:end]
        for start, end, height in zip(starts, ends, heights, strict=True)
        if 4 <= height <= max(4, _TALLEST_ROW * strip.shape[0])
    ]
    return sum(_is_written(row) for row in rows) >= _LEAST_ROWS


def _is_written(row: NDArray[np.bool_]) -> bool:
    """Letters change from ink to paper several times along the line; a ruled line does not."""
    changes = np.abs(np.diff(row.astype(np.int8), axis=1)).sum(axis=1)
    return float(changes.max(initial=0)) >= 6 and float(row.mean()) < 0.6
