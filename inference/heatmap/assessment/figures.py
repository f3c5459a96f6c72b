# SPDX-License-Identifier: Apache-2.0
"""Figures per class, of probabilities and of places."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from inference.heatmap.assessment.intervals import auc_interval
from inference.heatmap.assessment.places import intersection_over_box
from inference.heatmap.assessment.seen import Located, Seen
from inference.heatmap.evaluation import Operating
from inference.heatmap.metrics import (
    area_under_curve,
    average_precision,
    continuous_dice,
    expected_calibration_error,
    pointing_hit,
)

IOBB_THRESHOLDS = (0.1, 0.25, 0.5, 0.75, 0.9)
"""Those of the source of ChestX-ray14 (Wang et al., arXiv:1705.02315)."""


class ReliabilityBin(BaseModel):
    """Images whose probability lies in one tenth of 0..1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: int
    probability: float
    frequency: float


class PlaceFigures(BaseModel):
    """Where a class is found, over its present findings whose place is known.

    Attributes
    ----------
    findings:
        How many.
    iobb:
        By threshold, the share of findings whose detection overlaps by more than it.
    map_mean, true_area:
        Mean of the mean patch probability, and of the covered share.
    area_correlation:
        Of the two over findings; nan with fewer than three.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")

    findings: int
    pointing: float
    dice: float
    map_mean: float
    true_area: float
    area_correlation: float
    iobb: dict[str, float]


class SiteFigures(BaseModel):
    """Figures of one class; nan where they are undefined, None where no place is known.

    Attributes
    ----------
    known, positives:
        Images with a label, and of these with the finding.
    auc_interval:
        95 % (DeLong).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")

    known: int
    positives: int
    auc: float
    auc_interval: tuple[float, float]
    average_precision: float
    sensitivity: float
    specificity: float
    calibration_error: float
    reliability: tuple[ReliabilityBin, ...]
    places: PlaceFigures | None = None


class Figures(BaseModel):
    """Figures of a model on labelled images; means are over the classes that have the figure."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")

    images: int
    auc_mean: float
    ece_mean: float
    pointing_mean: float | None
    dice_mean: float | None
    classes: dict[str, SiteFigures]


def assess(seen: Seen, operating: Mapping[str, Operating]) -> Figures:
    """Figures of what a network said."""
    classes = {
        key: _class_figures(
            seen.probabilities[:, index], seen.labels[:, index], seen.located[key], operating[key]
        )
        for index, key in enumerate(seen.classes)
    }
    places = [f.places for f in classes.values() if f.places is not None]
    return Figures(
        images=len(seen.labels),
        auc_mean=_mean([f.auc for f in classes.values()]),
        ece_mean=_mean([f.calibration_error for f in classes.values()]),
        pointing_mean=_mean([p.pointing for p in places]) if places else None,
        dice_mean=_mean([p.dice for p in places]) if places else None,
        classes=classes,
    )


def _mean(values: list[float]) -> float:
    finite = [value for value in values if np.isfinite(value)]
    return round(float(np.mean(finite)), 4) if finite else float("nan")


def _share(hits: NDArray[np.bool_]) -> float:
    return float(hits.mean()) if hits.size else float("nan")


def _class_figures(
    probabilities: NDArray[np.float32],
    labels: NDArray[np.float32],
    located: list[Located],
    operating: Operating,
) -> SiteFigures:
    known = np.isfinite(labels)
    scores, truth = probabilities[known], labels[known] == 1.0
    said = scores >= operating.threshold
    low, high = auc_interval(scores, truth)
    figures = {
        "auc": area_under_curve(scores, truth),
        "average_precision": average_precision(scores, truth),
        "sensitivity": _share(said[truth]),
        "specificity": _share(~said[~truth]),
        "calibration_error": expected_calibration_error(scores, truth),
    }
    return SiteFigures(
        known=int(known.sum()),
        positives=int(truth.sum()),
        auc_interval=(round(low, 4), round(high, 4)),
        reliability=reliability(scores, truth),
        places=_place_figures(located, operating.patch_threshold) if located else None,
        **{name: round(value, 4) for name, value in figures.items()},
    )


def reliability(
    scores: NDArray[np.float32], truth: NDArray[np.bool_], bins: int = 10
) -> tuple[ReliabilityBin, ...]:
    """Probability and frequency in equally wide bins, those without images left out."""
    index = np.minimum((scores * bins).astype(int), bins - 1)
    return tuple(
        ReliabilityBin(
            images=int(inside.sum()),
            probability=round(float(scores[inside].mean()), 4),
            frequency=round(float(truth[inside].mean()), 4),
        )
        for b in range(bins)
        if (inside := index == b).any()
    )


def _place_figures(located: list[Located], threshold: float) -> PlaceFigures:
    overlaps = np.array([intersection_over_box(one.map, one.truth, threshold) for one in located])
    means = np.array([one.map.mean() for one in located])
    areas = np.array([one.truth.mean() for one in located])
    varied = len(located) > 2 and means.std() > 0 and areas.std() > 0
    figures = {
        "pointing": np.mean([pointing_hit(one.map, one.truth) for one in located]),
        "dice": np.mean([continuous_dice(one.map, one.truth) for one in located]),
        "map_mean": means.mean(),
        "true_area": areas.mean(),
        "area_correlation": np.corrcoef(means, areas)[0, 1] if varied else np.nan,
    }
    rates = {f"{t:g}": round(float((overlaps > t).mean()), 4) for t in IOBB_THRESHOLDS}
    rounded = {name: round(float(value), 4) for name, value in figures.items()}
    return PlaceFigures(findings=len(located), iobb=rates, **rounded)
