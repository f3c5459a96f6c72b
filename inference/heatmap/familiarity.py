# SPDX-License-Identifier: Apache-2.0
"""Whether an image resembles what the model was trained on.

Two views of the image are compared with the training images by their Mahalanobis distance (Lee et
al., arXiv:1807.03888): the mean of the network's features over each level, and a thumbnail of the
pixels. The limits come from held-out images; one that is farther in either view is unfamiliar, and
the model abstains.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

Matrix = NDArray[np.float32]

_THUMBNAIL = 16
_SHRINKAGE = 0.02
_VIEWS = ("features", "thumbnail")


class FamiliarityLimits(BaseModel):
    """Largest distance per view that counts as familiar; part of ``model.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: float = Field(gt=0.0)
    thumbnail: float = Field(gt=0.0)


def thumbnails(images: Matrix) -> Matrix:
    """``(N, size, size)`` to ``(N, 256)`` by averaging to 16 x 16."""
    n, size, _ = images.shape
    step = size // _THUMBNAIL
    small = images.reshape(n, _THUMBNAIL, step, _THUMBNAIL, step).mean(axis=(2, 4))
    return np.asarray(small.reshape(n, -1), dtype=np.float32)


@dataclass(frozen=True)
class _Cloud:
    """Mean and whitening of one view's training vectors."""

    mean: Matrix
    whitening: Matrix

    def distance(self, vectors: Matrix) -> Matrix:
        """Mahalanobis distance over the square root of the dimension: 1 is typical."""
        white = (vectors - self.mean) @ self.whitening
        return np.asarray(np.sqrt((white * white).mean(axis=1)), dtype=np.float32)


def _fit_cloud(vectors: Matrix) -> _Cloud:
    mean = vectors.mean(axis=0)
    covariance = np.cov(vectors.astype(np.float64), rowvar=False)
    dimension = covariance.shape[0]
    # Directions that never varied in training would otherwise weigh without bound.
    covariance += np.eye(dimension) * (_SHRINKAGE * np.trace(covariance) / dimension)
    values, directions = np.linalg.eigh(covariance)
    return _Cloud(mean.astype(np.float32), (directions / np.sqrt(values)).astype(np.float32))


@dataclass(frozen=True)
class Familiarity:
    """The training images of a model, as far as needed to recognize their like."""

    clouds: dict[str, _Cloud]

    @staticmethod
    def fit(features: Matrix, thumbs: Matrix) -> Familiarity:
        """Describe training images by their ``(N, D)`` pooled features and thumbnails."""
        return Familiarity(
            {name: _fit_cloud(v) for name, v in zip(_VIEWS, (features, thumbs), strict=True)}
        )

    @staticmethod
    def from_arrays(arrays: dict[str, Matrix]) -> Familiarity:
        """Take up what :meth:`to_arrays` gave; raises KeyError if an array is missing."""
        return Familiarity(
            {n: _Cloud(arrays[f"{n}.mean"], arrays[f"{n}.whitening"]) for n in _VIEWS}
        )

    def to_arrays(self) -> dict[str, Matrix]:
        """Arrays for the weights file."""
        arrays: dict[str, Matrix] = {}
        for name, cloud in self.clouds.items():
            arrays[f"{name}.mean"] = cloud.mean
            arrays[f"{name}.whitening"] = cloud.whitening
        return arrays

    def distances(self, features: Matrix, thumbs: Matrix) -> dict[str, Matrix]:
        """``(N,)`` distances per view."""
        views = dict(zip(_VIEWS, (features, thumbs), strict=True))
        return {name: cloud.distance(views[name]) for name, cloud in self.clouds.items()}

    def limits(self, features: Matrix, thumbs: Matrix, passing: float) -> FamiliarityLimits:
        """Limits that let the share ``passing`` of these held-out images through, view by view."""
        found = self.distances(features, thumbs)
        at = {name: float(np.quantile(d, passing)) for name, d in found.items()}
        return FamiliarityLimits(**{name: round(value, 4) for name, value in at.items()})
