# SPDX-License-Identifier: Apache-2.0
"""What an image's header says helps to find its text."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from deid.pixels import Hints, QuickText
from deid.pixels.hints import outside_of_regions
from deid.pixels.lines import Line
from deid.reading import read
from tests.deid.made_scans import ct, file_of


def regions(*boxes: tuple[int, int, int, int]) -> Dataset:
    dataset = ct()
    items = []
    for box in boxes:
        item = Dataset()
        names = ("MinX0", "MinY0", "MaxX1", "MaxY1")
        for name, value in zip(names, box, strict=True):
            setattr(item, f"RegionLocation{name}", value)
        items.append(item)
    dataset.SequenceOfUltrasoundRegions = Sequence(items)
    return dataset


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]
)
def test_outside_of_all_ultrasound_regions_nothing_of_the_patient_is_shown(syntax: str) -> None:
    original = read(file_of(regions((10, 20, 49, 79), (60, 20, 79, 29)), syntax))
    little = syntax != ExplicitVRBigEndian
    outside = outside_of_regions(original.header, (100, 90), little_endian=little)
    assert outside is not None
    assert outside.sum() == 100 * 90 - 40 * 60 - 20 * 10
    assert not outside[20:80, 10:50].any()


@pytest.mark.parametrize("boxes", [(), ((0, 0, 99, 99),), ((200, 200, 300, 300),)])
def test_regions_that_tell_nothing_are_no_hint(
    boxes: tuple[tuple[int, int, int, int], ...],
) -> None:
    original = read(file_of(regions(*boxes)))
    assert outside_of_regions(original.header, (100, 100)) is None


def test_regions_without_places_are_no_hint() -> None:
    dataset = regions((0, 0, 9, 9))
    del dataset.SequenceOfUltrasoundRegions[0].RegionLocationMaxX1
    assert outside_of_regions(read(file_of(dataset)).header, (100, 100)) is None


class _OneLine:
    """A network that is half sure of one line."""

    def __init__(self, sure: float) -> None:
        self._sure = sure

    def find(self, grey: NDArray[np.uint8]) -> list[Line]:
        corners = np.array([(10, 10), (60, 10), (60, 24), (10, 24)], np.float32)
        return [Line(corners, self._sure, 0)]


@pytest.mark.parametrize(("sure", "found"), [(0.7, True), (0.5, False)])
def test_a_doubtful_line_counts_only_where_no_anatomy_can_be(sure: float, *, found: bool) -> None:
    quick = QuickText()
    quick._finder = _OneLine(sure)  # type: ignore[assignment]
    picture = np.full((100, 100), 90, np.uint8)
    outside = np.zeros((100, 100), np.bool_)
    assert quick.find(picture, Hints(outside)) == []
    outside[:30] = True
    assert bool(quick.find(picture, Hints(outside))) is found
    # Of the image turned by a right angle the same place is elsewhere.
    assert quick.find(picture, Hints(outside).turned()) == []


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("FENWICK MARIGOLD", True),
        ("FENWlCK", True),
        ("xFENW1CKx", True),
        ("MARIG0LD,F", True),
        ("MARGOLD", True),
        ("FENW", False),
        ("MARBLE", False),
        ("", False),
    ],
)
def test_a_word_of_the_header_is_known_though_letters_are_misread(
    text: str, *, denied: bool
) -> None:
    assert Hints(denied=frozenset({"fenwick", "marigold", "jo"})).is_denied(text) is denied


class _Unsure:
    """A reader without confidence."""

    def __init__(self, text: str) -> None:
        self._text = text

    def get_crop_img_list(self, picture: object, boxes: list[object]) -> list[NDArray[np.uint8]]:
        return [np.zeros((20, 60, 3), np.uint8) for _ in boxes]

    def text_rec(self, crops: list[object]) -> tuple[list[tuple[str, float]], float]:
        return [(self._text, 0.2) for _ in crops], 0.0


@pytest.mark.parametrize(("text", "found"), [("MARIG0LD", True), ("KEELS", False)])
def test_a_line_that_reads_like_the_patient_is_text_however_badly_it_reads(
    text: str, *, found: bool
) -> None:
    quick = QuickText()
    quick._finder = _OneLine(0.6)  # type: ignore[assignment]
    quick._rapid.__dict__["_engine"] = _Unsure(text)
    picture = np.full((100, 100), 90, np.uint8)
    assert bool(quick.find(picture, Hints(denied=frozenset({"marigold"})))) is found
