# SPDX-License-Identifier: Apache-2.0
"""Figures of a trained network on a labelled phantom set, class by class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from inference.heatmap.calibration import Calibration, fit_calibration
from inference.heatmap.metrics import (
    area_under_curve,
    average_precision,
    best_threshold,
    continuous_dice,
    expected_calibration_error,
    pointing_hit,
    quiet_patch_threshold,
)
from inference.heatmap.phantom_set import PhantomSet
from inference.phantoms import FINDINGS


class ClassFigures(BaseModel):
    """Held-out figures of one class.

    ``lit_present`` and ``lit_absent`` are the share of the image at or above the patch threshold
    where the class is present and absent, ``true_area`` the share that it covers where present.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    positives: int
    auc: float
    average_precision: float
    sensitivity: float
    specificity: float
    calibration_error: float
    pointing: float
    dice: float
    lit_present: float
    lit_absent: float
    true_area: float


@dataclass(frozen=True)
class Operating:
    """What is set on validation data for one class."""

    calibration: Calibration
    threshold: float
    patch_threshold: float


def set_operating_points(
    pooled: NDArray[np.float32], maps: NDArray[np.float32], data: PhantomSet
) -> dict[str, Operating]:
    """Calibration and thresholds per class from validation images and their global labels.

    Parameters
    ----------
    pooled:
        ``(N, C)`` scores.
    maps:
        ``(N, C, grid, grid)`` finest maps.
    data:
        The images' labels; their truth is not looked at.
    """
    found: dict[str, Operating] = {}
    for index, key in enumerate(FINDINGS):
        labels = data.labels[:, index]
        calibration = fit_calibration(pooled[:, index], labels)
        probabilities = calibration.apply(pooled[:, index])
        found[key] = Operating(
            calibration=calibration,
            threshold=round(best_threshold(probabilities, labels), 4),
            patch_threshold=quiet_patch_threshold(maps[:, index], labels),
        )
    return found


def evaluate(
    pooled: NDArray[np.float32],
    maps: NDArray[np.float32],
    data: PhantomSet,
    operating: dict[str, Operating],
) -> dict[str, ClassFigures]:
    """Figures per class; arguments as for :func:`set_operating_points`."""
    return {
        key: _class_figures(
            operating[key].calibration.apply(pooled[:, index]),
            maps[:, index],
            data.labels[:, index],
            data.truth[:, index].astype(np.float32) / np.float32(255.0),
            operating[key],
        )
        for index, key in enumerate(FINDINGS)
    }


def _class_figures(
    probabilities: NDArray[np.float32],
    maps: NDArray[np.float32],
    labels: NDArray[np.bool_],
    truth: NDArray[np.float32],
    operating: Operating,
) -> ClassFigures:
    present = probabilities >= operating.threshold
    lit = (maps >= operating.patch_threshold).mean(axis=(1, 2))
    pairs = list(zip(maps[labels], truth[labels], strict=True))
    figures = {
        "auc": area_under_curve(probabilities, labels),
        "average_precision": average_precision(probabilities, labels),
        "sensitivity": float(present[labels].mean()),
        "specificity": float((~present[~labels]).mean()),
        "calibration_error": expected_calibration_error(probabilities, labels),
        "pointing": float(np.mean([pointing_hit(m, t) for m, t in pairs])),
        "dice": float(np.mean([continuous_dice(m, t) for m, t in pairs])),
        "lit_present": float(lit[labels].mean()),
        "lit_absent": float(lit[~labels].mean()),
        "true_area": float(truth[labels].mean()),
    }
    return ClassFigures(positives=int(labels.sum()), **{k: round(v, 4) for k, v in figures.items()})
