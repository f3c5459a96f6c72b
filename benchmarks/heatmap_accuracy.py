# SPDX-License-Identifier: Apache-2.0
"""``auc_mean``, ``pointing_all``, ``pointing_smallest``, ``dice_mean``, ``ece`` of what ships.

On phantoms of seeds that neither training nor the setting of thresholds ever saw.
"""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import say
from inference.bundles import read_bundle, shipped_models
from inference.heatmap.engine import Prediction
from inference.heatmap.metrics import (
    area_under_curve,
    continuous_dice,
    expected_calibration_error,
    pointing_hit,
)
from inference.heatmap.phantom_set import PhantomSet, make_phantom_set
from inference.phantoms import FINDINGS, SeedRange

MODEL = "chest-phantom"
PHANTOMS, QUICK_PHANTOMS = 1500, 150
SMALLEST = 0.01
"""Findings that cover less of the image than this are of the smallest size."""


def test_set(*, quick: bool) -> PhantomSet:
    """The phantoms that all parts are measured on."""
    count = QUICK_PHANTOMS if quick else PHANTOMS
    say(f"making {count} phantoms")
    return make_phantom_set(SeedRange.BENCHMARK.value, count, workers=os.cpu_count() or 1)


def squares(data: PhantomSet) -> NDArray[np.float32]:
    """Squares as the network takes them."""
    return np.asarray(data.images.astype(np.float32) / np.float32(255.0))


def localization(
    maps: NDArray[np.float32], data: PhantomSet
) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Pointing game and continuous DICE, over all and per class.

    ``maps`` is ``(N, C, grid, grid)``.
    """
    hits: list[bool] = []
    areas: list[float] = []
    classes: dict[str, dict[str, float]] = {}
    for index, key in enumerate(FINDINGS):
        present = data.labels[:, index]
        truth = data.truth[present, index].astype(np.float32) / np.float32(255.0)
        pairs = list(zip(maps[present, index], truth, strict=True))
        here = [pointing_hit(m, t) for m, t in pairs]
        dice = float(np.mean([continuous_dice(m, t) for m, t in pairs]))
        hits += here
        areas += [float(t.mean()) for t in truth]
        classes[key] = {
            "pointing": round(float(np.mean(here)), 4),
            "dice": round(dice, 4),
            "mean_map": round(float(maps[present, index].mean()), 4),
            "true_area": round(float(truth.mean()), 4),
        }
    small = np.array(areas) < SMALLEST
    whole = {
        "pointing_all": round(float(np.mean(hits)), 4),
        "pointing_smallest": round(float(np.mean(np.array(hits)[small])), 4),
        "dice_mean": round(float(np.mean([c["dice"] for c in classes.values()])), 4),
        "findings": float(len(hits)),
        "findings_smallest": float(small.sum()),
    }
    return whole, classes


def measure(
    *, quick: bool, figures: dict[str, float | None], details: dict[str, object]
) -> tuple[PhantomSet, Prediction]:
    """Fill in the figures."""
    data = test_set(quick=quick)
    engine = read_bundle(shipped_models() / MODEL).engine
    seen: Prediction = engine.predict(squares(data))
    probabilities = engine.probabilities(seen.pooled)
    whole, classes = localization(seen.maps[0], data)
    columns = [(probabilities[:, c], data.labels[:, c]) for c in range(len(FINDINGS))]
    aucs = [area_under_curve(p, y) for p, y in columns]
    errors = [expected_calibration_error(p, y) for p, y in columns]
    for key, auc, error in zip(FINDINGS, aucs, errors, strict=True):
        classes[key] |= {"auc": round(auc, 4), "ece": round(error, 4)}
    figures["auc_mean"] = round(float(np.mean(aucs)), 4)
    for name in ("pointing_all", "pointing_smallest", "dice_mean"):
        figures[name] = whole[name]
    figures["ece"] = round(float(np.mean(errors)), 4)
    details["accuracy"] = {**whole, "phantoms": len(data), "classes": classes}
    say(f"accuracy: {whole}")
    return data, seen
