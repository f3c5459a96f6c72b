# SPDX-License-Identifier: Apache-2.0
"""What a network says about labelled images, beside what is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.heatmap.context import Context
from inference.heatmap.correlations import Correlations
from inference.heatmap.datasets.images import SiteSet
from inference.heatmap.engine import Prediction, predict
from inference.heatmap.evaluation import Operating
from inference.heatmap.network import HeatMapNetwork
from inference.heatmap.phantom_set import PhantomSet

_AT_ONCE = 128


@dataclass(frozen=True)
class Located:
    """One present finding whose place is known.

    Attributes
    ----------
    map:
        ``(grid, grid)`` finest patch probabilities.
    truth:
        ``(grid, grid)`` covered shares.
    """

    map: NDArray[np.float32]
    truth: NDArray[np.float32]


@dataclass(frozen=True)
class Seen:
    """Answers of a network on ``N`` images.

    Attributes
    ----------
    classes:
        Keys.
    probabilities, labels:
        ``(N, C)`` calibrated probabilities, and 1, 0 or nan (unknown).
    located:
        By key, the present findings whose place is known.
    """

    classes: tuple[str, ...]
    probabilities: NDArray[np.float32]
    labels: NDArray[np.float32]
    located: dict[str, list[Located]]


def squares_of(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Squares in 0..1 from their bytes."""
    return np.asarray(images, dtype=np.float32) / np.float32(255.0)


def seen_of(
    network: HeatMapNetwork, data: SiteSet | PhantomSet, index: NDArray[np.intp]
) -> Prediction:
    """What a network says about some images of a set, with neighbours and persons as it takes."""
    if not isinstance(data, SiteSet):
        return predict(network, squares_of(data.images[index]))
    # Each image once, however many sub-volumes it is in.
    needed, places = np.unique(data.neighbours[index], return_inverse=True)
    context = Context(places.reshape(-1, data.neighbours.shape[1]), data.persons(index))
    return predict(network, squares_of(data.images[needed]), context)


def see(
    network: HeatMapNetwork,
    data: SiteSet | PhantomSet,
    operating: Mapping[str, Operating],
    correlations: Correlations | None = None,
) -> Seen:
    """Run a network on labelled images; ``operating`` has the classes in their order."""
    classes = tuple(operating)
    located: dict[str, list[Located]] = {key: [] for key in classes}
    labels = data.labels.astype(np.float32)
    parts = []
    grid = network.architecture.grids[0]
    for start in range(0, len(data), _AT_ONCE):
        index = range(start, min(start + _AT_ONCE, len(data)))
        made = seen_of(network, data, np.array(index))
        parts.append(made.pooled)
        truth = _truth(data, index, grid)
        for row, column in np.argwhere(truth.max(axis=(2, 3)) > 0.0):
            if labels[start + row, column] == 1.0:
                found = Located(made.maps[0][row, column].copy(), truth[row, column].copy())
                located[classes[column]].append(found)
    pooled = np.concatenate(parts)
    columns = [operating[k].calibration.apply(pooled[:, i]) for i, k in enumerate(classes)]
    probabilities = np.stack(columns, axis=1)
    if correlations is not None:
        probabilities = correlations.apply(probabilities)
    return Seen(classes, probabilities, labels, located)


def _truth(data: SiteSet | PhantomSet, index: range, grid: int) -> NDArray[np.float32]:
    if isinstance(data, SiteSet):
        return data.truth(index, grid)
    return data.truth[index.start : index.stop].astype(np.float32) / np.float32(255.0)
