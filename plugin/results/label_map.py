# SPDX-License-Identifier: AGPL-3.0-or-later
"""All findings of one image in one frame: each pixel has the number of one segment, or 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from plugin.results.bands import hot_window, limits
from plugin.results.scan_result import ImageResult


def labels(
    image: ImageResult, numbers: Mapping[tuple[str, float], int], fractions: Sequence[float]
) -> NDArray[np.uint8]:
    """Segment numbers, ``(rows, columns)``.

    Where findings overlap a pixel belongs to the one that is most probable there.

    Args:
        image: with its located findings.
        numbers: segment number of each finding's key and band's lower limit.
        fractions: see ``ResultOptions.bands``.
    """
    source = image.source
    drawn = np.zeros((source.rows, source.columns), np.uint8)
    highest = np.zeros((source.rows, source.columns), np.float32)
    for located in image.located:
        window = hot_window(located, source.rows, source.columns)
        if window is None:
            continue
        edges = limits(located.finding.patch_threshold, fractions)[:-1]
        known = [0, *(numbers.get((located.finding.key, edge), 0) for edge in edges)]
        values = located.field.sample(window.x, window.y)
        band = np.searchsorted(np.array(edges, np.float32), values, side="right")
        place = (slice(window.top, window.bottom), slice(window.left, window.right))
        wins = (band > 0) & (values > highest[place])
        drawn[place][wins] = np.array(known, np.uint8)[band[wins]]
        highest[place][wins] = values[wins]
    return drawn
