# SPDX-License-Identifier: AGPL-3.0-or-later
"""Workers that look at images of one series at once lose none of them."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from inference.contract import AnatomyAnswer
from plugin.anatomy import AnatomyBook, RecognizedAnatomy
from plugin.anatomy.turns import FILES, Turns
from plugin.states import Metadata
from tests.plugin.anatomy.test_anatomy_book import Shelf, said

THORAX, KNEE = said("chest", modality="DX"), said("lower limb", modality="DX")
PELVIS = said("pelvis", modality="DX")


class Slow(Shelf):
    """Writes the record of the second worker only when the first has had time to overtake it."""

    def __init__(self) -> None:
        super().__init__()
        self.series = ["s1"]
        self.read, self.overtaken = threading.Event(), threading.Event()

    def put_metadata(self, level: str, identifier: str, name: Metadata, value: str) -> None:
        if threading.current_thread().name == "second" and not self.read.is_set():
            self.read.set()
            self.overtaken.wait(0.3)
        super().put_metadata(level, identifier, name, value)


def worker(shelf: Shelf, folder: Path) -> AnatomyBook:
    """One with a lock of its own, as another process has it."""
    return AnatomyBook(shelf, turn=Turns(folder / "turns").turn)


def regions(book: AnatomyBook) -> tuple[str, ...]:
    found = book.recognized("s1")
    assert found is not None
    return found.regions


@pytest.mark.parametrize("before", [(), (THORAX,)])
def test_two_workers_that_note_images_of_a_series_at_once_keep_both(
    before: tuple[AnatomyAnswer, ...], tmp_path: Path
) -> None:
    shelf = Slow()
    for answer in before:
        worker(shelf, tmp_path).note("s1", "study", answer, image="thorax")

    def note() -> None:
        worker(shelf, tmp_path).note("s1", "", THORAX, image="second")

    second = threading.Thread(target=note, name="second")
    second.start()
    assert shelf.read.wait(5)
    worker(shelf, tmp_path).note("s1", "study", KNEE, image="knee")
    shelf.overtaken.set()
    second.join()
    assert regions(worker(shelf, tmp_path)) == ("chest", "lower limb")


def test_an_image_that_came_while_the_record_was_mended_stays() -> None:
    """The study is asked once for records and images: what came since is in neither."""
    shelf = Shelf()
    shelf.series = ["s1"]
    book = AnatomyBook(shelf)
    book.note("s1", "", THORAX, image="gone")
    ask = shelf.metadata_of

    def meanwhile(resources: Any, level: str, names: Any) -> list[Any]:
        found = [
            (one | {"Instances": ["knee"]}, held) for one, held in ask(resources, level, names)
        ]
        shelf.metadata_of = ask  # type: ignore[method-assign]
        AnatomyBook(shelf).note("s1", "", PELVIS, image="pelvis")
        return found

    shelf.metadata_of = meanwhile  # type: ignore[method-assign]
    book.note("s1", "study", KNEE, image="knee")
    assert set(regions(book)) == {"lower limb", "pelvis"}


def test_a_whole_series_waits_for_nobody(tmp_path: Path) -> None:
    turns = Turns(tmp_path / "turns")
    shelf = Shelf()
    with turns.turn("s1"):
        AnatomyBook(shelf, turn=Turns(tmp_path / "turns").turn).note("s1", "study", said("chest"))
    assert RecognizedAnatomy.model_validate_json(
        shelf.values["series", "s1", Metadata.ANATOMY]
    ).regions == ("chest",)


def test_the_locks_of_all_series_are_a_few_empty_files(tmp_path: Path) -> None:
    turns = Turns(tmp_path / "turns")
    for number in range(500):
        with turns.turn(f"series {number}"):
            pass
    files = list((tmp_path / "turns").iterdir())
    assert len(files) == FILES
    assert {(one.stat().st_size, one.stat().st_mode & 0o777) for one in files} == {(0, 0o600)}


def test_no_scan_is_kept_back_where_nothing_can_be_locked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "turns").write_bytes(b"no folder")
    shelf = Shelf()
    book = worker(shelf, tmp_path)
    with caplog.at_level(logging.ERROR):
        book.note("s1", "study", THORAX, image="thorax")
        book.note("s1", "study", KNEE, image="knee")
    assert regions(book) == ("chest", "lower limb")
    assert len(caplog.records) == 1
    assert "s1" not in caplog.text
