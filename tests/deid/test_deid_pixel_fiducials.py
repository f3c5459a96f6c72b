# SPDX-License-Identifier: Apache-2.0
"""Masks that tell what they hide, in values that are padding."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom import Dataset, dcmread

from deid import Deidentifier, Policy
from deid.pixels import Fiducial, fiducials_in
from deid.pixels.fiducials import reserved_values
from deid.policy import PixelMarks, PixelText
from deid.profile_files import load
from inference.heatmap.pixels import square_image
from tests.deid.made_scans import KEY, PIPELINE, file_of
from tests.deid.test_deid_pixel_text import scan
from tests.deid.test_deid_real_files import dciodvfy_errors, needs_dciodvfy

POLICY = Policy(pixel_text=PixelText.MASK, pixel_marks=PixelMarks.FIDUCIALS)
FONT = ImageFont.load_default(24)
LINES = {(20, 20): "DOE, JANE", (20, 120): "12.03.1950", (20, 220): "LIVER"}


def body(dtype: type[np.generic] = np.int16) -> NDArray[np.generic]:
    """A bright ellipse on a dim ground, with noise."""
    rows, columns = np.mgrid[0:300, 0:400]
    inside = ((rows - 150) / 140) ** 2 + ((columns - 260) / 130) ** 2
    values = 40 + 400 * np.clip(1.2 - inside, 0.0, 1.0)
    return (values + np.random.default_rng(4).normal(0.0, 4.0, values.shape)).astype(dtype)


def deep_image() -> NDArray[np.generic]:
    """The same with three lines on it."""
    picture = Image.new("L", (400, 300))
    for place, text in LINES.items():
        ImageDraw.Draw(picture).text(place, text, fill=255, font=FONT)
    return np.where(np.asarray(picture) > 100, 1000, body()).astype(np.int16)


def cleaned(dataset: Dataset, policy: Policy = POLICY) -> tuple[Dataset, list[str]]:
    dataset.PatientName = "Doe^Jane"
    made = Deidentifier(KEY, PIPELINE, policy).deidentify(file_of(dataset))
    rules = [one.rule for one in made.report.elements if one.path == "7FE00010"]
    return dcmread(BytesIO(made.to_bytes())), rules


@pytest.mark.parametrize("dark", ["MONOCHROME2", "MONOCHROME1"])
def test_a_fiducial_tells_the_kind_of_the_text_and_where_it_was(dark: str) -> None:
    made, rules = cleaned(scan(deep_image(), PhotometricInterpretation=dark))
    found = {kind: (left, top) for kind, (left, top, _, _) in fiducials_in(made)}
    assert found.keys() == {Fiducial.PATIENT, Fiducial.DATE, Fiducial.TEXT}
    for kind, near in zip((Fiducial.PATIENT, Fiducial.DATE, Fiducial.TEXT), LINES, strict=True):
        assert np.allclose(found[kind], near, atol=20)
    assert rules[-1] == "text in pixels: 1 PATIENT, 1 DATE, 1 TEXT"


def test_fiducials_are_snug_and_leave_all_else_as_it_was() -> None:
    image = deep_image()
    made, _ = cleaned(scan(image))
    changed = made.pixel_array != image
    ink = image == 1000
    assert changed[ink].all()
    assert changed.mean() < 12.0 * ink.mean()


@pytest.mark.parametrize("dark", ["MONOCHROME2", "MONOCHROME1"])
def test_models_take_fiducials_for_padding(dark: str) -> None:
    made, _ = cleaned(scan(deep_image(), PhotometricInterpretation=dark))
    masked = made.pixel_array != deep_image()
    # Letterboxed: 300 of 400 rows are image, pixel by pixel.
    seen = square_image(made, 400).values[50:350]
    assert (seen[masked] == 0).all()
    # The rest is as bright as in an image that never had text: a mask is no value of it.
    without = dcmread(BytesIO(file_of(scan(body(), PhotometricInterpretation=dark))))
    plain = square_image(without, 400).values[50:350]
    assert np.allclose(seen[~masked], plain[~masked], atol=0.04)


def test_a_range_of_padding_that_was_there_stays_padding() -> None:
    image = deep_image()
    image[290:] = -2000
    made, _ = cleaned(scan(image, PixelPaddingValue=-2000))
    assert (made.PixelPaddingValue, made.PixelPaddingRangeLimit) == (-2008, -2000)
    assert (made.pixel_array[290:] == -2000).all()


def test_an_image_without_values_to_spare_is_masked_all_the_same() -> None:
    image = np.zeros((300, 400), np.uint8)
    image[:, :256] = np.arange(256)
    picture = Image.fromarray(image)
    ImageDraw.Draw(picture).text((265, 40), "DOE, JANE", fill=255, font=FONT)
    written = np.asarray(picture)
    made, rules = cleaned(scan(written))
    assert fiducials_in(made) == []
    assert "PixelPaddingRangeLimit" not in made
    assert rules[-1] == "text in pixels: 1 PATIENT"
    assert not made.pixel_array[:, 270:].any()


def test_an_image_without_text_declares_nothing() -> None:
    made, rules = cleaned(scan(body()))
    assert fiducials_in(made) == []
    assert "PixelPaddingValue" not in made
    assert rules[-1] == "text in pixels"


def test_what_was_padding_before_is_no_fiducial() -> None:
    dataset = scan(deep_image(), PixelPaddingValue=-10, PixelPaddingRangeLimit=-3)
    fill = Policy(pixel_text=PixelText.MASK)
    assert fiducials_in(cleaned(dataset, fill)[0]) == []


def test_reserved_values_are_darker_than_all_pixels_or_the_darkest_that_no_pixel_has() -> None:
    dim = np.array([[[500, 503]]], np.int16)
    assert reserved_values(dim, np.zeros((1, 2), np.bool_), (-1000, 1000)) == (492, 1, 499)
    frames = np.array([[[0, 3, 20, 255]]], np.uint8)
    nothing = np.zeros((1, 4), np.bool_)
    assert reserved_values(frames, nothing, (0, 255)) == (4, 1, 11)
    assert reserved_values(frames, nothing, (0, 255), inverted=True) == (254, -1, 247)
    assert reserved_values(frames, nothing, (0, 255), (3,)) is None
    assert reserved_values(frames, nothing, (0, 255), (20, 30)) == (12, 1, 30)


@needs_dciodvfy
def test_fiducials_are_valid_dicom(tmp_path: Path) -> None:
    plain = cleaned(scan(deep_image()), Policy(pixel_text=PixelText.MASK))[0]
    marked = cleaned(scan(deep_image()))[0]
    for dataset, name in ((plain, "plain.dcm"), (marked, "marked.dcm")):
        dataset.save_as(tmp_path / name)
    new = dciodvfy_errors(tmp_path / "marked.dcm") - dciodvfy_errors(tmp_path / "plain.dcm")
    assert not new


def test_a_profile_file_asks_for_them(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text('pixel_text = "mask"\npixel_marks = "fiducials"\n', encoding="utf-8")
    assert load(str(path)).policy.pixel_marks is PixelMarks.FIDUCIALS
