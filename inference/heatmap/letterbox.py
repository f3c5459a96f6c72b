# SPDX-License-Identifier: Apache-2.0
"""Fit an image of any size into a square by area averaging, and say where the square lies on it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from inference.contract import MapExtent

_ROWS_AT_ONCE = 64
"""At 2,048 columns half a megabyte of float32: it stays in a processor's second cache."""
_CELLS_AT_ONCE = 16
"""Few enough that a dense product wastes little on zeros; it is twice as fast as a sparse one."""


def letterbox_extent(rows: int, columns: int) -> MapExtent:
    """The smallest centred square around a ``rows x columns`` image, in its pixel coordinates.

    It reaches beyond the image on the shorter side.
    """
    side = float(max(rows, columns))
    left, top = (columns - side) / 2.0, (rows - side) / 2.0
    return MapExtent(left=left, top=top, right=left + side, bottom=top + side)


@lru_cache(maxsize=32)
def _averaging(length: int, start: float, side: float, cells: int) -> csr_matrix:
    """``(cells, length)`` matrix: the mean over each cell's span of ``side / cells`` pixels.

    Parts of a cell outside the image count as 0.
    """
    edges = start + np.arange(cells + 1) * (side / cells)
    first = np.clip(np.floor(edges[:-1]).astype(int), 0, length)
    last = np.clip(np.ceil(edges[1:]).astype(int), 0, length)
    counts = last - first
    row = np.repeat(np.arange(cells), counts)
    column = np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)])
    overlap = np.minimum(edges[row + 1], column + 1) - np.maximum(edges[row], column)
    weights = (np.maximum(overlap, 0.0) * (cells / side)).astype(np.float32)
    return csr_matrix((weights, (row, column)), shape=(cells, length))


class _Slab(NamedTuple):
    """Rows of an image that lie in a memory cache together, and the cells that they add to."""

    rows: slice
    cells: slice
    weights: csr_matrix


@lru_cache(maxsize=32)
def _slabs(length: int, start: float, side: float, cells: int) -> tuple[_Slab, ...]:
    whole = _averaging(length, start, side, cells)
    made = []
    for top in range(0, length, _ROWS_AT_ONCE):
        part = whole[:, top : top + _ROWS_AT_ONCE]
        touched = np.flatnonzero(np.diff(part.indptr))
        if touched.size:
            first, last = int(touched[0]), int(touched[-1]) + 1
            rows = slice(top, min(top + _ROWS_AT_ONCE, length))
            made.append(_Slab(rows, slice(first, last), part[first:last]))
    return tuple(made)


class _Band(NamedTuple):
    """Columns of an image, the cells that they make, and ``(columns, cells)`` weights."""

    columns: slice
    cells: slice
    weights: NDArray[np.float32]


@lru_cache(maxsize=32)
def _bands(length: int, start: float, side: float, cells: int) -> tuple[_Band, ...]:
    whole = _averaging(length, start, side, cells)
    made = []
    for left in range(0, cells, _CELLS_AT_ONCE):
        part = whole[left : left + _CELLS_AT_ONCE]
        if part.nnz:
            columns = slice(int(part.indices.min()), int(part.indices.max()) + 1)
            weights = np.ascontiguousarray(part[:, columns].toarray().T)
            made.append(_Band(columns, slice(left, left + part.shape[0]), weights))
    return tuple(made)


def letterbox(image: NDArray[np.float32], cells: int) -> NDArray[np.float32]:
    """Average an image into the ``cells x cells`` square of :func:`letterbox_extent`.

    Parameters
    ----------
    image:
        ``(rows, columns)`` float32.
    cells:
        Side of the result.

    Returns
    -------
    ``(cells, cells)`` float32; 0 beyond the image.
    """
    return letterbox_rows(lambda rows: image[rows], image.shape, cells)


def letterbox_rows(
    grey: Callable[[slice], NDArray[np.float32]], shape: tuple[int, ...], cells: int
) -> NDArray[np.float32]:
    """The same of an image that is never held whole.

    Parameters
    ----------
    grey:
        Gives rows of the image, ``(n, columns)`` float32; asked for each row once.
    shape:
        Rows and columns of the image.
    cells:
        Side of the result.
    """
    rows, columns = shape
    extent = letterbox_extent(rows, columns)
    side = extent.right - extent.left
    lines = np.zeros((cells, columns), dtype=np.float32)
    for slab in _slabs(rows, extent.top, side, cells):
        lines[slab.cells] += slab.weights @ grey(slab.rows)
    square = np.zeros((cells, cells), dtype=np.float32)
    for band in _bands(columns, extent.left, side, cells):
        square[:, band.cells] = lines[:, band.columns] @ band.weights
    return square


@lru_cache(maxsize=64)
def letterbox_coverage(rows: int, columns: int, cells: int) -> NDArray[np.float32]:
    """Which share of each cell lies on the image, ``(cells, cells)`` in 0..1; not to be changed."""
    extent = letterbox_extent(rows, columns)
    side = extent.right - extent.left
    vertical = _averaging(rows, extent.top, side, cells).sum(axis=1)
    horizontal = _averaging(columns, extent.left, side, cells).sum(axis=1)
    coverage = np.asarray(np.outer(vertical, horizontal), dtype=np.float32)
    coverage.flags.writeable = False
    return coverage
