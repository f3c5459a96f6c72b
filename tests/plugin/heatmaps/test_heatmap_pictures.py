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
from plugin.heatmaps import (
    Placement,
    composite,
    heat_map,
    overlay,
    probability_layer,
    saliency,
)
from plugin.heatmaps.colours import STEPS, lookup_table
from tests.plugin.web.fake_archive import letterbox


def whole(rows: int, columns: int) -> Placement:
    return Placement(
        MapExtent(left=0, top=0, right=columns, bottom=rows), rows, columns, rows, columns
    )


def read(png: bytes) -> np.ndarray:
    picture = Image.open(io.BytesIO(png))
    return np.asarray(picture.convert("RGBA") if picture.mode == "P" else picture)


def drawn(
    cells: np.ndarray, placement: Placement, *, opacity: float = 1, smoothing: float = 0
) -> np.ndarray:
    layer = probability_layer(cells, opacity=opacity, smoothing=smoothing)
    return read(heat_map(layer, placement))


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
@pytest.mark.parametrize("smoothing", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("size", [(40, 40), (40, 24), (24, 40), (7, 50)])
def test_a_marked_corner_of_the_image_is_marked_in_the_picture(
    corner: tuple[int, int], smoothing: float, size: tuple[int, int]
) -> None:
    rows, columns = size
    extent = letterbox(rows, columns)
    cells = np.zeros((8, 8), np.float32)
    placement = Placement(extent, rows, columns, rows, columns)
    side = extent.right - extent.left
    x = (corner[1] % columns + 0.5 - extent.left) / side * 8
    y = (corner[0] % rows + 0.5 - extent.top) / side * 8
    cells[int(y), int(x)] = 1.0
    laid = placement.lay(cells, smoothing=smoothing)
    assert laid.shape == size
    brightest = np.argwhere(laid == laid.max())
    assert (np.array(corner) % size).tolist() in brightest.tolist()


def test_every_cell_covers_exactly_its_pixels() -> None:
    cells = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    laid = whole(30, 80).lay(cells, smoothing=0)
    assert (laid == np.repeat(np.repeat(cells, 10, 0), 20, 1)).all()


def test_a_letterboxed_map_loses_its_padding() -> None:
    cells = np.zeros((4, 4), np.float32)
    cells[:, 0], cells[:, 3] = 0.9, 0.9
    cells[0, 1] = 0.5
    placement = Placement(MapExtent(left=-10, top=0, right=30, bottom=40), 40, 20, 40, 20)
    laid = placement.lay(cells, smoothing=0)
    assert laid.max() == 0.5
    assert (laid[:10, :10] == 0.5).all()
    assert laid.sum() == 50


def test_what_the_map_does_not_reach_is_transparent() -> None:
    placement = Placement(MapExtent(left=10, top=0, right=20, bottom=20), 20, 20, 20, 20)
    alpha = drawn(np.ones((2, 2), np.float32), placement, smoothing=1)[:, :, 3]
    assert (alpha[:, :10] == 0).all()
    assert (alpha[:, 10:] == 255).all()


@settings(deadline=None, max_examples=60)
@given(
    rows=st.integers(1, 60),
    columns=st.integers(1, 60),
    grid=st.integers(1, 12),
    smoothing=st.floats(0, 1),
    seed=st.integers(0, 999),
)
def test_laying_never_leaves_the_range_of_the_map(
    rows: int, columns: int, grid: int, smoothing: float, seed: int
) -> None:
    cells = np.random.default_rng(seed).random((grid, grid), dtype=np.float32)
    placement = Placement(letterbox(rows, columns), rows, columns, rows, columns)
    laid = placement.lay(cells, smoothing=smoothing)
    assert laid.min() >= cells.min() - 1e-6
    assert laid.max() <= cells.max() + 1e-6


def test_smoothing_passes_through_the_centres_of_the_cells() -> None:
    cells = np.random.default_rng(1).random((5, 5), dtype=np.float32)
    for smoothing in (0.0, 0.3, 1.0):
        laid = whole(35, 35).lay(cells, smoothing=smoothing)
        assert laid[3::7, 3::7] == pytest.approx(cells, abs=1e-6)


def test_alpha_grows_with_probability_and_opacity() -> None:
    cells = np.array([[0.0, 0.5, 1.0]], np.float32)
    for opacity in (1.0, 0.4):
        alpha = drawn(cells, whole(1, 3), opacity=opacity)[0, :, 3]
        assert alpha.astype(float) == pytest.approx([0, 127.5 * opacity, 255 * opacity], abs=1)


def test_an_overlay_is_the_alpha_blend_of_the_heat_map() -> None:
    cells = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    under = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 4)
    layer = probability_layer(cells, opacity=0.7, smoothing=0)
    blended = read(overlay(layer, whole(8, 8), under)).astype(float)
    alone = Image.fromarray(drawn(cells, whole(8, 8), opacity=0.7))
    expected = np.asarray(Image.alpha_composite(under.convert("RGBA"), alone))[:, :, :3]
    assert blended == pytest.approx(expected.astype(float), abs=2)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_opacity_zero_is_the_image_bit_by_bit(mode: str) -> None:
    shape = (70, 40) if mode == "L" else (70, 40, 3)
    under = Image.fromarray(np.random.default_rng(3).integers(0, 256, shape, np.uint8))
    cells = np.random.default_rng(4).random((6, 6), dtype=np.float32)
    layers = [
        probability_layer(cells, opacity=0),
        probability_layer(cells, opacity=0, colour=(9, 9, 200)),
        saliency(cells, 0.2, opacity=0),
    ]
    blended = read(composite(layers, whole(70, 40), under))
    assert (blended == np.asarray(under.convert("RGB"))).all()


def test_a_colour_image_keeps_its_colours() -> None:
    under = Image.new("RGB", (4, 4), (10, 200, 30))
    layer = probability_layer(np.zeros((2, 2), np.float32), opacity=1)
    assert (read(overlay(layer, whole(4, 4), under)) == (10, 200, 30)).all()


@settings(deadline=None, max_examples=60)
@given(
    grid=st.integers(2, 9),
    pixels=st.integers(2, 12),
    smoothing=st.floats(0.01, 1),
    seed=st.integers(0, 999),
)
def test_smoothing_shrinks_the_step_at_every_patch_border(
    grid: int, pixels: int, smoothing: float, seed: int
) -> None:
    """Along a border patches mix with their neighbours along it, so each line is taken whole, and
    each pixel pair is held against the largest step of the patches that mix there."""
    cells = np.random.default_rng(seed).random((grid, grid), dtype=np.float32)
    side = grid * pixels
    hard = whole(side, side).lay(cells, smoothing=0)
    soft = whole(side, side).lay(cells, smoothing=smoothing)
    for one, other, patches in ((hard, soft, cells), (hard.T, soft.T, cells.T)):
        for border in range(1, grid):
            at = border * pixels
            before = np.abs(one[at] - one[at - 1])
            after = np.abs(other[at] - other[at - 1])
            assert after.sum() <= 0.5 * before.sum() + 1e-5
            steps = np.pad(np.abs(patches[border] - patches[border - 1]), 1, mode="edge")
            near = np.maximum(np.maximum(steps[:-2], steps[1:-1]), steps[2:])
            assert (after <= 0.5 * np.repeat(near, pixels) + 1e-6).all()


def test_stronger_smoothing_makes_softer_borders() -> None:
    cells = np.array([[0.0, 1.0]], np.float32)
    steps = [
        float(np.abs(np.diff(whole(1, 40).lay(cells, smoothing=s)[0])).max())
        for s in (0.0, 0.2, 0.5, 1.0)
    ]
    assert steps == pytest.approx([1.0, 1 / 4, 1 / 10, 1 / 20], abs=1e-6)


@settings(deadline=None, max_examples=40)
@given(threshold=st.floats(0, 1), smoothing=st.floats(0, 1), seed=st.integers(0, 99))
def test_a_saliency_map_marks_exactly_what_reaches_the_threshold(
    threshold: float, smoothing: float, seed: int
) -> None:
    cells = np.random.default_rng(seed).random((5, 5), dtype=np.float32)
    placement = whole(40, 40)
    laid = placement.lay(cells, smoothing=smoothing)
    layer = saliency(cells, threshold, opacity=1, smoothing=smoothing)
    marked = read(heat_map(layer, placement))[:, :, 3] == 255
    clear = np.abs(laid - threshold) > 1e-5
    assert (marked == (laid >= threshold))[clear].all()


def test_masked_pixels_get_no_colour() -> None:
    cells = np.ones((4, 4), np.float32)
    mask = np.zeros((40, 40), bool)
    mask[:, :20] = True
    layer = probability_layer(cells, opacity=1, mask=mask)
    alpha = read(heat_map(layer, whole(40, 40)))[:, :, 3]
    assert (alpha[:, :20] == 255).all()
    assert (alpha[:, 20:] == 0).all()
    under = Image.new("L", (40, 40), 77)
    assert (read(overlay(layer, whole(40, 40), under))[:, 20:] == 77).all()


def test_several_findings_keep_their_own_colours_and_the_first_is_topmost() -> None:
    left, right = np.zeros((1, 3), np.float32), np.zeros((1, 3), np.float32)
    left[0, :2], right[0, 1:] = 1, 1
    red, blue = (200, 0, 0), (0, 0, 200)
    layers = [
        probability_layer(left, opacity=1, smoothing=0, colour=red),
        probability_layer(right, opacity=1, smoothing=0, colour=blue),
    ]
    blended = read(composite(layers, whole(1, 3), Image.new("L", (3, 1))))
    assert blended[0].tolist() == [list(red), list(red), list(blue)]


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
    layer = probability_layer(cells, opacity=0.6)
    best = 9.0
    for _ in range(3):
        started = time.process_time()
        if over:
            overlay(layer, placement, under)
        else:
            heat_map(layer, placement)
        best = min(best, time.process_time() - started)
    assert best < 1.0
