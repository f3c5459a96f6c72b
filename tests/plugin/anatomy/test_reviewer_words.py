# SPDX-License-Identifier: AGPL-3.0-or-later
"""A reviewer's word outlasts the series in Orthanc for a while."""

from __future__ import annotations

import logging
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from plugin.anatomy import AnatomyBook, words
from plugin.anatomy.words import ReviewerWords
from plugin.queue_file import QueueError
from plugin.states import Metadata
from tests.plugin.anatomy.test_anatomy_book import Shelf, said, word

DAY = 86_400.0
LOOK = (
    "import sqlite3, sys; file = sqlite3.connect(sys.argv[1]);"
    " file.execute('SELECT count(*) FROM words').fetchone(); file.close()"
)
"""The last connection to a file removes its log: this one is not the last."""


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 1e9

    def time(self) -> float:
        return self.now

    monotonic = time


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(words, "time", made)
    return made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "words.sqlite"


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def book(shelf: Shelf, path: Path) -> AnatomyBook:
    return AnatomyBook(shelf, ReviewerWords(path))


def sent_again(shelf: Shelf) -> None:
    """Orthanc deletes series and study with all that was kept, and has them anew."""
    shelf.values.clear()


def spoken(book: AnatomyBook) -> None:
    book.note("s1", "study", said("chest"))
    book.override("s1", "study", word("neck"))


def test_a_series_that_is_sent_again_has_its_reviewers_word_back(
    shelf: Shelf, book: AnatomyBook
) -> None:
    spoken(book)
    sent_again(shelf)
    book.note("s1", "study", said("chest"))
    known = book.series("s1")
    assert known is not None
    assert known.effective.regions == ("neck",)
    assert [one.reason for one in known.log.overrides] == ["it is a neck"]
    assert shelf.study()["regions"] == ["neck"]


def test_the_word_counts_before_the_series_is_noted(shelf: Shelf, book: AnatomyBook) -> None:
    spoken(book)
    sent_again(shelf)
    said_before = book.in_force("s1")
    assert said_before is not None
    assert said_before.regions == ("neck",)
    assert ("series", "s1", Metadata.ANATOMY_OVERRIDES) not in shelf.values


def test_a_withdrawn_word_comes_back_withdrawn(shelf: Shelf, book: AnatomyBook) -> None:
    spoken(book)
    book.override("s1", "study", word())
    sent_again(shelf)
    book.note("s1", "study", said("chest"))
    assert book.in_force("s1") is None
    assert len(book.overrides("s1").overrides) == 2


def test_another_process_puts_it_back_too(shelf: Shelf, book: AnatomyBook, path: Path) -> None:
    spoken(book)
    sent_again(shelf)
    AnatomyBook(shelf, ReviewerWords(path)).note("s1", "study", said("chest"))
    assert len(book.overrides("s1").overrides) == 1


def test_a_word_that_was_removed_from_a_known_series_stays_away(
    shelf: Shelf, book: AnatomyBook
) -> None:
    spoken(book)
    del shelf.values["series", "s1", Metadata.ANATOMY_OVERRIDES]
    book.note("s1", "study", said("chest"))
    assert book.overrides("s1").overrides == ()
    assert book.in_force("s1") is None


def test_a_word_in_orthanc_is_not_replaced(shelf: Shelf, book: AnatomyBook) -> None:
    spoken(book)
    kept = shelf.values["series", "s1", Metadata.ANATOMY_OVERRIDES]
    sent_again(shelf)
    replicated = kept.replace("it is a neck", "by another node")
    shelf.values["series", "s1", Metadata.ANATOMY_OVERRIDES] = replicated
    book.note("s1", "study", said("chest"))
    assert shelf.values["series", "s1", Metadata.ANATOMY_OVERRIDES] == replicated


def test_the_file_is_for_its_owner_alone_and_made_when_somebody_speaks(
    book: AnatomyBook, path: Path
) -> None:
    book.note("s1", "study", said("chest"))
    assert not path.exists()
    spoken(book)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_look_from_another_process_takes_no_log_away_from_who_has_the_file_open(
    path: Path,
) -> None:
    first, second = ReviewerWords(path), ReviewerWords(path)
    first.keep("s1", "{}")
    second.keep("s2", "{}")
    subprocess.run([sys.executable, "-c", LOOK, str(path)], check=True)
    assert path.with_name("words.sqlite-wal").exists()
    first.keep("s3", "{}")
    assert [ReviewerWords(path).of(one) for one in ("s1", "s2", "s3")] == ["{}"] * 3


def test_words_are_forgotten_some_time_after_their_series_is_gone(clock: Clock, path: Path) -> None:
    kept = ReviewerWords(path)
    for series in ("stays", "goes"):
        kept.keep(series, "{}")
    clock.now += 80 * DAY
    kept.tidy(lambda asked: asked)  # both were there
    clock.now += 89 * DAY
    kept.tidy(lambda _: ["stays"])
    assert kept.of("goes") is not None
    clock.now += 2 * DAY
    kept.tidy(lambda _: ["stays"])
    assert (kept.of("goes"), kept.of("stays")) == (None, "{}")


def test_looking_for_series_is_one_question_an_hour(
    clock: Clock, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "MOST_CHECKED", 2)
    kept, asked = ReviewerWords(path), []

    def there(series: list[str]) -> list[str]:
        asked.append(series)
        return series

    for series in ("a", "b", "c"):
        kept.keep(series, "{}")
    clock.now += 2 * DAY
    for _ in range(3):
        kept.tidy(there)
    clock.now += 3601.0
    kept.tidy(there)
    assert [sorted(one) for one in asked] == [["a", "b"], ["c"]]


def test_a_word_that_can_not_be_kept_beside_orthanc_stands_in_orthanc(
    shelf: Shelf, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    book = AnatomyBook(shelf, ReviewerWords(tmp_path / "missing" / "words.sqlite"))
    spoken(book)
    assert book.in_force("s1") is not None
    assert "kept in Orthanc alone" in caplog.text
    with pytest.raises(QueueError):
        ReviewerWords(tmp_path / "missing" / "words.sqlite").keep("s1", "{}")


def test_a_damaged_file_keeps_no_scan_back_and_is_told_of_once(
    shelf: Shelf, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_bytes(b"no database" * 500)
    book = AnatomyBook(shelf, ReviewerWords(path))
    with caplog.at_level(logging.ERROR):
        for series in ("s1", "s2"):
            assert book.in_force(series) is None
            book.note(series, "study", said("chest"))
    assert shelf.study()["regions"] == ["chest"]
    assert len(caplog.records) == 1
    assert "s1" not in caplog.text


def test_a_file_that_is_busy_has_the_scan_tried_again(
    shelf: Shelf, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who notes the series without its word would never put it back."""

    def busy(*_: object) -> None:
        raise QueueError("database is locked") from sqlite3.OperationalError("database is locked")

    spoken(AnatomyBook(shelf, ReviewerWords(path)))
    sent_again(shelf)
    monkeypatch.setattr("plugin.queue_file.QueueFile.read", busy)
    with pytest.raises(QueueError):
        AnatomyBook(shelf, ReviewerWords(path)).note("s1", "study", said("chest"))
