# SPDX-License-Identifier: Apache-2.0
"""Confidence intervals (DeLong et al., Biometrics 1988; by midranks: Sun and Xu, IEEE SPL 2014)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import rankdata

_NORMAL_95 = 1.959963984540054


def auc_interval(scores: NDArray[np.float32], labels: NDArray[np.bool_]) -> tuple[float, float]:
    """95 % interval of the area under the ROC curve of ``(N,)`` scores.

    On the logit scale, so that it stays within 0..1. (nan, nan) with fewer than two of a kind; an
    area of exactly 0 or 1 has no estimable variance, and the interval's far end is then by the rule
    of three for the rarer kind.
    """
    positive, negative = scores[labels], scores[~labels]
    m, n = positive.size, negative.size
    if m < 2 or n < 2:
        return float("nan"), float("nan")
    ranks = rankdata(np.concatenate([positive, negative]))
    within_positive = (ranks[:m] - rankdata(positive)) / n
    within_negative = 1.0 - (ranks[m:] - rankdata(negative)) / m
    auc = float(within_positive.mean())
    if auc <= 0.0 or auc >= 1.0:
        margin = min(1.0, 3.0 / min(m, n))
        return (0.0, margin) if auc <= 0.0 else (1.0 - margin, 1.0)
    variance = within_positive.var(ddof=1) / m + within_negative.var(ddof=1) / n
    spread = _NORMAL_95 * float(np.sqrt(variance)) / (auc * (1.0 - auc))
    centre = float(logit(auc))
    return float(expit(centre - spread)), float(expit(centre + spread))
