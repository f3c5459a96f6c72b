# SPDX-License-Identifier: Apache-2.0
"""Images of bodies on which nothing is written lose nothing."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from benchmarks.deid_pixel_scans import SHARED, scans_without_text
from deid.pixels import CleanPixelStage, Hints, QuickText, RapidText
from deid.pixels.detector import _is_sure
from deid.pixels.lines import Line
from deid.pixels.reading import Needed
from deid.pixels.training.anatomy import Anatomy, read_scans
from tests.deid.test_deid_pixel_text import written

SIDE = 256


def pictures(seed: int, count: int) -> list[np.ndarray]:
    drawing = Anatomy(np.random.default_rng(seed), (), 16)
    return [drawing.picture(SIDE) for _ in range(count)]


def test_the_same_seed_draws_the_same_slices_of_bodies() -> None:
    first, again = pictures(3, 8), pictures(3, 8)
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    assert all(one.shape == (SIDE, SIDE) and np.isfinite(one).all() for one in first)
    assert all(one.min() >= 0.0 and one.max() <= 255.0 for one in first)
    assert np.mean([np.ptp(one) > 50.0 for one in first]) > 0.7


def test_slices_come_from_scans_where_there_are_some(tmp_path: Path) -> None:
    volume = np.zeros((40, 50, 30), np.float32)
    volume[8:32, 10:40, 5:25] = 900.0
    file = tmp_path / "template.nii.gz"
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), file)
    (scan,) = read_scans([file])
    assert scan.shape == volume.shape
    assert (scan.min(), scan.max()) == (0.0, 1.0)
    drawing = Anatomy(np.random.default_rng(4), [scan], 1)
    assert all(drawing.picture(SIDE).shape == (SIDE, SIDE) for _ in range(12))


def test_generated_heads_and_bodies_lose_next_to_nothing() -> None:
    stage = CleanPixelStage()
    areas = [
        float(stage.text_in(one.astype(np.uint8)[np.newaxis], Hints()).mean())
        for one in pictures(20, 40)
    ]
    assert np.mean(areas) < 0.002


@pytest.mark.skipif(not SHARED.exists(), reason="../shared/data is not here")
def test_real_scans_without_writing_lose_next_to_nothing() -> None:
    stage = CleanPixelStage()
    areas = [
        float(stage.text_in(frames, Hints()).mean()) for _, frames in scans_without_text(quick=True)
    ]
    assert len(areas) > 30
    assert np.mean(areas) < 0.001


def test_a_few_letters_must_read_clearly_where_the_line_is_doubtful() -> None:
    needed = Needed(0.4, 0.8)
    assert needed.of(9) == 0.4
    assert needed.of(4) == 0.8
    assert needed.of(1) == 0.8
    assert Needed(0.4, 0.4).of(1) == 0.75
    assert Needed(0.9).of(3) == 0.9


def test_a_short_name_is_found_all_the_same() -> None:
    assert QuickText().find(written(((40, 60), "LEE")))


def test_a_letter_alone_is_none_to_the_thorough_search_and_a_name_is_text() -> None:
    image = Image.new("L", (256, 256), 5)
    ImageDraw.Draw(image).text((90, 60), "B", fill=220, font=ImageFont.load_default(90))
    letter = np.asarray(image)
    assert RapidText().find(letter)
    assert not RapidText(doubting=True).find(letter)
    assert RapidText(doubting=True).find(written(((40, 60), "DOE^JANE 4471")))


def test_what_fills_a_quarter_of_a_small_picture_is_not_believed_unread() -> None:
    corners = np.array([(10, 20), (45, 20), (45, 43), (10, 43)], np.float32)
    assert not _is_sure(Line(corners, 0.99, 0), Hints(), (64, 64))
    assert _is_sure(Line(corners, 0.99, 0), Hints(), (480, 640))
