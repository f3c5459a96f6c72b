# SPDX-License-Identifier: AGPL-3.0-or-later
"""Probability maps as pictures that lie exactly on the image they were computed from."""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.contract import MapExtent
from plugin.web.colours import STEPS, lookup_table

# Level 1 takes a fifth of the default's time and a tenth more bytes.
_COMPRESSION = 1


class Placement(NamedTuple):
    """Where a map lies on an image and how large the picture becomes.

    ``extent`` is in pixels of the stored image of ``rows x columns``; the picture has ``height x
    width`` pixels and shows the whole of that image.
    """

    extent: MapExtent
    rows: int
    columns: int
    height: int
    width: int

    def _positions(
        self, cells_down: int, cells_across: int
    ) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Centres of the picture's pixels in units of map cells, down and across."""
        y = (np.arange(self.height) + 0.5) * (self.rows / self.height)
        x = (np.arange(self.width) + 0.5) * (self.columns / self.width)
        down = (y - self.extent.top) / (self.extent.bottom - self.extent.top) * cells_down
        across = (x - self.extent.left) / (self.extent.right - self.extent.left) * cells_across
        return down, across

    def lay(self, cells: NDArray[np.float32], *, smooth: bool) -> NDArray[np.float32]:
        """The map at every pixel, ``(height, width)`` float32; 0 where the map does not reach.

        Args:
            cells: Probabilities, ``(rows, columns)`` of the grid.
            smooth: Interpolate between cell centres; else every pixel has its cell's value.
        """
        down, across = self._positions(*cells.shape)
        if smooth:
            laid = _between(_between(cells, down).T, across).T
        else:
            laid = cells[_cell(down, cells.shape[0])][:, _cell(across, cells.shape[1])]
        outside_down = (down < 0) | (down >= cells.shape[0])
        outside_across = (across < 0) | (across >= cells.shape[1])
        if outside_down.any() or outside_across.any():
            laid = np.ascontiguousarray(laid)
            laid[outside_down, :] = 0.0
            laid[:, outside_across] = 0.0
        return laid


def _cell(position: NDArray[np.floating], cells: int) -> NDArray[np.intp]:
    held: NDArray[np.intp] = np.clip(np.floor(position), 0, cells - 1).astype(np.intp)
    return held


def _between(cells: NDArray[np.float32], position: NDArray[np.floating]) -> NDArray[np.float32]:
    """Rows of ``cells`` interpolated at ``position``; the outermost half cells are flat."""
    last = cells.shape[0] - 1
    centred = np.clip(position - 0.5, 0.0, last)
    first = np.floor(centred).astype(np.intp)
    weight = (centred - first).astype(np.float32)[:, None]
    mixed: NDArray[np.float32] = cells[first] * (1 - weight)
    mixed += cells[np.minimum(first + 1, last)] * weight
    return mixed


def _steps(probabilities: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(np.clip(probabilities, 0.0, 1.0) * (STEPS - 1)).astype(np.uint8)


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=_COMPRESSION)
    return buffer.getvalue()


def heat_map(
    cells: NDArray[np.float32], placement: Placement, *, opacity: float, smooth: bool
) -> bytes:
    """An RGBA PNG to lay over the image: colour and alpha grow with the probability.

    Args:
        cells: Probabilities from 0 to 1, ``(rows, columns)`` of the grid.
        placement: Where they lie.
        opacity: Alpha of probability 1, from 0 to 1.
        smooth: Interpolate between cell centres.
    """
    steps = _steps(placement.lay(cells, smooth=smooth))
    table = np.empty((STEPS, 4), np.uint8)
    table[:, :3] = lookup_table()
    table[:, 3] = np.rint(np.arange(STEPS) * opacity)
    return _png(Image.fromarray(table[steps]))


def overlay(
    cells: NDArray[np.float32],
    placement: Placement,
    rendered: Image.Image,
    *,
    opacity: float,
    smooth: bool,
) -> bytes:
    """An RGB PNG of the rendered image with the heat map blended over it.

    ``placement`` has the height and width of ``rendered``.
    """
    steps = _steps(placement.lay(cells, smooth=smooth)).astype(np.uint16) << 8
    blends = _blends(opacity)
    under = np.asarray(rendered.convert("RGB"))
    blended = np.empty(under.shape, np.uint8)
    for channel in range(3):
        blended[:, :, channel] = blends[channel][steps | under[:, :, channel]]
    return _png(Image.fromarray(blended))


def _blends(opacity: float) -> NDArray[np.uint8]:
    """For each channel the colour of step ``s`` over grey ``g``, at ``s * 256 + g``."""
    alpha = (np.arange(STEPS) * (opacity / (STEPS - 1)))[None, :, None]
    over = lookup_table().T.astype(np.float64)[:, :, None]
    under = np.arange(256.0)[None, None, :]
    table: NDArray[np.uint8] = np.rint(over * alpha + under * (1.0 - alpha)).astype(np.uint8)
    return table.reshape(3, -1)
