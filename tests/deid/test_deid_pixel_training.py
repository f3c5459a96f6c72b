# SPDX-License-Identifier: Apache-2.0
"""Scenes from which the finder of lines learns, and that what it learns can be written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deid.pixels.lines import STRIDE, LineFinder
from deid.pixels.training.scenes import SIDE, Scene, Scenes
from deid.pixels.training.writing import Fonts

FONTS = Path("/usr/share/fonts")


@pytest.fixture(scope="module")
def fonts() -> Fonts:
    try:
        return Fonts(FONTS, ["DejaVu", "CJK"])
    except FileNotFoundError:
        pytest.skip("fonts of all scripts are not installed")


def scenes(fonts: Fonts, count: int) -> list[Scene]:
    drawing = Scenes(fonts, 5, grounds=3)
    return [drawing.next() for _ in range(count)]


def test_the_same_seed_draws_the_same_scenes(fonts: Fonts) -> None:
    for one, other in zip(scenes(fonts, 6), scenes(fonts, 6), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_what_is_marked_is_part_of_the_picture_and_differs_from_what_is_around(
    fonts: Fonts,
) -> None:
    made = scenes(fonts, 60)
    assert all(scene.grey.shape == (SIDE, SIDE) for scene in made)
    assert all(scene.grey.min() >= 0.0 and scene.grey.max() <= 1.0 for scene in made)
    marked = [scene for scene in made if scene.marked.any()]
    assert 20 < len(marked) < 60
    busy = []
    for scene in marked:
        steps = np.abs(np.diff(scene.grey, axis=1, append=0.0))[::STRIDE, ::STRIDE]
        busy.append(steps[scene.marked > 0].mean() > steps[scene.marked == 0].mean())
    assert np.mean(busy) > 0.8


def test_fonts_of_a_test_set_are_left_out(fonts: Fonts) -> None:
    east = [path for paths, _ in fonts.east for path in paths]
    assert not any("DejaVu" in path or "CJK" in path for path in (*fonts.west, *east))


def test_without_fonts_it_is_said_which_to_install(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="fonts-freefont-ttf"):
        Fonts(tmp_path, [])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_trained_network_is_written_and_answers_for_any_size(
    fonts: Fonts, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from deid.pixels.training import __main__ as training

    written = tmp_path / "lines.onnx"
    measured = training.train(fonts, 2, written, grounds=4)
    assert set(measured) == {"found", "in_vain"}
    finder = LineFinder(weights=written)
    assert finder._map(np.zeros((70, 53), np.uint8)).shape == (35, 27)


def test_slivers_of_letters_at_the_border_are_neither_line_nor_ground(fonts: Fonts) -> None:
    left_out = [scene for scene in scenes(fonts, 150) if not scene.weight.all()]
    assert left_out
    for scene in left_out:
        rows, columns = np.nonzero(scene.weight == 0.0)
        assert min(rows.min(), columns.min()) < 8 or max(rows.max(), columns.max()) > SIDE // 2 - 9
