# SPDX-License-Identifier: Apache-2.0
"""Images put together of two, which teach where a finding is not.

A network that sees the whole image can light any place near a finding and be right about the image.
When a rectangle of an image without a finding is pasted into one that shows it, global labels say
more: inside the rectangle the finding is absent, whatever is around it. So a map has to follow what
lies in the patch itself. (CutMix, Yun et al., arXiv:1905.04899, mixes labels by area; here nothing
is mixed, every patch keeps what its own image says.)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_SHORTEST, _LONGEST = 0.25, 0.75
_MARGIN_CELLS = 2


class Mixed(NamedTuple):
    """A batch, some of whose images are put together.

    Attributes
    ----------
    images:
        ``(N, size, size)`` float32.
    labels:
        ``(N, C)`` float32; nan where a mixed image may or may not show the finding.
    absent:
        ``(N, C, grid, grid)`` bool: patches where the finding is known to be absent. Those along
        the border of a rectangle are left out: half of them is of the other image.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.float32]
    absent: NDArray[np.bool_]


def mix(
    images: NDArray[np.float32],
    labels: NDArray[np.bool_],
    share: float,
    grid: int,
    rng: np.random.Generator,
) -> Mixed:
    """Paste a rectangle of the next image of the batch into each of the first ``share`` of it.

    Parameters
    ----------
    images:
        ``(N, size, size)``.
    labels:
        ``(N, C)``.
    share:
        0..1.
    grid:
        Patches a side of the finest map.
    rng:
        Source of places and sizes.
    """
    count, size, _ = images.shape
    step = size // grid
    out = images.copy()
    known = labels.astype(np.float32)
    absent = np.broadcast_to(~labels[:, :, None, None], (*labels.shape, grid, grid)).copy()
    for index in range(int(share * count)):
        other = (index + 1) % count
        top, bottom = _span(grid, rng)
        left, right = _span(grid, rng)
        inside = (slice(top * step, bottom * step), slice(left * step, right * step))
        out[index][inside] = images[other][inside]
        absent[index, :, top:bottom, left:right] = ~labels[other][:, None, None]
        border = _border(grid, (top, bottom), (left, right))
        absent[index] &= ~border | ~(labels[index] | labels[other])[:, None, None]
        known[index] = np.where(labels[index] | labels[other], np.nan, 0.0)
    return Mixed(out, known, absent)


def _span(grid: int, rng: np.random.Generator) -> tuple[int, int]:
    length = int(rng.uniform(_SHORTEST, _LONGEST) * grid)
    start = int(rng.integers(0, grid - length + 1))
    return start, start + length


def _border(grid: int, rows: tuple[int, int], columns: tuple[int, int]) -> NDArray[np.bool_]:
    """Cells within the margin of a rectangle's outline, ``(grid, grid)``."""
    m = _MARGIN_CELLS
    outer = np.zeros((grid, grid), np.bool_)
    outer[max(rows[0] - m, 0) : rows[1] + m, max(columns[0] - m, 0) : columns[1] + m] = True
    outer[rows[0] + m : rows[1] - m, columns[0] + m : columns[1] - m] = False
    return outer
