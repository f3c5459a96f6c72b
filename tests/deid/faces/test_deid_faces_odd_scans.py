# SPDX-License-Identifier: Apache-2.0
"""Heads in odd forms: the face goes or the series waits for a person, and none passes unseen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset

from deid import FaceMaskError
from tests.deid.faces.phantom_heads import Acquisition, PhantomHead, phantom_head
from tests.deid.faces.surfaces import landmark_distances
from tests.deid.faces.test_deid_faces import CT, cleaned, pixels_of, trunk

MR = replace(CT, weighting="T1")


@pytest.fixture(scope="module")
def head() -> PhantomHead:
    return phantom_head(1, CT)


def stored(head: PhantomHead, values: NDArray[Any], **attributes: Any) -> list[Dataset]:
    """The head's slices with other stored values of 16 bits."""
    slices = head.slices(**attributes)
    for one, plane in zip(slices, values, strict=True):
        one.PixelData = np.ascontiguousarray(plane).tobytes()
    return slices


@pytest.mark.parametrize("words", ["HEAD", None])
def test_ct_without_hounsfield_units_is_not_taken_for_a_trunk(
    head: PhantomHead, words: str | None
) -> None:
    """Air of 0 lies above where the skin begins, so that all of it seems to be a patient."""
    raw = (head.pixels.astype(int) + 1024).clip(0).astype("<u2")
    slices = stored(
        head, raw, PixelRepresentation=0, BodyPartExamined=words,
        RescaleSlope=None, RescaleIntercept=None,
    )  # fmt: skip
    with pytest.raises(FaceMaskError):
        cleaned(slices)


def test_inverted_and_noisy_mr_of_an_unnamed_region_is_refused() -> None:
    mr = phantom_head(2, MR)
    chance = np.random.default_rng(1)
    noisy = np.where(
        mr.pixels > 60, 2048 + mr.pixels // 2, chance.integers(0, 4096, mr.pixels.shape)
    )
    for values in (int(mr.pixels.max()) - mr.pixels, noisy):
        with pytest.raises(FaceMaskError, match="told apart"):
            cleaned(stored(mr, values.astype("<i2"), BodyPartExamined=None))


def test_a_cushion_beside_a_head_makes_no_trunk_of_it(head: PhantomHead) -> None:
    with_cushion = np.pad(head.pixels, ((0, 0), (0, 40), (60, 60)), constant_values=-1000)
    behind = int(np.flatnonzero((head.pixels > -400).any(axis=(0, 2)))[-1]) + 3
    with_cushion[:, behind : behind + 42, 5:-5] = -150
    slices = head.slices(
        Rows=with_cushion.shape[1], Columns=with_cushion.shape[2], BodyPartExamined=None
    )
    for one, plane in zip(slices, with_cushion, strict=True):
        one.PixelData = plane.tobytes()
    with pytest.raises(FaceMaskError):
        cleaned(slices)


@pytest.mark.parametrize("weighting", ["CT", "T1"])
@pytest.mark.parametrize(("direction", "size"), [("coronal", 45.0), ("sagittal", 10.0)])
def test_a_thin_slab_of_the_face_is_not_taken_for_the_top_of_a_head(
    weighting: str, direction: str, size: float
) -> None:
    """Its upper side is no larger than the cut through a cap, and it ends 60 mm below."""
    whole = phantom_head(4, Acquisition(weighting, direction, spacing=(4.0, 2.4)))
    places = np.moveaxis(np.indices(whole.pixels.shape), 0, -1) @ whole.axes.T + whole.origin
    along = places[:, 0, 0, 1 if direction == "coronal" else 0]
    nose = whole.landmarks["nose"][1]
    near = along < nose + size if direction == "coronal" else np.abs(along) < size
    heights = places[0, :, 0, 2]
    rows = np.flatnonzero((heights > -110.0) & (heights < -50.0))
    planes = np.flatnonzero(near)
    cropped = whole.pixels[planes[0] : planes[-1] + 1, rows[0] : rows[-1] + 1]
    start = whole.origin + whole.axes @ np.array([planes[0], rows[0], 0])
    slab = replace(whole, pixels=np.ascontiguousarray(cropped), origin=start)
    with pytest.raises(FaceMaskError):
        cleaned(slab.slices())


def test_a_thin_slab_of_a_whole_mr_head_is_refused_and_breaks_nothing() -> None:
    whole = phantom_head(5, Acquisition("T1", "sagittal", spacing=(4.0, 3.0)))
    middle = len(whole.pixels) // 2
    slab = replace(
        whole, pixels=whole.pixels[middle - 3 : middle + 3],
        origin=whole.origin + whole.axes[:, 0] * (middle - 3),
    )  # fmt: skip
    with pytest.raises(FaceMaskError):
        cleaned(slab.slices())


@pytest.mark.parametrize(
    ("angles", "why"),
    [
        ((0.0, 60.0, 0.0), "turned aside"),
        ((0.0, -90.0, 0.0), "turned aside"),
        ((-30.0, 0.0, 0.0), "chin is lifted"),
        ((25.0, 0.0, 0.0), "bent forward|orientation"),
        ((0.0, 180.0, 0.0), "orientation"),
    ],
)
@pytest.mark.parametrize("base", [CT, MR], ids=["CT", "MR"])
def test_a_head_in_a_position_that_no_face_is_drawn_for_is_refused(
    base: Acquisition, angles: tuple[float, float, float], why: str
) -> None:
    with pytest.raises(FaceMaskError, match=why):
        cleaned(phantom_head(11, replace(base, angles=angles)).slices())


@pytest.mark.parametrize("angles", [(15.0, 0.0, 0.0), (-15.0, 0.0, 0.0), (0.0, 30.0, 0.0)])
def test_a_head_that_is_turned_a_little_is_treated(angles: tuple[float, float, float]) -> None:
    turned = phantom_head(11, replace(CT, spacing=(4.0, 2.4), angles=angles))
    made = pixels_of(cleaned(turned.slices()))
    assert np.array_equal(made[turned.inside], turned.pixels[turned.inside])
    assert np.median(list(landmark_distances(turned, made).values())) >= 8.0


def test_a_series_that_is_said_to_show_a_face_never_passes_where_none_is_found() -> None:
    for slices in (trunk("CHEST"), trunk("KNEE")[:1]):
        slices[0].RecognizableVisualFeatures = "YES"
        with pytest.raises(FaceMaskError, match="YES"):
            cleaned(slices)


def test_two_echoes_in_any_order_of_files_are_both_treated() -> None:
    echoes = [phantom_head(21, replace(CT, weighting=w)) for w in ("T1", "T2")]
    files = [one for echo in echoes for one in echo.slices()]
    for number, one in enumerate(files):
        one.SOPInstanceUID = f"2.25.77{number:04d}"
    order = np.random.default_rng(1).permutation(len(files))
    made = cleaned([files[at] for at in order])
    count = len(echoes[0].pixels)
    for turn, echo in enumerate(echoes):
        numbers = [int(np.flatnonzero(order == turn * count + at)[0]) for at in range(count)]
        pixels = np.stack([made[at].pixel_array for at in numbers])
        assert np.array_equal(pixels[echo.inside], echo.pixels[echo.inside])
        assert np.median(list(landmark_distances(echo, pixels).values())) >= 8.0
