# SPDX-License-Identifier: Apache-2.0
"""Two versions of a model on the same held-out images, for a person to decide by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from inference.bundles import Bundle
from inference.commissioning.cases import LabelledSet
from inference.commissioning.figures import Figures, measure
from inference.heatmap.metrics import area_under_curve

_RESAMPLES = 500
_SEED = 20


class Difference(BaseModel):
    """How the new version differs from the old one on a class.

    ``auc_low`` and ``auc_high`` enclose the difference of AUC with 95 % confidence (bootstrap over
    images, both versions on the same ones). ``mended`` and ``broken`` count images on which only
    the new, only the old version is right at its own threshold.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    auc: float | None
    auc_low: float | None
    auc_high: float | None
    pointing: float | None
    calibration_error: float | None
    mended: int
    broken: int

    @property
    def verdict(self) -> str:
        """``better`` or ``worse`` where the interval leaves out zero, else ``alike``."""
        if self.auc_low is None or self.auc_high is None:
            return "alike"
        if self.auc_low > 0.0:
            return "better"
        return "worse" if self.auc_high < 0.0 else "alike"


class Side(BaseModel):
    """One version."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: str
    digest: str
    figures: Figures


class Comparison(BaseModel):
    """Both versions and their differences by class."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: int
    old: Side
    new: Side
    differences: dict[str, Difference]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]


class _Run:
    """One version's answers."""

    def __init__(self, bundle: Bundle, data: LabelledSet) -> None:
        engine = bundle.engine
        self.keys: tuple[str, ...] = engine.keys
        self.figures = measure(bundle, engine, data)
        probabilities = engine.probabilities(engine.predict(data.images, data.context).pooled)
        self.probabilities = {k: probabilities[:, i] for i, k in enumerate(self.keys)}
        self.thresholds = {c.key: c.threshold for c in bundle.manifest.classes}
        manifest = bundle.manifest
        self.side = Side(
            name=manifest.name,
            version=manifest.version,
            digest=bundle.digest,
            figures=self.figures,
        )


def compare(old: Bundle, new: Bundle, data: LabelledSet, data_of_new: LabelledSet) -> Comparison:
    """Run both over the same images.

    Parameters
    ----------
    old, new:
        Bundles; classes are the same where their keys are.
    data, data_of_new:
        The same images and labels at the size and grid of each.

    Raises
    ------
    LabelledSetError
        The set labels none of the classes of one of them.
    """
    before, after = _Run(old, data), _Run(new, data_of_new)
    both = [k for k in before.figures.classes if k in after.figures.classes]
    return Comparison(
        images=len(data),
        old=before.side,
        new=after.side,
        differences={key: _difference(key, before, after, data.labels[key]) for key in both},
        only_old=tuple(k for k in before.keys if k not in after.keys),
        only_new=tuple(k for k in after.keys if k not in before.keys),
    )


def _difference(key: str, old: _Run, new: _Run, labels: NDArray[np.float32]) -> Difference:
    known = np.isfinite(labels)
    truth = labels[known] > 0.5
    was, now = old.probabilities[key][known], new.probabilities[key][known]
    right_before = (was >= old.thresholds[key]) == truth
    right_after = (now >= new.thresholds[key]) == truth
    one, other = old.figures.classes[key], new.figures.classes[key]
    low, high = _interval(was, now, truth)
    return Difference(
        auc=_less(other.auc, one.auc),
        auc_low=low,
        auc_high=high,
        pointing=_less(other.pointing, one.pointing),
        calibration_error=_less(other.calibration_error, one.calibration_error),
        mended=int((right_after & ~right_before).sum()),
        broken=int((right_before & ~right_after).sum()),
    )


def _interval(
    was: NDArray[np.float32], now: NDArray[np.float32], truth: NDArray[np.bool_]
) -> tuple[float | None, float | None]:
    """95 % of the differences over resampled images of both kinds."""
    present, absent = np.flatnonzero(truth), np.flatnonzero(~truth)
    if present.size == 0 or absent.size == 0:
        return None, None
    random = np.random.default_rng(_SEED)
    found = []
    for _ in range(_RESAMPLES):
        drawn = np.concatenate([random.choice(kind, kind.size) for kind in (present, absent)])
        differences = [area_under_curve(p[drawn], truth[drawn]) for p in (now, was)]
        found.append(differences[0] - differences[1])
    low, high = np.quantile(found, (0.025, 0.975))
    return round(float(low), 4), round(float(high), 4)


def _less(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else round(one - other, 4)
