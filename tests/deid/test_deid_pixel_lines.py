# SPDX-License-Identifier: Apache-2.0
"""The quick search: a small network finds lines, and what it doubts is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from deid.deidentifier import Deidentifier
from deid.pixels import QuickText, ThoroughText, find_text, representatives
from deid.pixels.lines import Line, LineFinder
from deid.policy import PixelSearch, PixelText
from deid.profile_files import load
from tests.deid.made_scans import KEY, PIPELINE

BOX = np.array([(100, 100), (160, 100), (160, 120), (100, 120)], np.float32)


@pytest.fixture(scope="module")
def detector() -> QuickText:
    return QuickText()


def picture(size: int, shape: tuple[int, int], place: tuple[int, int]) -> NDArray[np.uint8]:
    image = Image.new("L", shape, 12)
    face = ImageFont.load_default(size)
    ImageDraw.Draw(image).text(place, "DOE JANE 1950-03-14", fill=240, font=face)
    return np.asarray(image)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [8, 12, 20, 40])
def test_lines_small_and_large_are_found_whichever_way_they_stand(
    detector: QuickText, size: int, turns: int
) -> None:
    made = np.ascontiguousarray(np.rot90(picture(size, (640, 480), (70, 200)), turns))
    mask = find_text(made[np.newaxis], detector)
    assert mask[made > 100].mean() > 0.95
    assert mask.mean() < 0.15


def test_a_line_across_the_border_of_two_tiles_is_found_whole(detector: QuickText) -> None:
    made = picture(16, (1500, 1100), (950, 1015))
    mask = find_text(made[np.newaxis], detector)
    assert mask[made > 100].mean() > 0.95
    assert mask.mean() < 0.02


def test_letters_that_only_their_colour_tells_apart_are_found(detector: QuickText) -> None:
    letters = picture(20, (640, 480), (70, 200)) > 100
    made = np.where(letters[..., np.newaxis], [250, 40, 40], [250, 235, 120]).astype(np.uint8)
    mask = find_text(made[np.newaxis], detector)
    assert mask[letters].mean() > 0.95


class _Lines:
    """A network that is as sure as it is told to be."""

    def __init__(self, sure: float, level: int = 0) -> None:
        self._line = Line(BOX, sure, level)

    def find(self, grey: NDArray[np.uint8]) -> list[Line]:
        return [self._line]


class _Reader:
    """Reads the same everywhere, and counts."""

    def __init__(self, text: str) -> None:
        self._text, self.read_boxes = text, 0

    def read(
        self, picture: NDArray[np.uint8], boxes: list[NDArray[np.float32]], *_: object
    ) -> list[str]:
        self.read_boxes += len(boxes)
        return [self._text for _ in boxes]


def _asked(finder: _Lines, reader: _Reader, *, reading: bool = False) -> list[str]:
    quick = QuickText(reading=reading)
    quick._finder, quick._rapid = finder, reader  # type: ignore[assignment]
    return [found.text for found in quick.find(np.zeros((300, 300), np.uint8))]


def test_a_sure_line_is_masked_though_nobody_can_read_it() -> None:
    reader = _Reader("")
    assert _asked(_Lines(0.99), reader) == [""]
    assert reader.read_boxes == 0
    assert _asked(_Lines(0.99), reader, reading=True) == [""]
    assert reader.read_boxes == 1


def test_a_doubtful_line_is_masked_only_if_it_can_be_read() -> None:
    assert _asked(_Lines(0.6), _Reader("")) == []
    assert _asked(_Lines(0.6), _Reader("DOE")) == ["DOE"]


def test_large_shapes_are_read_however_sure_the_network_is() -> None:
    assert _asked(_Lines(0.99, level=2), _Reader("")) == []
    assert _asked(_Lines(0.99, level=2), _Reader("DOE")) == ["DOE"]


def test_the_same_letter_again_and_again_is_none_if_the_network_doubts_it() -> None:
    assert _asked(_Lines(0.8), _Reader("O")) == []
    assert _asked(_Lines(0.8), _Reader("XXXXXX")) == []
    assert _asked(_Lines(0.8), _Reader("DOE")) == ["DOE"]


def test_a_doubt_that_was_settled_is_not_read_again() -> None:
    reader = _Reader("")
    quick = QuickText()
    quick._finder, quick._rapid = _Lines(0.6), reader  # type: ignore[assignment]
    assert quick.find(np.zeros((300, 300, 3), np.uint8)) == []
    assert reader.read_boxes == 1


def test_the_thorough_search_finds_what_either_search_finds() -> None:
    thorough = ThoroughText()
    thorough._both[0]._finder = _Lines(0.99)  # type: ignore[assignment]
    made = picture(20, (640, 480), (70, 300))
    mask = find_text(made[np.newaxis], thorough)
    assert mask[105:115, 105:155].all()
    assert mask[made > 100].mean() > 0.95


def test_many_frames_are_seen_through_their_extremes_and_a_few_of_them() -> None:
    frames = np.random.default_rng(3).integers(0, 200, (60, 20, 30)).astype(np.uint8)
    seen = representatives(frames)
    assert len(seen) == 10
    assert np.array_equal(seen[0], frames.max(axis=0))
    assert np.array_equal(seen[1], frames.min(axis=0))
    assert representatives(frames[:10]) is not None
    assert len(representatives(frames[:10])) == 10


@pytest.mark.parametrize("shown", [range(37, 38), range(20, 24)])
@pytest.mark.parametrize("moving", [False, True])
def test_frames_after_a_cut_are_looked_at(shown: range, moving: bool) -> None:
    columns = 110 - np.abs(np.linspace(-90, 90, 400, dtype=np.float32))
    frames = np.stack([np.tile(np.roll(columns, 5 * at * moving), (240, 1)) for at in range(60)])
    frames = frames.astype(np.uint8)
    image = Image.new("L", (400, 240))
    ImageDraw.Draw(image).text((20, 20), "DOE^JANE 1950", 255, font=ImageFont.load_default(22))
    ink = np.asarray(image) > 127
    for at in shown:
        # As bright as the ground is elsewhere: neither the brightest nor the darkest shows it.
        frames[at][ink] = 90 if at % 2 else 88
    seen = representatives(frames)
    assert 10 < len(seen) <= 14
    assert any(np.ptp(frame[ink]) <= 2 for frame in seen[2:])


def test_a_picture_smaller_than_the_network_can_shrink_is_looked_at() -> None:
    assert LineFinder().find(np.full((9, 5), 12, np.uint8)) == []


def test_a_profile_chooses_the_thorough_search(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text('pixel_text = "mask"\npixel_search = "thorough"\n', encoding="utf-8")
    policy = load(str(path)).policy
    assert policy.pixel_search is PixelSearch.THOROUGH
    assert policy.pixel_text is PixelText.MASK
    stages = Deidentifier(KEY, PIPELINE, policy)._stages
    assert any(isinstance(getattr(stage, "_detector", None), ThoroughText) for stage in stages)
