# SPDX-License-Identifier: Apache-2.0
"""What of a volume is the patient, and what is air."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_fill_holes, binary_opening, label

from deid.faces.grid import Mask, Volume

CT_SKIN = -400.0
"""Hounsfield units half way between air and skin."""
_BINS = 256


def threshold_of(volume: Volume, modality: str) -> float:
    """The value that parts air from tissue.

    CT has one; for MR the threshold of Otsu (IEEE Trans. SMC 9:62, 1979), lowered by half since
    what it parts is dark and bright tissue as much as air and tissue.
    """
    if modality == "CT":
        return CT_SKIN
    values = volume.values.ravel()
    low, high = np.percentile(values, (1.0, 98.0))
    clipped = np.clip(values, low, high)
    return float(low + 0.5 * (otsu(clipped) - low))


def otsu(values: NDArray[np.float32]) -> float:
    """The value that parts two classes of values best."""
    counts, edges = np.histogram(values, bins=_BINS)
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * middles)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(middles[int(np.nanargmax(between))])


def body_of(volume: Volume, threshold: float) -> Mask:
    """The largest thing above the threshold, its holes filled slice by slice in all directions.

    What hangs on it by less than 6 mm, such as a headrest's cover or a tube, is no part of it; what
    stands out from it by less than that, such as a wing of the nose, is.
    """
    # Filled first: a thin scalp alone would not outlast what takes the tubes away.
    solid = filled(volume.values > threshold)
    parts, count = label(binary_opening(solid, np.ones((1, 3, 3), np.bool_)))
    if not count:
        return np.zeros(solid.shape, np.bool_)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    largest = parts == int(np.argmax(sizes))
    return filled(binary_dilation(largest, iterations=3, mask=solid))


def filled(body: Mask) -> Mask:
    """The mask without what is closed in by it in a slice of any of the three directions."""
    whole = body.copy()
    for axis in range(3):
        for at in range(body.shape[axis]):
            where = (slice(None),) * axis + (at,)
            whole[where] |= binary_fill_holes(body[where])
    return whole
