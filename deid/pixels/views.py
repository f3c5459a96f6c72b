# SPDX-License-Identifier: Apache-2.0
"""Pictures of frames in which writing can be seen.

One window is not enough for more than 8 bits: a single outlier makes the whole range dark, and a
narrow window loses dim text. Of 8 bits an image may use one or four, which viewers stretch too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

_SAMPLED = 65536
_LOW, _HIGH = 0.5, 99.5
_DIFFERENT = 1.3
_COLOURED, _COLOURED_SHARE = 60, 0.05
_FEW_GREYS = 24
"""Difference of the brightest and the darkest value of 8 bits below which nothing can be seen."""
_NOISE_SMOOTHED = 0.8
"""Standard deviation in pixels, about the half of a thin stroke."""


def views_of(frame: NDArray[Any]) -> Iterator[NDArray[np.uint8]]:
    """8-bit pictures of a frame, ``(rows, columns)`` or ``(rows, columns, 3)``."""
    if frame.ndim == 3:
        # Coloured letters are as bright in their channel as white ones; in between they are dim.
        yield from views_of(frame.max(axis=2))
        if frame.dtype == np.uint8 and _is_colourful(frame):
            yield frame
        return
    low, high = (float(value) for value in (frame.min(), frame.max()))
    if frame.dtype == np.uint8:
        yield _windowed(frame, low, high) if 0 < high - low < _FEW_GREYS else frame
        return
    if not high > low:
        return
    sample = frame.ravel()[:: max(1, frame.size // _SAMPLED)]
    inner = tuple(float(value) for value in np.percentile(sample, (_LOW, _HIGH)))
    yield _windowed(frame, low, high)
    if (high - low) > _DIFFERENT * (inner[1] - inner[0]) > 0:
        yield _windowed(frame, *inner)
    yield from _tissue(frame, sample)


def _is_colourful(frame: NDArray[np.uint8]) -> bool:
    """Whether colours may tell letters from what is as bright around them."""
    pixels = frame.reshape(-1, 3)[:: max(1, frame.size // (3 * _SAMPLED))]
    return bool((np.ptp(pixels, axis=1) > _COLOURED).mean() > _COLOURED_SHARE)


def _tissue(frame: NDArray[Any], sample: NDArray[Any]) -> Iterator[NDArray[np.uint8]]:
    """The brighter of two kinds of pixels, without noise: text a little above tissue shows."""
    split = (float(sample.min()) + float(sample.max())) / 2.0
    for _ in range(8):
        above, below = sample[sample > split], sample[sample <= split]
        if not above.size or not below.size:
            return
        split = (float(above.mean()) + float(below.mean())) / 2.0
    tissue = sample[sample > split]
    middle = float(np.median(tissue))
    spread = 1.4826 * float(np.median(np.abs(tissue - middle)))
    if frame.ndim == 2 and spread > 0:
        smooth = gaussian_filter(frame.astype(np.float32), _NOISE_SMOOTHED)
        yield _windowed(smooth, middle - 4.0 * spread, middle + 8.0 * spread)


def _windowed(frame: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    grey = (frame.astype(np.float32) - low) * (255.0 / (high - low))
    return np.asarray(np.clip(grey, 0.0, 255.0), np.uint8)
