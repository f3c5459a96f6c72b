# SPDX-License-Identifier: Apache-2.0
"""Calibration and thresholds from validation images whose labels may be unknown."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from inference.heatmap.calibration import fit_calibration
from inference.heatmap.datasets.labelled import DatasetError
from inference.heatmap.evaluation import Operating
from inference.heatmap.metrics import best_patch_threshold, best_threshold

QUIET_SHARE = 0.95
"""Of images without the finding, so many show no lit patch where no boxes say more."""


def site_operating_points(
    classes: tuple[str, ...],
    pooled: NDArray[np.float32],
    maps: NDArray[np.float32],
    labels: NDArray[np.float32],
    truth: NDArray[np.float32],
    earlier: Mapping[str, Operating] | None = None,
) -> dict[str, Operating]:
    """Calibration, threshold and patch threshold per class.

    The patch threshold overlaps boxes best where the class has any; otherwise it is the value that
    95 % of the images without the finding stay below everywhere.

    Parameters
    ----------
    classes:
        Keys.
    pooled, labels:
        ``(N, C)`` scores, and 1, 0 or nan.
    maps, truth:
        ``(N, C, grid, grid)`` finest maps and covered shares, 0 where there is no box.
    earlier:
        What stays where a class has not both kinds of labels.

    Raises
    ------
    DatasetError
        A class has not both kinds of labels, and nothing earlier.
    """
    found: dict[str, Operating] = {}
    for index, key in enumerate(classes):
        present, absent = labels[:, index] == 1.0, labels[:, index] == 0.0
        if not present.any() or not absent.any():
            if earlier is None:
                raise DatasetError(
                    f"{key}: validation needs images with and without the finding; "
                    "give more patients or take the column out"
                )
            found[key] = earlier[key]
            continue
        known = present | absent
        calibration = fit_calibration(pooled[known, index], present[known])
        probabilities = calibration.apply(pooled[known, index])
        boxed = truth[:, index].max(axis=(1, 2)) > 0.0
        if boxed.any():
            patch = best_patch_threshold(maps[boxed, index], truth[boxed, index])
        else:
            peaks = maps[absent, index].max(axis=(1, 2))
            # Rounded up: rounding down could let one more image through.
            quiet = math.ceil(float(np.quantile(peaks, QUIET_SHARE, method="higher")) * 1e4) / 1e4
            patch = min(max(quiet, 0.01), 0.99)
        found[key] = Operating(
            calibration=calibration,
            threshold=round(float(np.clip(best_threshold(probabilities, present[known]), 0, 1)), 4),
            patch_threshold=round(patch, 4),
        )
    return found
