# SPDX-License-Identifier: Apache-2.0
"""How good probabilities and maps are. All functions take plain arrays."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]
Labels = NDArray[np.bool_]


def area_under_curve(scores: Values, labels: Labels) -> float:
    """Area under the ROC curve of ``(N,)`` scores; nan unless both kinds of labels occur.

    It is the share of pairs in which the positive scores higher, ties counted half (Mann and
    Whitney 1947). A score that is no number makes it none.
    """
    positives, negatives = scores[labels], np.sort(scores[~labels])
    if positives.size == 0 or negatives.size == 0 or np.isnan(scores).any():
        return float("nan")
    # Not by scipy.stats: loading it takes a starting service longer than all its figures.
    below = np.searchsorted(negatives, positives, "left").sum()
    not_above = np.searchsorted(negatives, positives, "right").sum()
    return float((below + not_above) / 2 / (positives.size * negatives.size))


def average_precision(scores: Values, labels: Labels) -> float:
    """Area under the precision-recall step curve; nan without a positive."""
    if not labels.any():
        return float("nan")
    hits = labels[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(hits) / np.arange(1, hits.size + 1)
    return float(precision[hits].mean())


def expected_calibration_error(scores: Values, labels: Labels, bins: int = 10) -> float:
    """Mean absolute difference of probability and frequency over equally wide bins."""
    index = np.minimum((scores * bins).astype(int), bins - 1)
    error = 0.0
    for b in range(bins):
        inside = index == b
        if inside.any():
            gap = abs(float(scores[inside].mean()) - float(labels[inside].mean()))
            error += gap * float(inside.mean())
    return error


def pointing_hit(patches: Values, truth: Values) -> bool:
    """Whether the highest of ``(H, W)`` patches lies on truth (covered share above 0)."""
    return bool(truth.reshape(-1)[int(np.argmax(patches))] > 0.0)


def continuous_dice(patches: Values, truth: Values) -> float:
    """``2·Σ(s·t) / (Σs + Σt)`` of probabilities and covered shares; 1 when both are empty."""
    total = float(patches.sum() + truth.sum())
    return 1.0 if total == 0.0 else float(2.0 * (patches * truth).sum()) / total


def best_threshold(scores: Values, labels: Labels) -> float:
    """The threshold of highest Youden index, in the middle of the gap where it lies.

    0.5 when only one kind of label occurs.
    """
    if labels.all() or not labels.any():
        return 0.5
    order = np.argsort(scores)
    ordered, hits = scores[order].astype(np.float64), labels[order]
    missed = np.cumsum(hits) / hits.sum()
    cleared = np.cumsum(~hits) / (~hits).sum()
    youden = cleared[:-1] - missed[:-1]
    # A cut between equal scores is none.
    youden = np.where(np.diff(ordered) > 0, youden, -1.0)
    cut = int(np.argmax(youden))
    return float((ordered[cut] + ordered[cut + 1]) / 2.0)


def quiet_patch_threshold(patches: Values, labels: Labels) -> float:
    """A patch threshold from global labels alone, of ``(N, H, W)`` patches and ``(N,)`` labels.

    So high that 95 % of the images without the finding show no lit patch, and at least 40 % of the
    usual peak where it is present, the share at which hot spots are outlined in nuclear medicine.
    """
    peaks = patches.max(axis=(1, 2))
    quiet = float(np.quantile(peaks[~labels], 0.95)) if not labels.all() else 0.0
    usual = float(np.median(peaks[labels])) if labels.any() else 0.0
    threshold = float(np.clip(max(quiet, 0.4 * usual), 0.01, 0.99))
    # Rounded up: rounding down could light one more image.
    return math.ceil(threshold * 1e4) / 1e4


def best_patch_threshold(patches: Values, truth: Values) -> float:
    """The threshold whose outlines overlap truth best (mean DICE), of ``(N, H, W)`` positives."""
    if len(patches) == 0:
        return 0.5
    inside = truth > 0.5
    best, found = -1.0, 0.5
    for threshold in np.linspace(0.05, 0.95, 37):
        lit = patches >= threshold
        both = (lit & inside).sum(axis=(1, 2))
        dice = float((2.0 * both / np.maximum(lit.sum((1, 2)) + inside.sum((1, 2)), 1)).mean())
        if dice > best:
            best, found = dice, float(threshold)
    return round(found, 4)
