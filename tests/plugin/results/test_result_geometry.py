# SPDX-License-Identifier: AGPL-3.0-or-later
"""Regions are drawn where the model saw them, on images of any shape."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from inference.contract import (
    CodedConcept,
    FindingClass,
    ImageAnalysis,
    MapExtent,
    Outcome,
)
from plugin.results import ResultBuildError, ResultOptions, build
from plugin.results.polylines import area, simplify
from plugin.results.probability_field import linear_weights
from plugin.results.regions import MOST_POINTS, locate
from tests.plugin.results.samples import analysed, blob, dx_header, letterbox

FINDING = FindingClass(
    key="pneumothorax",
    name="Pneumothorax",
    code=CodedConcept(value="36118008", scheme="SCT", meaning="Pneumothorax"),
    threshold=0.5,
    patch_threshold=0.5,
)


def located(array, rows, columns, extent=None, finding=FINDING):
    image = ImageAnalysis(
        sop_instance_uid="1.2",
        rows=rows,
        columns=columns,
        extent=extent or letterbox(rows, columns),
        classes=(),
    )
    one = analysed("pneumothorax", array.astype(np.float32), present=True, probability=0.9)
    return locate(finding, one, image)


def cell_box(row, column, size, rows, columns):
    """Left, top, right, bottom of a cell on the image, cut at the image's edge."""
    extent = letterbox(rows, columns)
    side = (extent.right - extent.left) / size
    left, top = extent.left + column * side, extent.top + row * side
    low, high = np.array([left, top]), np.array([left + side, top + side])
    return np.clip(low, 0, [columns, rows]), np.clip(high, 0, [columns, rows])


SHAPES = st.tuples(st.integers(8, 3000), st.integers(8, 3000))


@settings(max_examples=60, deadline=None)
@given(
    shape=SHAPES,
    place=st.tuples(st.integers(0, 31), st.integers(0, 31)),
    peak=st.floats(0.5, 1.0),
)
def test_a_single_hot_cell_is_outlined_at_its_own_place(shape, place, peak):
    rows, columns = shape
    array = np.zeros((32, 32))
    array[place] = peak
    low, high = cell_box(*place, 32, rows, columns)
    found = located(array, rows, columns)
    side = max(rows, columns) / 32
    if (high - low < 0.02 * side).any():
        return
    assert found is not None
    (region,) = found.regions
    assert (region.outline >= low - side / 2 - 0.1).all()
    assert (region.outline <= high + side / 2 + 0.1).all()
    inside = (region.outline.min(axis=0) + region.outline.max(axis=0)) / 2
    assert (inside >= low - 0.1).all()
    assert (inside <= high + 0.1).all()


def test_a_certain_cell_between_empty_ones_is_outlined_to_its_edges():
    array = np.zeros((32, 32))
    array[10, 20] = 1.0
    (region,) = located(array, 320, 320).regions
    assert region.outline.min(axis=0) == pytest.approx([200, 100], abs=0.5)
    assert region.outline.max(axis=0) == pytest.approx([210, 110], abs=0.5)


def test_a_cell_barely_above_the_threshold_is_outlined_as_a_whole_cell():
    array = np.zeros((32, 32))
    array[10, 20] = 0.5
    (region,) = located(array, 320, 640).regions
    corners = {tuple(point) for point in region.outline}
    assert corners == {(400.0, 40.0), (420.0, 40.0), (420.0, 60.0), (400.0, 60.0)}


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    shape=SHAPES,
    size=st.sampled_from([1, 2, 8, 16, 64]),
    threshold=st.floats(0.0, 1.0),
)
def test_every_outline_is_closed_short_and_inside_the_image(seed, shape, size, threshold):
    rows, columns = shape
    array = np.random.default_rng(seed).random((size, size))
    finding = FINDING.model_copy(update={"patch_threshold": threshold})
    found = located(array, rows, columns, finding=finding)
    for region in found.regions if found else ():
        outline = region.outline
        assert np.array_equal(outline[0], outline[-1])
        assert 4 <= len(outline) <= MOST_POINTS
        assert (outline >= 0).all()
        assert (outline <= [columns, rows]).all()
        assert np.array_equal(outline, outline.astype(np.float32))
        assert region.probability >= threshold - 1e-6


@pytest.mark.parametrize("shape", [(512, 512), (900, 300), (300, 900), (333, 517)])
def test_outlines_and_segmentation_show_the_same_pixels(shape, model, answer):
    rows, columns = shape
    array = np.maximum(blob(30, 30, 3, 0.95), blob(36, 33, 2, 0.52))
    analysis = ImageAnalysis(
        sop_instance_uid="1.2",
        rows=rows,
        columns=columns,
        extent=letterbox(rows, columns),
        classes=(analysed("pneumothorax", array, present=True, probability=0.9),),
    )
    header = dx_header(rows, columns)
    built = build(header, model, answer(Outcome.FINDINGS), analysis, ResultOptions())
    by_kind = {one.kind: one.dataset for one in built}
    drawn = Image.new("1", (columns * 4, rows * 4))
    for annotation in by_kind["PR"].GraphicAnnotationSequence:
        for graphic in annotation.get("GraphicObjectSequence", []):
            points = np.array(graphic.GraphicData).reshape(-1, 2) * 4
            ImageDraw.Draw(drawn).polygon([tuple(point) for point in points], fill=1)
    outlined = np.array(drawn)[2::4, 2::4]
    segmented = by_kind["SEG"].pixel_array.reshape(-1, rows, columns).any(axis=0)
    either, both = (outlined | segmented).sum(), (outlined & segmented).sum()
    assert both / either > 0.95


def test_cells_that_touch_at_a_corner_only_are_two_regions():
    array = np.zeros((16, 16))
    array[4, 4] = array[5, 5] = 0.9
    found = located(array, 160, 160)
    assert [region.number for region in found.regions] == [1, 2]


def test_the_most_probable_region_comes_first():
    array = np.zeros((16, 16))
    array[2, 2], array[10, 10] = 0.7, 0.9
    found = located(array, 160, 160)
    assert [region.probability for region in found.regions] == pytest.approx([0.9, 0.7])
    assert found.regions[0].outline.mean() > 80


def test_what_lies_on_the_letterbox_border_is_not_drawn():
    array = np.zeros((16, 16))
    array[8, 0] = 1.0
    assert located(array, 160, 40) is None


def test_a_map_of_a_part_of_the_image_stays_in_that_part():
    extent = MapExtent(left=50, top=20, right=90, bottom=60)
    found = located(np.ones((8, 8)), 100, 100, extent)
    assert found.regions[0].outline.min(axis=0) == pytest.approx([50, 20])
    assert found.regions[0].outline.max(axis=0) == pytest.approx([90, 60])
    outside = found.field.sample(np.array([49.0, 91.0]), np.array([19.0, 61.0]))
    assert not outside.any()


def test_values_that_are_no_numbers_count_as_zero():
    array = np.zeros((16, 16))
    array[3, 3] = np.nan
    assert located(array, 160, 160) is None


@pytest.mark.parametrize("right", [0.0, -5.0, float("nan"), float("inf")])
def test_a_map_without_area_is_refused(dx, model, answer, image, right):
    flat = MapExtent(left=0, top=0, right=right, bottom=100)
    broken = image(300, 200).model_copy(update={"extent": flat})
    with pytest.raises(ResultBuildError, match="no area"):
        build(dx, model, answer(Outcome.FINDINGS), broken, ResultOptions())


@given(count=st.integers(1, 70), size=st.floats(0.1, 50), start=st.floats(-100, 100))
def test_interpolation_repeats_the_map_at_cell_centres(count, size, start):
    centres = start + (np.arange(count) + 0.5) * size
    weights = linear_weights(centres, start, size, count)
    assert weights == pytest.approx(np.eye(count), abs=1e-3)


def test_interpolation_is_linear_between_centres_and_constant_at_the_edge():
    weights = linear_weights(np.array([0.0, 10.0, 15.0, 20.0]), 0.0, 10.0, 2)
    assert weights.tolist() == [[1, 0], [0.5, 0.5], [0, 1], [0, 1]]


def test_simplification_keeps_a_square_and_its_area():
    side = np.linspace(0, 1, 50)
    zero, one = np.zeros(50), np.ones(50)
    square = np.vstack(
        [
            np.column_stack([side, zero]),
            np.column_stack([one, side]),
            np.column_stack([side[::-1], one]),
            np.column_stack([zero, side[::-1]]),
        ]
    )
    simple = simplify(square, 0.01, 100)
    assert len(simple) == 5
    assert area(simple) == pytest.approx(1.0)
