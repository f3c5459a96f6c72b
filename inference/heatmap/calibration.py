# SPDX-License-Identifier: Apache-2.0
"""From a pooled score to a probability that means what it says (Platt scaling, one per class)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

_EDGE = 1e-4


class Calibration(BaseModel):
    """``probability = sigmoid(slope · logit(pooled) + offset)``; monotone, since slope > 0."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slope: float = Field(gt=0.0)
    offset: float

    def apply(self, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
        """Calibrated probabilities of pooled scores, any shape."""
        # Here: who reads a manifest for its words loads no SciPy.
        from scipy.special import expit, logit  # noqa: PLC0415

        score = logit(np.clip(pooled.astype(np.float64), _EDGE, 1.0 - _EDGE))
        return np.asarray(expit(self.slope * score + self.offset), dtype=np.float32)


def fit_calibration(pooled: NDArray[np.float32], labels: NDArray[np.bool_]) -> Calibration:
    """Fit by maximum likelihood on held-out ``(N,)`` scores, with Platt's smoothed targets."""
    # Looked up here: a service applies calibrations, and would import this at every start.
    from scipy.optimize import minimize  # noqa: PLC0415
    from scipy.special import logit  # noqa: PLC0415

    score = logit(np.clip(pooled.astype(np.float64), _EDGE, 1.0 - _EDGE))
    positive = int(labels.sum())
    negative = labels.size - positive
    high, low = (positive + 1.0) / (positive + 2.0), 1.0 / (negative + 2.0)
    target = np.where(labels, high, low)

    def loss(parameters: NDArray[np.float64]) -> float:
        z = np.exp(parameters[0]) * score + parameters[1]
        return float(np.mean(np.logaddexp(0.0, z) - target * z))

    found = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"maxiter": 2000})
    slope = float(np.clip(np.exp(found.x[0]), 1e-2, 1e2))
    return Calibration(slope=round(slope, 6), offset=round(float(found.x[1]), 6))
