# SPDX-License-Identifier: AGPL-3.0-or-later
"""Probability maps as pictures that lie exactly on the image they were computed from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from plugin.heatmaps import png
from plugin.heatmaps.colours import STEPS, lookup_table
from plugin.heatmaps.placement import Placement

_ROWS_AT_ONCE = 32
"""Rows that are worked on at a time: their intermediate values stay in the processor's cache."""

Colour = tuple[int, int, int]
Area = NDArray[np.bool_]


class Layer(NamedTuple):
    """One finding as it is to be drawn.

    Attributes:
        cells: ``(rows, columns)`` of the grid, 0 to 1; step ``s`` of 255 gets colour ``s``.
        colours: sRGB of each step, ``(256, 3)``.
        alpha: opacity of each step, ``(256,)``, 0 to 1; step 0 is always transparent.
        smoothing: see ``Placement.lay``.
        mask: ``(height, width)`` of the picture; elsewhere is no colour.
    """

    cells: NDArray[np.float32]
    colours: NDArray[np.uint8]
    alpha: NDArray[np.float64]
    smoothing: float
    mask: Area | None = None

    def from_threshold(self, threshold: float) -> Layer:
        """The layer without any colour below a probability."""
        faint = np.arange(STEPS) < round(threshold * (STEPS - 1))
        return self._replace(alpha=np.where(faint, 0.0, self.alpha))


def probability_layer(
    cells: NDArray[np.float32],
    *,
    opacity: float,
    smoothing: float = 1.0,
    colour: Colour | None = None,
    mask: Area | None = None,
) -> Layer:
    """Colour and opacity grow with the probability.

    Args:
        cells: Probabilities, ``(rows, columns)`` of the grid.
        opacity: Alpha of probability 1, from 0 to 1.
        smoothing: Width of the ramp between patches in patches.
        colour: One colour for all probabilities, to tell several findings apart; else the colours
            of ``colours.lookup_table``.
        mask: Where colour is allowed.
    """
    alpha = np.linspace(0.0, opacity, STEPS, dtype=np.float64)
    colours = lookup_table() if colour is None else _plain(colour)
    return Layer(np.clip(cells, 0.0, 1.0), colours, alpha, smoothing, mask)


def saliency(
    cells: NDArray[np.float32],
    threshold: float,
    *,
    opacity: float,
    smoothing: float = 1.0,
    colour: Colour = (255, 170, 0),
    mask: Area | None = None,
) -> Layer:
    """A binary map: one colour where the probability reaches ``threshold``, nothing elsewhere."""
    # Interpolation commutes with this shift, and its middle is exactly where steps reach 128.
    shifted = 0.5 + (np.clip(cells, 0.0, 1.0) - np.float32(threshold)) / 2
    alpha = np.where(np.arange(STEPS) >= STEPS // 2, opacity, 0.0)
    return Layer(shifted.astype(np.float32), _plain(colour), alpha, smoothing, mask)


def heat_map(layer: Layer, placement: Placement) -> bytes:
    """A PNG with a palette and transparency, to lay over the image."""
    steps = np.empty((placement.height, placement.width), np.uint8)
    for rows, part in _steps(layer, placement):
        steps[rows] = part
    alpha = np.rint(layer.alpha * 255.0).astype(np.uint8)
    return png.encode_palette(steps, layer.colours, alpha)


def overlay(layer: Layer, placement: Placement, rendered: Image.Image) -> bytes:
    """An RGB PNG of the rendered image with one heat map blended over it."""
    return composite([layer], placement, rendered)


def composite(layers: Sequence[Layer], placement: Placement, rendered: Image.Image) -> bytes:
    """An RGB PNG of the rendered image with several heat maps blended over it, the first topmost.

    ``placement`` has the height and width of ``rendered``. Where no layer has opacity, the pixels
    are those of ``rendered``, bit by bit.
    """
    return png.encode(blend(layers, placement, rendered))


def blend(
    layers: Sequence[Layer], placement: Placement, rendered: Image.Image
) -> NDArray[np.uint8]:
    """The pixels of ``composite``, ``(height, width, 3)``."""
    grey = rendered.mode == "L"
    under = np.asarray(rendered if grey else rendered.convert("RGB"))
    blended = np.empty((*under.shape[:2], 3), np.uint8)
    blended[...] = under[:, :, None] if grey else under
    for layer in reversed(layers):
        table = _blends(layer)
        for rows, steps in _steps(layer, placement):
            _blend_rows(blended[rows], steps, table)
    return blended


def _blend_rows(
    pixels: NDArray[np.uint8], steps: NDArray[np.uint8], table: NDArray[np.uint8]
) -> None:
    if not steps.any():
        return
    high = steps.astype(np.intp) << 8
    for channel in range(3):
        pixels[:, :, channel] = table[channel].take(high | pixels[:, :, channel])


def _steps(layer: Layer, placement: Placement) -> Iterator[tuple[slice, NDArray[np.uint8]]]:
    """The layer's steps of 255 at every pixel, some rows at a time."""
    down, across = placement.weights(layer.cells.shape, layer.smoothing)
    rows_of_cells = down @ (layer.cells * np.float32(STEPS - 1))
    for start in range(0, placement.height, _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        laid = rows_of_cells[rows] @ across.T
        laid += np.float32(0.5)
        steps = laid.astype(np.uint8)
        if layer.mask is not None:
            steps[~layer.mask[rows]] = 0
        yield rows, steps


def _blends(layer: Layer) -> NDArray[np.uint8]:
    """For each channel the colour of step ``s`` over value ``g``, at ``s * 256 + g``."""
    alpha = layer.alpha[None, :, None]
    over = layer.colours.T.astype(np.float64)[:, :, None]
    under = np.arange(256.0)[None, None, :]
    table: NDArray[np.uint8] = np.rint(over * alpha + under * (1.0 - alpha)).astype(np.uint8)
    return table.reshape(3, -1)


def _plain(colour: Colour) -> NDArray[np.uint8]:
    return np.tile(np.array(colour, np.uint8), (STEPS, 1))
