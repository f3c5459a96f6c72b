# SPDX-License-Identifier: AGPL-3.0-or-later
"""The rules run over what was stored before: bounded, resumable, behind all else, never twice."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from plugin.archive import ArchiveUnavailableError
from plugin.copies import backfilling
from plugin.copies.backfill_book import Backfill, BackfillBook, BackfillOpenError, Wish
from plugin.copies.backfilling import Backfilling
from plugin.copies.deciding import CopyDecider
from tests.plugin.copies.test_copying import NODE, Line


class Site:
    """A line whose archive was filled before there was a table."""

    def __init__(self, folder: Path, studies: int = 3, **rule: Any) -> None:
        self.line, self.busy = Line(folder, NODE, **rule), False
        self.studies = [self.line.archive.scan(slices=2)[0] for _ in range(studies)]
        self.book = BackfillBook(folder / "copies.sqlite")

    def step(self) -> int:
        """One step of a process that has just started."""
        line = self.line
        decider = CopyDecider(line.archive, line.matcher)
        return Backfilling(
            line.archive, decider, self.book, line.ledger, line.outbox, line.dispatcher.is_quiet,
            lambda: self.busy,
        ).step()  # fmt: skip

    def order(self, **wish: Any) -> None:
        self.book.order(Wish(("a",), **wish))

    @property
    def latest(self) -> Backfill:
        found = self.book.latest()
        assert found is not None
        return found

    def until_done(self, steps: int = 12) -> Backfill:
        for _ in range(steps):
            self.step()
            self.line.delivers(4)
        return self.latest

    @property
    def sent(self) -> list[str]:
        return [str(one.SOPInstanceUID) for one in self.line.archive.sent]


def test_what_was_stored_before_is_copied_when_asked_for_and_not_before(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.line.dispatcher.step()
    site.step()
    assert site.line.delivers() == []
    site.order()
    done = site.until_done()
    assert (done.status, done.found, done.taken, done.deliveries) == ("done", 3, 3, 3)
    assert len(set(site.sent)) == len(site.sent) == 6


def test_nothing_is_sent_twice_by_a_second_order_or_after_an_arrival(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.line.stable(site.studies[0])
    site.line.delivers()
    for _ in range(2):
        site.order()
        site.until_done()
    assert site.latest.taken == 0
    assert len(set(site.sent)) == len(site.sent) == 6


def test_only_studies_of_the_days_are_looked_at(tmp_path: Path) -> None:
    site = Site(tmp_path)
    for study, day in zip(site.studies, ("20241231", "20250101", ""), strict=True):
        site.line.archive.studies[study]["MainDicomTags"]["StudyDate"] = day
    site.order(first="20250101", last="20251231")
    done = site.until_done()
    assert (done.status, done.found, done.taken) == ("done", 3, 1)
    site.order()
    assert site.until_done().taken == 2


@pytest.mark.parametrize(
    ("first", "last", "day", "counts"),
    [
        ("", "", None, True),
        ("20250101", "", None, False),
        ("20250101", "", date(2025, 1, 1), True),
        ("20250101", "", date(2024, 12, 31), False),
        ("", "20250101", date(2025, 1, 1), True),
        ("", "20250101", date(2025, 1, 2), False),
    ],
)
def test_the_first_and_the_last_day_count(
    first: str, last: str, day: date | None, counts: bool
) -> None:
    assert Wish(("a",), first, last).takes(day) is counts


def test_an_order_ends_after_its_most_and_the_next_one_goes_on(tmp_path: Path) -> None:
    site = Site(tmp_path, studies=5)
    site.order(most=2)
    assert site.until_done().taken == 2
    assert len(site.sent) == 4
    site.order(most=10)
    assert site.until_done().taken == 3
    assert len(set(site.sent)) == len(site.sent) == 10


def test_few_deliveries_wait_at_a_time_and_new_scans_go_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfilling, "MOST_WAITING", 2)
    site = Site(tmp_path, studies=5)
    site.order()
    for _ in range(4):
        site.step()
    assert site.line.outbox.waiting(["copy-a"]) == 2
    new, series = site.line.archive.scan(slices=1)
    site.line.stable(new)
    first = site.line.outbox.due("copy-a")
    assert first is not None
    assert first.resource == series


def test_while_anything_else_is_to_be_done_a_backfill_waits(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.order()
    site.busy = True
    assert site.until_done(3).status == "ordered"
    site.busy = False
    site.line.ledger.note(site.studies[0], 0.0)
    assert site.until_done(3).status == "ordered"
    site.line.dispatcher.step()
    assert site.until_done().status == "done"


@pytest.mark.parametrize("steps", range(6))
def test_a_process_that_ends_anywhere_goes_on_where_it_was(tmp_path: Path, steps: int) -> None:
    site = Site(tmp_path, studies=4)
    calls = 0

    def looked_at(*arguments: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == steps:
            raise SystemExit
        BackfillBook.looked_at(site.book, *arguments)

    site.book.looked_at = looked_at  # type: ignore[method-assign]
    site.order()
    for _ in range(8):
        try:
            site.step()
        except SystemExit:
            site.book = BackfillBook(tmp_path / "copies.sqlite")
        site.line.delivers(4)
    assert site.latest.status == "done"
    assert len(set(site.sent)) == len(site.sent) == 8


def test_an_archive_that_is_away_puts_a_study_off_and_a_deleted_one_is_crossed_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path)
    site.order()
    site.step()
    del site.line.archive.studies[site.studies[0]]

    def away(_instance: str) -> str:
        raise ArchiveUnavailableError("Orthanc can't be reached")

    with monkeypatch.context() as context:
        context.setattr(site.line.archive, "content_digest", away)
        site.step()
    assert (site.latest.waiting, site.latest.status) == (2, "running")
    monkeypatch.setattr("plugin.copies.backfill_book.time.time", lambda: 4e9)
    assert site.until_done().status == "done"
    assert len(site.sent) == 4


def test_a_rule_for_single_instances_is_run_too(tmp_path: Path) -> None:
    site = Site(tmp_path, at="instance")
    site.order()
    assert site.until_done().deliveries == 6
    assert len(set(site.sent)) == 6


def test_a_stopped_order_notes_nothing_more_and_another_may_follow(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.order()
    site.step()
    with pytest.raises(BackfillOpenError):
        site.order()
    site.book.end(site.latest.id, "stopped")
    assert site.until_done(3).status == "stopped"
    assert site.sent == []
    site.order()
    assert site.until_done().status == "done"


def test_what_does_not_fit_is_looked_at_once(tmp_path: Path) -> None:
    site = Site(tmp_path, when={"modalities": ["MR"]})
    site.order()
    done = site.until_done()
    assert (done.status, done.found, done.taken) == ("done", 3, 0)
