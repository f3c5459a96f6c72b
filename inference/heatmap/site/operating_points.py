# SPDX-License-Identifier: Apache-2.0
"""Calibration and thresholds from validation images whose labels may be unknown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference.heatmap.calibration import Calibration, fit_calibration
from inference.heatmap.correlations import Correlations, fit_correlations
from inference.heatmap.datasets.labelled import DatasetError
from inference.heatmap.evaluation import Operating
from inference.heatmap.metrics import best_patch_threshold, best_threshold

QUIET_SHARE = 0.95
"""Of images without the finding, so many show no lit patch where no boxes say more."""


class Known(NamedTuple):
    """What is known of ``N`` images.

    Attributes
    ----------
    labels:
        ``(N, C)``: 1, 0 or nan.
    truth:
        ``(N, C, grid, grid)`` covered shares, 0 where there is no box.
    """

    labels: NDArray[np.float32]
    truth: NDArray[np.float32]


def site_operating_points(
    classes: tuple[str, ...],
    pooled: NDArray[np.float32],
    maps: NDArray[np.float32],
    known: Known,
    earlier: Mapping[str, Operating] | None = None,
    *,
    correlated: bool = False,
) -> tuple[dict[str, Operating], Correlations | None]:
    """Calibration, threshold and patch threshold per class, and correlations if asked for.

    The patch threshold overlaps boxes best where the class has any; otherwise it is the value that
    95 % of the images without the finding stay below everywhere.

    Parameters
    ----------
    classes:
        Keys.
    pooled:
        ``(N, C)`` scores.
    maps:
        ``(N, C, grid, grid)`` finest maps.
    known:
        What is known of the same images.
    earlier:
        What stays where a class has not both kinds of labels.
    correlated:
        Whether classes move each other; thresholds are for the moved probabilities then.

    Raises
    ------
    DatasetError
        A class has not both kinds of labels, and nothing earlier.
    """
    calibrations = _calibrations(classes, pooled, known.labels, earlier)
    columns = [calibrations[key].apply(pooled[:, index]) for index, key in enumerate(classes)]
    probabilities = np.stack(columns, axis=1)
    correlations = fit_correlations(probabilities, known.labels) if correlated else None
    if correlations is not None:
        probabilities = correlations.apply(probabilities)
    found: dict[str, Operating] = {}
    for index, key in enumerate(classes):
        labels = known.labels[:, index]
        if earlier is not None and not _both_kinds(labels):
            found[key] = earlier[key]
            continue
        found[key] = Operating(
            calibration=calibrations[key],
            threshold=_threshold(probabilities[:, index], labels),
            patch_threshold=_patch_threshold(maps[:, index], labels, known.truth[:, index]),
        )
    return found, correlations


def _both_kinds(labels: NDArray[np.float32]) -> bool:
    return bool((labels == 1.0).any() and (labels == 0.0).any())


def _calibrations(
    classes: tuple[str, ...],
    pooled: NDArray[np.float32],
    labels: NDArray[np.float32],
    earlier: Mapping[str, Operating] | None,
) -> dict[str, Calibration]:
    found: dict[str, Calibration] = {}
    for index, key in enumerate(classes):
        known = np.isfinite(labels[:, index])
        if _both_kinds(labels[:, index]):
            found[key] = fit_calibration(pooled[known, index], labels[known, index] == 1.0)
        elif earlier is not None:
            found[key] = earlier[key].calibration
        else:
            raise DatasetError(
                f"{key}: validation needs images with and without the finding; "
                "give more patients or take the column out"
            )
    return found


def _threshold(probabilities: NDArray[np.float32], labels: NDArray[np.float32]) -> float:
    known = np.isfinite(labels)
    best = best_threshold(probabilities[known], labels[known] == 1.0)
    return round(float(np.clip(best, 0, 1)), 4)


def _patch_threshold(
    maps: NDArray[np.float32], labels: NDArray[np.float32], truth: NDArray[np.float32]
) -> float:
    boxed = truth.max(axis=(1, 2)) > 0.0
    if boxed.any():
        return round(best_patch_threshold(maps[boxed], truth[boxed]), 4)
    peaks = maps[labels == 0.0].max(axis=(1, 2))
    # Rounded up: rounding down could let one more image through.
    quiet = math.ceil(float(np.quantile(peaks, QUIET_SHARE, method="higher")) * 1e4) / 1e4
    return round(min(max(quiet, 0.01), 0.99), 4)
