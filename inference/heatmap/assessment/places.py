# SPDX-License-Identifier: Apache-2.0
"""Whether a detection lies on a finding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label, maximum


def intersection_over_box(
    patches: NDArray[np.float32], truth: NDArray[np.float32], threshold: float
) -> float:
    """Share of the detected bounding box that the finding covers (IoBB, arXiv:1705.02315).

    The detection is the connected region at or above ``threshold`` with the highest patch; 0 where
    no patch reaches it. ``patches`` and ``truth`` are ``(grid, grid)``.
    """
    regions, count = label(patches >= threshold)
    if count == 0:
        return 0.0
    peaks = maximum(patches, regions, np.arange(1, count + 1))
    box = find_objects(regions)[int(np.argmax(peaks))]
    return float(truth[box].mean())
