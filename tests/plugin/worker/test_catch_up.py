# SPDX-License-Identifier: AGPL-3.0-or-later
"""What never reached the queue is found in Orthanc's changes, and the mark never moves past it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin.archive import ArchiveUnavailableError
from plugin.queue import GAP, NO_GAP, JobQueue, QueueError
from plugin.worker.catch_up import LAST_CHANGE, CatchUp
from plugin.worker.change_mark import ChangeMark
from tests.plugin.worker.test_triage import DX, FakeArchive, triage


@pytest.fixture(autouse=True)
def always_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugin.worker.catch_up.EVERY_SECONDS", 0.0)


@pytest.fixture
def queue(tmp_path: Path) -> JobQueue:
    return JobQueue(tmp_path / "queue.sqlite")


def catch_up(queue: JobQueue, archive: FakeArchive, folder: Path) -> CatchUp:
    return CatchUp(queue, archive, ChangeMark(folder / "last-change"))  # type: ignore[arg-type]


def look_around(looking: CatchUp) -> None:
    """The mark moves to where Orthanc was at the look before."""
    for _ in range(2):
        looking.run_if_due()


def test_at_the_first_start_the_old_archive_is_left_alone(queue: JobQueue, tmp_path: Path) -> None:
    archive = FakeArchive(i1=("s1", DX, "a"))
    archive.change_list = ["i1"]
    assert catch_up(queue, archive, tmp_path).run_if_due() == 0
    assert queue.fact(LAST_CHANGE) == "1"


def test_what_came_while_nobody_listened_is_found_at_the_next_start(
    queue: JobQueue, tmp_path: Path
) -> None:
    archive = FakeArchive(i1=("s1", DX, "a"), i2=("s1", DX, "b"))
    archive.change_list = ["i1"]
    catch_up(queue, archive, tmp_path).run_if_due()
    archive.change_list.append("i2")
    assert catch_up(queue, archive, tmp_path).run_if_due() == 1
    assert [arrival.instance for arrival in queue.arrivals()] == ["i2"]
    assert catch_up(queue, archive, tmp_path).run_if_due() == 0


def test_where_the_queue_was_lost_what_came_since_it_was_last_empty_is_found(
    queue: JobQueue, tmp_path: Path
) -> None:
    archive = FakeArchive(i1=("s1", DX, "a"), i2=("s1", DX, "b"))
    archive.change_list = ["i1"]
    catch_up(queue, archive, tmp_path).run_if_due()
    archive.change_list.append("i2")
    for file in tmp_path.glob("queue.sqlite*"):
        file.unlink()
    again = JobQueue(tmp_path / "queue.sqlite")
    assert catch_up(again, archive, tmp_path).run_if_due() == 1
    assert [arrival.instance for arrival in again.arrivals()] == ["i2"]


def test_what_is_queued_is_found_again_where_the_queue_is_lost(
    queue: JobQueue, tmp_path: Path
) -> None:
    archive = FakeArchive(i1=("s1", DX, "a"))
    looking = catch_up(queue, archive, tmp_path)
    looking.run_if_due()
    archive.change_list.append("i1")
    queue.put("i1", DX)
    triage(queue, archive).settle_arrivals()
    look_around(looking)
    assert queue.fact(LAST_CHANGE) == "1"
    assert ChangeMark(tmp_path / "last-change").read() == 0
    job = queue.lease("w", 60)
    assert job is not None
    queue.done(job, "findings")
    look_around(looking)
    assert ChangeMark(tmp_path / "last-change").read() == 1


def test_a_queue_of_an_earlier_version_gets_its_mark_at_once(
    queue: JobQueue, tmp_path: Path
) -> None:
    queue.remember(LAST_CHANGE, "7")
    catch_up(queue, FakeArchive(), tmp_path).run_if_due()
    assert ChangeMark(tmp_path / "last-change").read() == 7


@pytest.mark.parametrize("text", ["", "abc", "-3", "\u00e9"])
def test_with_a_new_queue_a_mark_that_can_not_be_read_is_waited_for(
    queue: JobQueue, tmp_path: Path, text: str
) -> None:
    """It would be taken for a first start, and what waited would never be analysed."""
    archive = FakeArchive()
    archive.change_list = ["waiting"]
    mark = tmp_path / "last-change"
    mark.write_text(text, encoding="latin-1")
    looking = catch_up(queue, archive, tmp_path)
    for _ in range(2):
        with pytest.raises(QueueError, match="last-change can't be read"):
            looking.run_if_due()
    mark.write_text("0\n", encoding="ascii")
    assert looking.run_if_due() == 1


def test_a_mark_that_is_a_folder_is_waited_for_too(queue: JobQueue, tmp_path: Path) -> None:
    (tmp_path / "last-change").mkdir()
    with pytest.raises(QueueError, match="last-change can't be read"):
        catch_up(queue, FakeArchive(), tmp_path).run_if_due()


@pytest.mark.parametrize("text", [None, "abc"])
def test_a_mark_that_was_deleted_or_spoiled_is_written_again_as_it_was(
    queue: JobQueue, tmp_path: Path, text: str | None
) -> None:
    archive = FakeArchive()
    looking = catch_up(queue, archive, tmp_path)
    looking.run_if_due()
    mark = tmp_path / "last-change"
    mark.unlink()
    if text is not None:
        mark.write_text(text, encoding="ascii")
    queue.put("i1", DX)
    queue.remember(LAST_CHANGE, "5")
    looking.run_if_due()
    assert mark.read_text(encoding="ascii") == "0\n"


class BusyArchive(FakeArchive):
    """An Orthanc that is away now and then, with something that happens as its changes are read."""

    away = False
    gap_in: JobQueue | None = None

    def new_instances(self, since: int) -> Iterator[tuple[int, list[str]]]:  # type: ignore[override]
        if self.away:
            raise ArchiveUnavailableError("Orthanc answers 503")
        yield from super().new_instances(since)
        if self.gap_in is not None:
            self.gap_in.remember(GAP, "another")


def test_what_was_missed_is_found_though_orthanc_is_away_at_first(
    queue: JobQueue, tmp_path: Path
) -> None:
    archive = BusyArchive()
    looking = catch_up(queue, archive, tmp_path)
    looking.run_if_due()
    archive.change_list.append("missed")
    queue.remember(GAP, "one")
    archive.away = True
    with pytest.raises(ArchiveUnavailableError):
        looking.run_if_due()
    archive.away = False
    assert looking.run_if_due() == 1
    assert queue.fact(GAP) == NO_GAP
    assert [arrival.instance for arrival in queue.arrivals()] == ["missed"]


def test_a_gap_that_is_told_of_while_changes_are_read_has_them_read_again(
    queue: JobQueue, tmp_path: Path
) -> None:
    archive = BusyArchive()
    looking = catch_up(queue, archive, tmp_path)
    looking.run_if_due()
    queue.remember(GAP, "one")
    archive.gap_in = queue
    looking.run_if_due()
    archive.gap_in = None
    archive.change_list.append("missed")
    assert looking.run_if_due() == 1


def test_where_orthanc_is_away_as_the_queue_is_lost_nothing_is_passed_over(
    queue: JobQueue, tmp_path: Path
) -> None:
    archive = BusyArchive()
    looking = catch_up(queue, archive, tmp_path)
    look_around(looking)
    archive.change_list.append("waiting")
    for file in tmp_path.glob("queue.sqlite*"):
        file.unlink()
    looking.queue = JobQueue(tmp_path / "queue.sqlite")
    archive.away = True
    with pytest.raises(ArchiveUnavailableError):
        looking.run_if_due()
    archive.away = False
    assert looking.run_if_due() == 1


def test_the_mark_stays_before_an_arrival_that_is_still_on_its_way(
    queue: JobQueue, tmp_path: Path
) -> None:
    archive = FakeArchive()
    looking = catch_up(queue, archive, tmp_path)
    look_around(looking)
    archive.change_list.append("stored")
    looking.run_if_due()
    assert queue.fact(LAST_CHANGE) == "0"
    queue.remember(GAP, "one")
    assert looking.run_if_due() == 1
