# SPDX-License-Identifier: AGPL-3.0-or-later
"""A series whose images are scans of their own shows what its images show together."""

from __future__ import annotations

from typing import Any

import pytest

from plugin.anatomy import AnatomyBook, RecognizedAnatomy
from plugin.anatomy.by_image import MOST_IMAGES
from plugin.states import Metadata
from tests.plugin.anatomy.test_anatomy_book import Shelf, agreement, said, word

THORAX, KNEE = said("chest", modality="DX"), said("lower limb", modality="DX", confidence=0.85)


class Counted(Shelf):
    """Counts questions about whole studies, and knows which images a series has."""

    def __init__(self) -> None:
        super().__init__()
        self.series = ["s1"]
        self.questions = 0
        self.images: list[str] | None = None

    def metadata_of(self, resources: Any, level: str, names: Any) -> list[Any]:
        self.questions += 1
        found = super().metadata_of(resources, level, names)
        if self.images is not None:
            found = [(one | {"Instances": self.images}, held) for one, held in found]
        return found


@pytest.fixture
def shelf() -> Counted:
    return Counted()


@pytest.fixture
def book(shelf: Counted) -> AnatomyBook:
    return AnatomyBook(shelf)


def known(book: AnatomyBook) -> RecognizedAnatomy:
    found = book.recognized("s1")
    assert found is not None
    return found


def look_at_both(book: AnatomyBook) -> None:
    book.note("s1", "study", THORAX, image="thorax")
    book.note("s1", "study", KNEE, image="knee")


def test_a_series_and_its_study_show_what_all_its_images_show(
    shelf: Counted, book: AnatomyBook
) -> None:
    look_at_both(book)
    assert known(book).regions == ("chest", "lower limb")
    assert [code.meaning for code in known(book).codes] == ["Chest", "Lower limb"]
    assert shelf.study()["regions"] == ["chest", "lower limb"]


def test_the_least_sure_image_that_names_a_region_says_how_sure_the_series_is(
    book: AnatomyBook,
) -> None:
    look_at_both(book)
    book.note("s1", "study", said(modality="DX", confidence=0.0), image="blank")
    assert (known(book).confidence, known(book).regions) == (0.85, ("chest", "lower limb"))


def test_images_that_are_looked_at_again_make_no_history(shelf: Counted, book: AnatomyBook) -> None:
    for _ in range(10):
        look_at_both(book)
    assert known(book).history == ()
    assert shelf.study()["regions"] == ["chest", "lower limb"]


def test_an_image_that_shows_something_else_now_makes_history(book: AnatomyBook) -> None:
    look_at_both(book)
    book.note("s1", "study", said("upper limb", modality="DX"), image="knee")
    assert known(book).regions == ("chest", "upper limb")
    assert [one.regions for one in known(book).history] == [("chest", "lower limb")]


def test_a_series_of_one_image_is_kept_as_its_image(book: AnatomyBook) -> None:
    book.note("s1", "study", THORAX, image="thorax")
    assert known(book).answer == THORAX
    book.note("s1", "study", KNEE, image="thorax")
    assert known(book).answer == KNEE
    assert [one.regions for one in known(book).history] == [("chest",)]


def test_images_that_are_gone_show_nothing_any_more(shelf: Counted, book: AnatomyBook) -> None:
    look_at_both(book)
    shelf.images = ["thorax"]
    book.note("s1", "study", THORAX, image="thorax")
    assert known(book).regions == ("chest",)
    assert shelf.study()["regions"] == ["chest"]


def test_a_record_of_an_earlier_release_is_read_and_begins_anew(
    shelf: Counted, book: AnatomyBook
) -> None:
    shelf.values["series", "s1", Metadata.ANATOMY] = THORAX.model_dump_json()
    look_at_both(book)
    assert known(book).regions == ("chest", "lower limb")


def test_an_image_that_another_worker_overwrote_is_put_back(
    shelf: Counted, book: AnatomyBook
) -> None:
    other = RecognizedAnatomy.first(THORAX, image="thorax").as_text()
    put = shelf.put_metadata

    def overwritten(level: str, identifier: str, name: Metadata, value: str) -> None:
        put(level, identifier, name, value)
        if level == "series":
            shelf.put_metadata = put  # type: ignore[method-assign]
            put("series", "s1", Metadata.ANATOMY, other)

    shelf.put_metadata = overwritten  # type: ignore[method-assign]
    counts = book.note("s1", "study", KNEE, image="knee")
    assert counts.recognized.regions == known(book).regions == ("chest", "lower limb")
    assert shelf.study()["regions"] == ["chest", "lower limb"]


def test_a_burst_of_images_asks_about_the_study_once(shelf: Counted, book: AnatomyBook) -> None:
    book.note("s1", "study", THORAX, image="i0")
    first, shelf.questions = shelf.questions, 0
    for number in range(1, 50):
        book.note("s1", "study", THORAX, image=f"i{number}")
    assert (first, shelf.questions) == (2, 0)
    for number in range(50):
        book.note("s1", "study", THORAX, image=f"i{number}")
    assert shelf.questions == 1


def test_images_beyond_a_number_stay_in_the_union_without_a_name(book: AnatomyBook) -> None:
    for number in range(MOST_IMAGES):
        book.note("s1", "", THORAX, image=f"i{number}")
    for _ in range(2):
        book.note("s1", "", KNEE, image="one more")
    assert known(book).regions == ("chest", "lower limb")
    assert known(book).history == ()
    assert sum(len(one.images) for one in known(book).images) == MOST_IMAGES


def test_the_sum_is_mended_after_a_series_was_deleted(shelf: Counted, book: AnatomyBook) -> None:
    shelf.series = ["s1", "s2"]
    book.note("s1", "study", said("chest"))
    book.note("s2", "study", said("lower limb"))
    shelf.series = ["s1"]
    book.note("s1", "study", said("chest"))
    assert shelf.study()["regions"] == ["chest"]


def test_a_reviewers_word_stands_before_all_images(shelf: Counted, book: AnatomyBook) -> None:
    look_at_both(book)
    book.override("s1", "study", word("neck"))
    assert shelf.study()["regions"] == ["neck"]


def test_a_flag_of_one_image_outlasts_the_other(book: AnatomyBook) -> None:
    book.note("s1", "study", THORAX, agreement("thorax", review="they differ"), "thorax")
    kept = book.note("s1", "study", KNEE, agreement("knee"), "knee")
    assert kept.review == "they differ"
    assert kept.effective.regions == ("chest", "lower limb")
