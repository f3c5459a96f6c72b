# SPDX-License-Identifier: Apache-2.0
"""What the other classes say about a class, learned from the labels of held-out images.

A class's calibrated probability is moved on the log-odds scale by the other classes' calibrated
probabilities, each measured from its mean::

    logit p'_c = logit p_c + b_c + sum over d of w_cd (p_d - m_d)

This is one step of a pairwise model of the labels given the images. Weights are fitted class by
class (penalized maximum likelihood), so that labels unknown for one class do not hinder another.
Patch probabilities stay as they are: a correlation says that a finding is more probable, not where.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

_EDGE = 1e-4
_PENALTY = 2.0
"""Of the squared weights, in images: few images of a pair of classes say little about it."""
_LEAST = 10
"""Images of either kind below which a class is left as it is."""


class Correlations(BaseModel):
    """Weights between ``C`` classes, in their order; the diagonal is 0."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    means: tuple[float, ...]
    offsets: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...] = Field(description="row: class that is moved")

    @model_validator(mode="after")
    def _square(self) -> Correlations:
        count = len(self.means)
        if {len(self.offsets), len(self.weights), *map(len, self.weights)} != {count}:
            raise ValueError("means, offsets and weights must have one entry per class")
        if any(row[index] for index, row in enumerate(self.weights)):
            raise ValueError("a class has no weight on itself")
        return self

    def apply(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """``(N, C)`` calibrated probabilities, moved by each other."""
        # Here: who reads a manifest for its words loads no SciPy.
        from scipy.special import expit, logit  # noqa: PLC0415

        clipped = np.clip(probabilities.astype(np.float64), _EDGE, 1.0 - _EDGE)
        others = (probabilities - np.array(self.means)) @ np.array(self.weights).T
        moved = expit(logit(clipped) + np.array(self.offsets) + others)
        return np.asarray(moved, dtype=np.float32)


def fit_correlations(
    probabilities: NDArray[np.float32], labels: NDArray[np.float32]
) -> Correlations:
    """Fit on held-out images.

    Parameters
    ----------
    probabilities:
        ``(N, C)``, calibrated.
    labels:
        ``(N, C)``: 1, 0 or nan (unknown).
    """
    count = probabilities.shape[1]
    means = probabilities.mean(axis=0, dtype=np.float64)
    weights, offsets = np.zeros((count, count)), np.zeros(count)
    for index in range(count):
        known = np.isfinite(labels[:, index])
        truth = labels[known, index] == 1.0
        if min(int(truth.sum()), int((~truth).sum())) < _LEAST:
            continue
        others = np.delete(np.arange(count), index)
        offsets[index], weights[index, others] = _fit(
            probabilities[known, index], (probabilities[known] - means)[:, others], truth
        )
    return Correlations(
        means=tuple(np.round(means, 6).tolist()),
        offsets=tuple(np.round(offsets, 6).tolist()),
        weights=tuple(tuple(row) for row in np.round(weights, 6).tolist()),
    )


def _fit(
    own: NDArray[np.float32], others: NDArray[np.float64], truth: NDArray[np.bool_]
) -> tuple[float, NDArray[np.float64]]:
    """Offset and weights of one class."""
    # Looked up here: a service applies correlations, and would import this at every start.
    from scipy.optimize import minimize  # noqa: PLC0415
    from scipy.special import expit, logit  # noqa: PLC0415

    base = logit(np.clip(own.astype(np.float64), _EDGE, 1.0 - _EDGE))
    inputs = np.column_stack([np.ones(len(base)), others])

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = base + inputs @ values
        penalty = 0.5 * _PENALTY * float(values[1:] @ values[1:])
        gradient = inputs.T @ (expit(z) - truth)
        gradient[1:] += _PENALTY * values[1:]
        return float(np.sum(np.logaddexp(0.0, z) - truth * z)) + penalty, gradient

    found = minimize(loss, np.zeros(inputs.shape[1]), jac=True, method="L-BFGS-B")
    return float(found.x[0]), np.asarray(found.x[1:], dtype=np.float64)
