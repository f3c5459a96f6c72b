# SPDX-License-Identifier: Apache-2.0
"""Random changes to training squares that leave their findings what they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SHIFT_CELLS = 3


def augment(
    images: NDArray[np.uint8], truth: NDArray[np.uint8], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Vary exposure and position.

    Parameters
    ----------
    images:
        ``(N, size, size)``.
    truth:
        ``(N, C, grid, grid)`` covered shares, times 255. Positions shift by whole cells, so that
        truth needs no resampling.
    rng:
        Source of the changes.

    Returns
    -------
    Squares and covered shares, both float32 in 0..1.
    """
    n, size, _ = images.shape
    grid = truth.shape[-1]
    squares = images.astype(np.float32) / np.float32(255.0)
    shares = truth.astype(np.float32) / np.float32(255.0)
    gamma = np.exp(rng.normal(0.0, 0.15, (n, 1, 1))).astype(np.float32)
    gain = rng.uniform(0.92, 1.08, (n, 1, 1)).astype(np.float32)
    squares = np.clip(squares**gamma * gain, 0.0, 1.0)
    grain = np.abs(rng.normal(0.0, 0.008, (n, 1, 1))).astype(np.float32)
    squares += rng.standard_normal(squares.shape, dtype=np.float32) * grain
    shifts = rng.integers(-_SHIFT_CELLS, _SHIFT_CELLS + 1, (n, 2))
    step = size // grid
    for i, (down, right) in enumerate(shifts):
        squares[i] = _shifted(squares[i], int(down) * step, int(right) * step)
        shares[i] = _shifted(shares[i], int(down), int(right))
    return np.clip(squares, 0.0, 1.0), shares


def _shifted(array: NDArray[np.float32], down: int, right: int) -> NDArray[np.float32]:
    """Shift the last two axes, repeating nothing: what comes in is 0."""
    out = np.zeros_like(array)
    rows, columns = array.shape[-2:]
    to = (slice(max(down, 0), rows + min(down, 0)), slice(max(right, 0), columns + min(right, 0)))
    source = (
        slice(max(-down, 0), rows + min(-down, 0)),
        slice(max(-right, 0), columns + min(-right, 0)),
    )
    out[(..., *to)] = array[(..., *source)]
    return out
