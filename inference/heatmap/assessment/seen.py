# SPDX-License-Identifier: Apache-2.0
"""What a network says about labelled images, beside what is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.heatmap.datasets.images import SiteSet
from inference.heatmap.engine import predict
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


def see(
    network: HeatMapNetwork, data: SiteSet | PhantomSet, operating: Mapping[str, Operating]
) -> Seen:
    """Run a network on labelled images; ``operating`` has the classes in their order."""
    classes = tuple(operating)
    located: dict[str, list[Located]] = {key: [] for key in classes}
    labels = data.labels.astype(np.float32)
    parts = []
    grid = network.architecture.grids[0]
    for start in range(0, len(data), _AT_ONCE):
        index = range(start, min(start + _AT_ONCE, len(data)))
        squares = np.asarray(data.images[start : index.stop], dtype=np.float32) / np.float32(255)
        made = predict(network, squares)
        parts.append(made.pooled)
        truth = _truth(data, index, grid)
        for row, column in np.argwhere(truth.max(axis=(2, 3)) > 0.0):
            if labels[start + row, column] == 1.0:
                found = Located(made.maps[0][row, column].copy(), truth[row, column].copy())
                located[classes[column]].append(found)
    pooled = np.concatenate(parts)
    columns = [operating[k].calibration.apply(pooled[:, i]) for i, k in enumerate(classes)]
    return Seen(classes, np.stack(columns, axis=1), labels, located)


def _truth(data: SiteSet | PhantomSet, index: range, grid: int) -> NDArray[np.float32]:
    if isinstance(data, SiteSet):
        return data.truth(index, grid)
    return data.truth[index.start : index.stop].astype(np.float32) / np.float32(255.0)
