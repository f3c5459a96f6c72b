# SPDX-License-Identifier: Apache-2.0
"""Lines that may stay: once read they stay, whatever other looks read there."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from deid.pixels import CleanPixelStage, Found, Hints, Keep, PixelSettings
from deid.pixels.keeping import KeptLines
from deid.pixels.reading import Rapid

SHAPE = (2, 200, 300)
LINES = ("7.5 MHz", "10 mm", "62 dB", "L MLO", "AP")


@pytest.fixture(scope="module")
def stage() -> CleanPixelStage:
    return CleanPixelStage(settings=PixelSettings(Keep.TECHNICAL))


def _drawn(size: int, *, noisy: bool) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.bool_]]]:
    """An image of lines that may stay, and a name; where the ink of each is."""
    rng = np.random.default_rng(size)
    ground = rng.normal(30, 12 if noisy else 0, (600, 400)).clip(0, 255).astype(np.uint8)
    image, ink = Image.fromarray(ground), {}
    for at, text in enumerate((*LINES, "DOE^JANE 1950")):
        before = np.asarray(image).copy()
        place = (30 + 40 * (at % 3), 20 + 95 * at)
        ImageDraw.Draw(image).text(place, text, fill=235, font=ImageFont.load_default(size))
        ink[text] = np.asarray(image).astype(int) - before > 40
    return np.asarray(image), ink


@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("size", [16, 26])
def test_lines_that_may_stay_outlive_the_look_in_which_they_stand_upright(
    stage: CleanPixelStage, size: int, noisy: bool
) -> None:
    pixels, ink = _drawn(size, noisy=noisy)
    covered = stage.text_in(pixels[np.newaxis], Hints(denied=frozenset({"doe", "jane"})))
    assert [text for text in LINES if covered[ink[text]].any()] == []
    assert covered[ink["DOE^JANE 1950"]].mean() > 0.95


def _found(text: str, left: int, right: int) -> Found:
    corners = [(left, 50), (right, 50), (right, 70), (left, 70)]
    return Found(np.array(corners, np.float32), text)


def _turned(found: Found, text: str) -> Found:
    """The same place in the image turned by a right angle, as ``numpy.rot90`` turns it."""
    x, y = found.corners.T
    return Found(np.stack([y, SHAPE[2] - 1 - x], axis=1).astype(np.float32), text)


def test_a_line_stays_at_later_looks_and_in_other_windows_of_its_frame_only() -> None:
    kept, hints = KeptLines(Keep.TECHNICAL, SHAPE), Hints()
    line, part = _found("7.5 MHz", 40, 120), _found("5 MH", 60, 110)
    assert kept.others(0, [part, line], hints) == []
    assert kept.others(0, [_turned(line, "ZHW S'L")], hints, turned=True) == []
    assert len(kept.others(1, [_turned(line, "ZHW S'L")], hints, turned=True)) == 1


def test_a_longer_line_and_one_with_a_name_go_where_one_was_kept() -> None:
    kept, hints = KeptLines(Keep.TECHNICAL, SHAPE), Hints(denied=frozenset({"rossi"}))
    longer, named = _found("R Miller", 40, 160), _found("Rossi", 40, 62)
    assert kept.others(0, [_found("R", 40, 60), longer, named], hints) == [longer, named]


def test_letters_as_wide_as_han_ones_are_the_same_letters() -> None:
    assert KeptLines(Keep.TECHNICAL, SHAPE).others(0, [_found("ＲCC", 40, 80)], Hints()) == []
    assert len(KeptLines(Keep.NOTHING, SHAPE).others(0, [_found("R CC", 40, 80)], Hints())) == 1


@pytest.mark.parametrize("turns", [1, 3])
def test_an_upright_line_is_read_the_way_that_reads_better(turns: int) -> None:
    pixels, ink = _drawn(26, noisy=False)
    rows, columns = np.nonzero(ink["7.5 MHz"])
    line = pixels[rows.min() - 4 : rows.max() + 5, columns.min() - 4 : columns.max() + 5]
    turned = np.ascontiguousarray(np.rot90(line, turns))
    picture = np.repeat(turned[:, :, np.newaxis], 3, axis=2)
    high, wide = turned.shape
    box = np.array([(0, 0), (wide, 0), (wide, high), (0, high)], np.float32)
    (read,) = Rapid().read(picture, [box])
    assert read.replace(" ", "") == "7.5MHz"
