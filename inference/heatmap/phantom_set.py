# SPDX-License-Identifier: Apache-2.0
"""Phantoms as training material: squares as the network sees them, labels and truth on the grid."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from inference.heatmap.pixels import square_values
from inference.phantoms import FINDINGS, chest_phantom

_CHUNK = 50


@dataclass(frozen=True)
class PhantomSet:
    """Many phantoms.

    Attributes
    ----------
    images:
        ``(N, size, size)`` uint8 squares of the pixel front end.
    labels:
        ``(N, C)`` bool, classes in the order of ``FINDINGS``.
    truth:
        ``(N, C, grid, grid)`` uint8: share of each cell that the finding covers, times 255.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.bool_]
    truth: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.images)


def _one(seed: int, size: int, grid: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    phantom = chest_phantom(seed, size)
    square = square_values(phantom.pixels, phantom.window, size)
    truth = np.zeros((len(FINDINGS), grid, grid), dtype=np.uint8)
    step = size // grid
    for index, key in enumerate(FINDINGS):
        if key in phantom.masks:
            share = phantom.masks[key].reshape(grid, step, grid, step).mean(axis=(1, 3))
            truth[index] = np.rint(share * 255.0).astype(np.uint8)
    return np.rint(square * 255.0).astype(np.uint8), truth


def make_phantom_set(
    first_seed: int,
    count: int,
    *,
    size: int = 256,
    grid: int = 64,
    workers: int = 1,
    advance: Callable[[int], None] | None = None,
) -> PhantomSet:
    """Make the phantoms of ``count`` seeds from ``first_seed`` on.

    ``workers`` processes share the work; the result does not depend on their number. ``advance`` is
    told how many phantoms were added.
    """
    images = np.empty((count, size, size), dtype=np.uint8)
    truth = np.empty((count, len(FINDINGS), grid, grid), dtype=np.uint8)
    make = partial(_one, size=size, grid=grid)
    seeds = range(first_seed, first_seed + count)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        made = pool.map(make, seeds, chunksize=_CHUNK) if workers > 1 else map(make, seeds)
        for index, (image, shares) in enumerate(made):
            images[index], truth[index] = image, shares
            if advance is not None:
                advance(1)
    return PhantomSet(images=images, labels=np.asarray(truth.any(axis=(2, 3))), truth=truth)
