# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.heatmap.letterbox import letterbox, letterbox_coverage, letterbox_extent

sides = st.integers(1, 700)
cells = st.sampled_from([8, 64, 256])


def centre_of_mass(square):
    total = square.sum()
    index = np.arange(len(square)) + 0.5
    return float((square.sum(axis=0) @ index) / total), float((square.sum(axis=1) @ index) / total)


@settings(max_examples=80, deadline=None)
@given(sides, sides, cells, st.booleans(), st.booleans())
def test_a_corner_marker_is_found_again_through_the_extent(rows, columns, n, bottom, right):
    image = np.zeros((rows, columns), dtype=np.float32)
    y, x = (rows - 1 if bottom else 0), (columns - 1 if right else 0)
    image[y, x] = 1.0
    extent = letterbox_extent(rows, columns)
    cell = (extent.right - extent.left) / n
    at_x, at_y = centre_of_mass(letterbox(image, n))
    # A marker smaller than a cell lies somewhere in it; a larger one is spread about its centre.
    tolerance = max(0.5 * cell, 0.5) + 1e-3 * max(rows, columns)
    assert extent.left + at_x * cell == pytest.approx(x + 0.5, abs=tolerance)
    assert extent.top + at_y * cell == pytest.approx(y + 0.5, abs=tolerance)


@settings(max_examples=60, deadline=None)
@given(sides, sides, cells)
def test_averaging_keeps_the_total(rows, columns, n):
    image = np.random.default_rng(rows * 1000 + columns).random((rows, columns), dtype=np.float32)
    cell = max(rows, columns) / n
    assert letterbox(image, n).sum() * cell**2 == pytest.approx(image.sum(), rel=1e-3)


@settings(max_examples=60, deadline=None)
@given(sides, sides, cells)
def test_an_even_image_stays_even_and_its_surround_is_zero(rows, columns, n):
    square = letterbox(np.ones((rows, columns), dtype=np.float32), n)
    assert np.allclose(square, letterbox_coverage(rows, columns, n), atol=1e-4)
    assert square.max() <= 1.0 + 1e-4


@given(sides, sides)
def test_the_extent_is_the_smallest_centred_square(rows, columns):
    extent = letterbox_extent(rows, columns)
    side = max(rows, columns)
    assert extent.right - extent.left == extent.bottom - extent.top == side
    assert extent.left + extent.right == columns
    assert extent.top + extent.bottom == rows


def test_whole_cells_average_their_pixels():
    image = np.arange(64, dtype=np.float32).reshape(8, 8)
    expected = image.reshape(4, 2, 4, 2).mean(axis=(1, 3))
    assert np.allclose(letterbox(image, 4), expected)


def test_a_wide_image_lies_in_the_middle_rows():
    square = letterbox(np.ones((100, 200), dtype=np.float32), 8)
    assert square[:2].sum() == square[6:].sum() == 0
    assert np.allclose(square[2:6], 1.0)
