# SPDX-License-Identifier: AGPL-3.0-or-later
"""Maps lie exactly on the image, and colours are ordered as they are perceived."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from inference.contract import MapExtent
from plugin.web.colours import STEPS, lookup_table
from plugin.web.render import Placement, heat_map, overlay
from tests.plugin.web.fake_archive import letterbox


def whole(rows: int, columns: int) -> Placement:
    return Placement(
        MapExtent(left=0, top=0, right=columns, bottom=rows), rows, columns, rows, columns
    )


def read(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def oklab_lightness(colours: np.ndarray) -> np.ndarray:
    """Ottosson 2020, from sRGB of 0 to 255."""
    value = colours / 255.0
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    cone = linear @ np.array(
        [
            [0.4122214708, 0.2119034982, 0.0883024619],
            [0.5363325363, 0.6806995451, 0.2817188376],
            [0.0514459929, 0.1073969566, 0.6299787005],
        ]
    )
    return np.cbrt(cone) @ np.array([0.2104542553, 0.7936177850, -0.0040720468])


@pytest.mark.parametrize("corner", [(0, 0), (0, -1), (-1, 0), (-1, -1)])
@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("size", [(40, 40), (40, 24), (24, 40), (7, 50)])
def test_a_marked_corner_of_the_image_is_marked_in_the_picture(
    corner: tuple[int, int], smooth: bool, size: tuple[int, int]
) -> None:
    rows, columns = size
    extent = letterbox(rows, columns)
    cells = np.zeros((8, 8), np.float32)
    placement = Placement(extent, rows, columns, rows, columns)
    side = extent.right - extent.left
    x = (corner[1] % columns + 0.5 - extent.left) / side * 8
    y = (corner[0] % rows + 0.5 - extent.top) / side * 8
    cells[int(y), int(x)] = 1.0
    laid = placement.lay(cells, smooth=smooth)
    assert laid.shape == size
    brightest = np.argwhere(laid == laid.max())
    assert (np.array(corner) % size).tolist() in brightest.tolist()


def test_every_cell_covers_exactly_its_pixels() -> None:
    cells = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    laid = whole(30, 80).lay(cells, smooth=False)
    assert (laid == np.repeat(np.repeat(cells, 10, 0), 20, 1)).all()


def test_a_letterboxed_map_loses_its_padding() -> None:
    cells = np.zeros((4, 4), np.float32)
    cells[:, 0], cells[:, 3] = 0.9, 0.9
    cells[0, 1] = 0.5
    placement = Placement(MapExtent(left=-10, top=0, right=30, bottom=40), 40, 20, 40, 20)
    laid = placement.lay(cells, smooth=False)
    assert laid.max() == 0.5
    assert (laid[:10, :10] == 0.5).all()
    assert laid.sum() == 50


def test_what_the_map_does_not_reach_is_transparent() -> None:
    placement = Placement(MapExtent(left=10, top=0, right=20, bottom=20), 20, 20, 20, 20)
    alpha = read(heat_map(np.ones((2, 2), np.float32), placement, opacity=1, smooth=True))[:, :, 3]
    assert (alpha[:, :10] == 0).all()
    assert (alpha[:, 10:] == 255).all()


@settings(deadline=None, max_examples=60)
@given(
    rows=st.integers(1, 60),
    columns=st.integers(1, 60),
    grid=st.integers(1, 12),
    smooth=st.booleans(),
    seed=st.integers(0, 999),
)
def test_laying_never_leaves_the_range_of_the_map(
    rows: int, columns: int, grid: int, smooth: bool, seed: int
) -> None:
    cells = np.random.default_rng(seed).random((grid, grid), dtype=np.float32)
    placement = Placement(letterbox(rows, columns), rows, columns, rows, columns)
    laid = placement.lay(cells, smooth=smooth)
    assert laid.min() >= cells.min() - 1e-6
    assert laid.max() <= cells.max() + 1e-6


def test_smoothing_passes_through_the_centres_of_the_cells() -> None:
    cells = np.random.default_rng(1).random((5, 5), dtype=np.float32)
    laid = whole(35, 35).lay(cells, smooth=True)
    assert laid[3::7, 3::7] == pytest.approx(cells, abs=1e-6)


def test_alpha_grows_with_probability_and_opacity() -> None:
    cells = np.array([[0.0, 0.5, 1.0]], np.float32)
    for opacity in (1.0, 0.4):
        alpha = read(heat_map(cells, whole(1, 3), opacity=opacity, smooth=False))[0, :, 3]
        assert alpha.astype(float) == pytest.approx([0, 127.5 * opacity, 255 * opacity], abs=1)


def test_an_overlay_is_the_alpha_blend_of_the_heat_map() -> None:
    cells = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    under = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 4)
    blended = read(overlay(cells, whole(8, 8), under, opacity=0.7, smooth=False)).astype(float)
    layer = Image.open(io.BytesIO(heat_map(cells, whole(8, 8), opacity=0.7, smooth=False)))
    expected = np.asarray(Image.alpha_composite(under.convert("RGBA"), layer))[:, :, :3]
    assert blended == pytest.approx(expected.astype(float), abs=2)


def test_a_colour_image_keeps_its_colours() -> None:
    under = Image.new("RGB", (4, 4), (10, 200, 30))
    blended = read(
        overlay(np.zeros((2, 2), np.float32), whole(4, 4), under, opacity=1, smooth=True)
    )
    assert (blended == (10, 200, 30)).all()


def test_equal_steps_of_probability_are_equal_steps_of_lightness() -> None:
    lightness = oklab_lightness(lookup_table().astype(float))
    step = (lightness[-1] - lightness[0]) / (STEPS - 1)
    assert np.diff(lightness) == pytest.approx(step, abs=step)
    assert lightness == pytest.approx(np.linspace(lightness[0], lightness[-1], STEPS), abs=0.004)


@pytest.mark.parametrize("over", [False, True])
def test_a_large_image_is_drawn_well_within_a_second(over: bool) -> None:
    cells = np.random.default_rng(0).random((64, 64), dtype=np.float32)
    placement = whole(2048, 2048)
    under = Image.fromarray(np.random.default_rng(0).integers(0, 255, (2048, 2048), np.uint8))
    best = 9.0
    for _ in range(3):
        started = time.process_time()
        if over:
            overlay(cells, placement, under, opacity=0.6, smooth=True)
        else:
            heat_map(cells, placement, opacity=0.6, smooth=True)
        best = min(best, time.process_time() - started)
    assert best < 1.0
