# SPDX-License-Identifier: AGPL-3.0-or-later
"""Words that reviewers gave to earlier versions: carried once to where they are kept now."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from plugin.anatomy import earlier_words
from plugin.anatomy.earlier_words import DONE, EarlierWords
from plugin.anatomy.words import ReviewerWords
from plugin.archive import ArchiveUnavailableError
from plugin.states import Metadata

WORD = '{"overrides":[]}'


class Shelf:
    """Orthanc: studies with one series each, some of them with a reviewer's word."""

    def __init__(self, words: dict[str, str | None]) -> None:
        self.words = words
        self.asked: list[list[str]] = []
        self.away_after = 1000

    def study_identifiers(self) -> list[str]:
        return list(self.words)

    def metadata_of(
        self, resources: Sequence[str], level: str, names: Sequence[Metadata], /
    ) -> list[tuple[dict[str, Any], dict[Metadata, str]]]:
        assert (level, names) == ("series", (Metadata.ANATOMY_OVERRIDES,))
        if len(self.asked) >= self.away_after:
            raise ArchiveUnavailableError("away")
        self.asked.append(list(resources))
        held = [(one, self.words[one]) for one in resources]
        return [
            ({"ID": f"s-{one}"}, {Metadata.ANATOMY_OVERRIDES: said} if said else {})
            for one, said in held
        ]


class StoppedError(Exception):
    """The process ends."""


@pytest.fixture
def words(tmp_path: Path) -> ReviewerWords:
    return ReviewerWords(tmp_path / "words.sqlite")


def rested(_: float) -> None:
    """No test waits."""


def test_words_of_earlier_versions_are_kept_beside_orthanc_too(words: ReviewerWords) -> None:
    EarlierWords(Shelf({"b": WORD, "a": None}), words, rested).carry()
    assert words.of("s-b") == WORD
    assert words.of("s-a") is None


def test_all_studies_are_looked_through_once(words: ReviewerWords) -> None:
    shelf = Shelf({f"{n:03}": WORD for n in range(earlier_words.STUDIES + 1)})
    EarlierWords(shelf, words, rested).carry()
    assert [len(asked) for asked in shelf.asked] == [earlier_words.STUDIES, 1]
    EarlierWords(shelf, words, rested).carry()
    assert len(shelf.asked) == 2


def test_what_a_reviewer_said_since_is_not_overwritten(words: ReviewerWords) -> None:
    words.keep("s-a", "newer")
    EarlierWords(Shelf({"a": WORD}), words, rested).carry()
    assert words.of("s-a") == "newer"


def test_where_it_was_cut_off_it_goes_on_at_the_next_start(
    words: ReviewerWords, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(earlier_words, "STUDIES", 1)
    shelf = Shelf({"a": WORD, "b": WORD, "c": WORD})
    shelf.away_after = 2

    def ended(seconds: float) -> None:
        if seconds == earlier_words.TROUBLE_SECONDS:
            raise StoppedError

    with pytest.raises(StoppedError):
        EarlierWords(shelf, words, ended).carry()
    shelf.away_after = 1000
    EarlierWords(shelf, words, rested).carry()
    assert shelf.asked == [["a"], ["b"], ["c"]]
    assert words.reached() == DONE
    assert words.of("s-c") == WORD


def test_an_orthanc_that_is_away_is_waited_for_with_one_line_in_the_log(
    words: ReviewerWords, caplog: pytest.LogCaptureFixture
) -> None:
    shelf, waits = Shelf({"a": WORD}), 0
    shelf.away_after = 0

    def back_soon(_: float) -> None:
        nonlocal waits
        waits += 1
        if waits == 3:
            shelf.away_after = 1000

    EarlierWords(shelf, words, back_soon).carry()
    assert words.of("s-a") == WORD
    assert len(caplog.messages) == 1
