# SPDX-License-Identifier: Apache-2.0
"""A description of an image's structure that needs no network: how much grey changes, by place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_PLACES = 8
_THUMBNAIL = 16


def structure(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(N, size, size)`` to ``(N, 128)``: mean change across and down in each of 8 x 8 places."""
    across = np.abs(np.diff(images, axis=2, append=images[:, :, -1:]))
    down = np.abs(np.diff(images, axis=1, append=images[:, -1:, :]))
    return np.concatenate([shrunk(across, _PLACES), shrunk(down, _PLACES)], axis=1)


def small_images(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(N, size, size)`` to ``(N, 256)``: 16 x 16 means, for any size of at least 16."""
    return shrunk(images, _THUMBNAIL)


def shrunk(images: NDArray[np.float32], cells: int) -> NDArray[np.float32]:
    """``(N, size, size)`` to ``(N, cells * cells)`` means; parts differ by a pixel at most."""
    size = images.shape[1]
    edges = np.rint(np.linspace(0, size, cells + 1)).astype(int)
    counts = np.diff(edges).astype(np.float32)
    rows = np.add.reduceat(images, edges[:-1], axis=1)
    cells_summed = np.add.reduceat(rows, edges[:-1], axis=2)
    means = cells_summed / (counts[:, None] * counts[None, :])
    return np.asarray(means.reshape(len(images), -1), dtype=np.float32)
