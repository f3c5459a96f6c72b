# SPDX-License-Identifier: Apache-2.0
"""What a loaded model achieves on a small labelled set."""

from __future__ import annotations

import math
import time
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from inference.bundles import Bundle
from inference.commissioning.cases import LabelledSet, LabelledSetError, folder_set, phantom_set
from inference.commissioning.criteria import CommissioningSet, Criteria
from inference.heatmap.context import ALONE, Context
from inference.heatmap.engine import Prediction
from inference.heatmap.metrics import (
    area_under_curve,
    average_precision,
    continuous_dice,
    expected_calibration_error,
    pointing_hit,
)

_TIMED = 5


class Engine(Protocol):
    """What is needed of a loaded model."""

    keys: tuple[str, ...]

    @property
    def input_size(self) -> int:
        """Side of the squares it takes."""

    def predict(self, images: NDArray[np.float32], context: Context = ALONE) -> Prediction:
        """Maps and pooled scores."""

    def probabilities(self, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
        """Calibrated probabilities."""


class ClassFigures(BaseModel):
    """Figures of one class; None where the set does not tell."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: int
    positives: int
    auc: float | None
    average_precision: float | None
    calibration_error: float
    sensitivity: float | None
    specificity: float | None
    located: int
    pointing: float | None
    dice: float | None


class Figures(BaseModel):
    """Figures of a model on one set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: int
    auc: float | None
    pointing: float | None
    calibration_error: float | None
    milliseconds: float
    classes: dict[str, ClassFigures]

    def failures(self, criteria: Criteria) -> list[str]:
        """Which criteria are not met, in words; a figure that could not be measured meets none."""
        checks = (
            ("AUC", self.auc, criteria.minimum_auc, 1.0),
            ("pointing game", self.pointing, criteria.minimum_pointing, 1.0),
            ("calibration error", self.calibration_error, criteria.maximum_calibration_error, -1.0),
            ("milliseconds per image", self.milliseconds, criteria.maximum_milliseconds, -1.0),
        )
        return [
            _words(name, found, limit, sign)
            for name, found, limit, sign in checks
            if limit is not None and (found is None or not sign * found >= sign * limit)
        ]


def _words(name: str, found: float | None, limit: float, sign: float) -> str:
    if found is None:
        return f"{name} can't be measured on its set"
    return f"{name} {found:.3g}, {'at least' if sign > 0 else 'at most'} {limit:.3g} is required"


def commissioning_set(bundle: Bundle, engine: Engine, of: CommissioningSet) -> LabelledSet:
    """Make or read the set that a bundle's criteria name.

    Raises
    ------
    LabelledSetError
        It can't be read.
    """
    grid = bundle.manifest.grids[0]
    if of.folder:
        return folder_set(bundle.folder / of.folder, engine.input_size, grid)
    return phantom_set(of.first_seed, of.phantoms, engine.input_size, grid)


def measure(bundle: Bundle, engine: Engine, data: LabelledSet) -> Figures:
    """Run a model over a labelled set.

    Raises
    ------
    LabelledSetError
        The set labels none of the model's classes.
    """
    keys = data.known(engine.keys)
    if not keys:
        raise LabelledSetError("the set labels none of the model's classes")
    seen = engine.predict(data.images, data.context)
    probabilities = engine.probabilities(seen.pooled)
    thresholds = {c.key: c.threshold for c in bundle.manifest.classes}
    classes = {}
    for key in keys:
        index = engine.keys.index(key)
        pairs = [(seen.maps[0][n, index], t) for n, t in data.truth.get(key, {}).items()]
        classes[key] = _class_figures(
            probabilities[:, index], data.labels[key], thresholds[key], pairs
        )
    return Figures(
        images=len(data),
        auc=_mean([c.auc for c in classes.values()]),
        pointing=_pooled_pointing(classes),
        calibration_error=_mean([c.calibration_error for c in classes.values()]),
        milliseconds=_milliseconds(engine, data),
        classes=classes,
    )


def _class_figures(
    probabilities: NDArray[np.float32],
    labels: NDArray[np.float32],
    threshold: float,
    pairs: list[tuple[NDArray[np.float32], NDArray[np.float32]]],
) -> ClassFigures:
    known = np.isfinite(labels)
    p, present = probabilities[known], labels[known] > 0.5
    said = p >= threshold
    return ClassFigures(
        images=int(known.sum()),
        positives=int(present.sum()),
        auc=_number(area_under_curve(p, present)),
        average_precision=_number(average_precision(p, present)),
        calibration_error=round(expected_calibration_error(p, present), 4),
        sensitivity=_number(float(said[present].mean())) if present.any() else None,
        specificity=_number(float((~said[~present]).mean())) if not present.all() else None,
        located=len(pairs),
        pointing=_mean([float(pointing_hit(m, t)) for m, t in pairs]),
        dice=_mean([continuous_dice(m, t) for m, t in pairs]),
    )


def _pooled_pointing(classes: dict[str, ClassFigures]) -> float | None:
    """Share of all located findings, whatever their class."""
    hits = [(c.located, c.pointing) for c in classes.values() if c.pointing is not None]
    total = sum(count for count, _ in hits)
    return round(sum(count * share for count, share in hits) / total, 4) if total else None


def _milliseconds(engine: Engine, data: LabelledSet) -> float:
    """Median of single images; the whole set went before, so nothing is cold."""
    times = []
    for image in data.images[:_TIMED]:
        started = time.perf_counter()
        engine.predict(image[None])
        times.append(1000.0 * (time.perf_counter() - started))
    return round(float(np.median(times)), 2)


def _mean(values: list[float | None] | list[float]) -> float | None:
    given = [value for value in values if value is not None]
    return round(float(np.mean(given)), 4) if given else None


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
