# SPDX-License-Identifier: Apache-2.0
"""What is too thick for letters, or too much for its picture, must read to be masked."""

from __future__ import annotations

import numpy as np
import pytest

from deid.pixels import Hints
from deid.pixels.detector import QuickText, _is_lofty, _is_sure
from deid.pixels.lines import Line
from tests.deid.faces.phantom_heads import Acquisition, phantom_head
from tests.deid.test_deid_pixel_text import cleaned, written


def line(width: float, height: float, sure: float, level: int = 0) -> Line:
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    return Line(corners, sure, level)


@pytest.mark.parametrize("seed", [1, 4])
def test_slices_of_a_few_pixels_lose_nothing(seed: int) -> None:
    """A skull of 60 pixels looks like a large O."""
    for one in phantom_head(seed, Acquisition(spacing=(6.0, 3.2))).slices():
        made = cleaned(one)
        assert made.PixelData == one.PixelData
        assert made.BurnedInAnnotation == "NO"


def test_a_transducer_outside_of_the_declared_regions_is_no_line() -> None:
    outside = Hints(outside=np.ones((600, 800), np.bool_))
    assert _is_sure(line(220, 20, 0.7), outside, (600, 800))
    assert _is_sure(line(220, 40, 0.7, 1), outside, (600, 800))
    assert not _is_sure(line(530, 150, 0.98, 2), outside, (600, 800))


def test_a_line_over_half_of_a_small_picture_must_read() -> None:
    seen = Hints()
    assert _is_sure(line(200, 20, 0.99), seen, (480, 640))
    assert _is_sure(line(40, 10, 0.99), seen, (64, 64))
    assert not _is_sure(line(40, 40, 0.99), seen, (62, 80))
    assert _is_lofty(line(60, 42, 0.9), (480, 640))
    assert not _is_lofty(line(60, 42, 0.9, 1), (480, 640))


def test_a_word_of_the_size_of_its_small_picture_is_found() -> None:
    """Where it reads as a word it is one, whatever its size."""
    name = written(((2, 2), "JANE DOE"))[:32, :120]
    assert QuickText().find(np.ascontiguousarray(name))
