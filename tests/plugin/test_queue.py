# SPDX-License-Identifier: AGPL-3.0-or-later
"""The durable queue: nothing lost, nothing twice."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from plugin.journal import Entry
from plugin.queue import JobQueue, LeaseLostError, NewJob, QueueError, Retry
from plugin.queue_file import QueueFile


@pytest.fixture
def queue(tmp_path: Path) -> JobQueue:
    return JobQueue(tmp_path / "queue.sqlite", Retry(maximum_attempts=2, backoff_seconds=0.0))


def new_job(resource: str = "i1", content: str = "c1", *, forced: bool = False) -> NewJob:
    return NewJob("instance", resource, content, "app1", "s1", "st1", 1.0, forced)


def enqueue(queue: JobQueue, *jobs: NewJob) -> None:
    queue.settle([], jobs)


def test_an_arrival_stays_until_its_job_is_there(queue: JobQueue) -> None:
    queue.put("i1", "1.2")
    assert [a.instance for a in queue.arrivals()] == ["i1"]
    assert queue.pending_for(["i1"]) == 1
    queue.settle(queue.arrivals(), [new_job()])
    assert queue.arrivals() == []
    assert queue.pending_for(["i1"]) == 1
    assert queue.pending_for(["st1"]) == 1


def test_what_becomes_a_job_while_all_is_counted_is_counted(
    queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a look at the right moment finds nothing to do, and the mark moves past it."""
    queue.put("i1", "1.2")
    found, read = queue.arrivals(), QueueFile.read

    def meanwhile(file: QueueFile, query: str, values: tuple[object, ...] = ()) -> list[Any]:
        rows = read(file, query, values)
        if found:
            queue.settle([found.pop()], [new_job()])
        return rows

    monkeypatch.setattr(QueueFile, "read", meanwhile)
    counts = queue.statistics()
    assert counts["arrivals"] + counts["queued"] > 0


def test_the_same_content_under_the_same_application_is_one_job(queue: JobQueue) -> None:
    enqueue(queue, new_job(), new_job())
    job = queue.lease("w", 60)
    assert job is not None
    queue.done(job, "findings")
    enqueue(queue, new_job())
    assert queue.lease("w", 60) is None
    assert queue.statistics()["done"] == 1


def test_changed_content_is_a_new_job(queue: JobQueue) -> None:
    enqueue(queue, new_job(content="c1"), new_job(content="c2"))
    assert queue.statistics()["queued"] == 2


def test_a_study_that_is_asked_for_again_is_done_again_and_first(queue: JobQueue) -> None:
    enqueue(queue, new_job("i1"))
    job = queue.lease("w", 60)
    assert job is not None
    queue.done(job, "findings")
    enqueue(queue, new_job("i2"), new_job("i1", forced=True))
    again = queue.lease("w", 60)
    assert again is not None
    assert again.resource == "i1"


def test_a_lease_that_ends_is_given_to_another_worker(queue: JobQueue) -> None:
    enqueue(queue, new_job())
    first = queue.lease("w1", -1)
    second = queue.lease("w2", 60)
    assert first is not None
    assert second is not None
    assert second.id == first.id
    with pytest.raises(LeaseLostError):
        queue.done(first, "findings")
    queue.done(second, "findings")
    assert queue.statistics()["done"] == 1


def test_a_restarted_worker_gets_its_job_back_at_once(queue: JobQueue) -> None:
    enqueue(queue, new_job())
    assert queue.lease("w1", 3600) is not None
    assert queue.lease("w1", 3600) is None
    assert queue.release("w1") == 1
    assert queue.lease("w1", 3600) is not None


def test_a_job_that_fails_too_often_is_a_dead_letter_with_its_reason(queue: JobQueue) -> None:
    enqueue(queue, new_job())
    for attempt in (1, 2):
        job = queue.lease("w", 60)
        assert job is not None
        assert job.attempts == attempt
        assert queue.fail(job, "no memory") is (attempt == 2)
    assert queue.lease("w", 60) is None
    assert [letter["reason"] for letter in queue.dead_letters()] == ["no memory"]


def test_a_dead_letter_whose_scan_comes_again_is_tried_again(queue: JobQueue) -> None:
    enqueue(queue, new_job())
    for _ in range(2):
        job = queue.lease("w", 60)
        assert job is not None
        queue.fail(job, "no memory")
    enqueue(queue, new_job())
    again = queue.lease("w", 60)
    assert again is not None
    assert again.attempts == 1


def test_retries_wait_twice_as_long_each_time(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path / "q.sqlite", Retry(maximum_attempts=5, backoff_seconds=30.0))
    enqueue(queue, new_job())
    job = queue.lease("w", 60)
    assert job is not None
    queue.fail(job, "later")
    assert queue.lease("w", 60) is None
    assert queue.statistics()["queued"] == 1


def test_a_postponed_job_has_lost_no_attempt(queue: JobQueue) -> None:
    enqueue(queue, new_job())
    for _ in range(5):
        job = queue.lease("w", 60)
        assert job is not None
        assert job.attempts == 1
        queue.postpone(job, 0)


def test_a_scan_that_crashes_every_worker_is_recognized(queue: JobQueue) -> None:
    enqueue(queue, new_job())
    for _ in range(2):
        job = queue.lease("w", -1)  # the worker dies without a word
        assert job is not None
        assert not queue.exhausted(job)
    third = queue.lease("w", 60)
    assert third is not None
    assert queue.exhausted(third)
    assert queue.fail(third, "cut off") is True


def test_a_series_is_due_when_it_has_been_quiet(queue: JobQueue) -> None:
    queue.put("i1", "ct")
    (arrival,) = queue.arrivals()
    queue.note_series("s1", "st1", arrival, wait=0.0)
    assert queue.due_series() == []  # not recognized yet
    queue.recognized("s1", queue.last_arrival("s1") + 100)
    assert queue.due_series() == []
    assert queue.pending_for(["s1"]) == 1
    queue.mark_stable("s1")
    ((series, study, due, forced),) = queue.due_series()
    assert (series, study, forced) == ("s1", "st1", False)
    queue.settle_series(NewJob("series", "s1", "c", "a", "s1", "st1", due), due)
    assert queue.due_series() == []
    assert queue.statistics()["queued"] == 1


def test_a_series_that_grows_while_it_is_settled_stays_due(queue: JobQueue) -> None:
    queue.put("i1", "ct")
    (arrival,) = queue.arrivals()
    queue.note_series("s1", "st1", arrival, wait=0.0)
    queue.recognized("s1", 1.0)
    ((_, _, due, _),) = queue.due_series()
    queue.note_series("s1", "st1", arrival, wait=0.0)  # one more slice
    queue.settle_series(NewJob("series", "s1", "c", "a", "s1", "st1", due), due)
    assert len(queue.due_series()) == 1


def test_two_workers_never_get_the_same_job(queue: JobQueue) -> None:
    enqueue(queue, *[new_job(f"i{n}") for n in range(60)])
    taken: list[int] = []
    lock = threading.Lock()

    def work(owner: str) -> None:
        while (job := queue.lease(owner, 60)) is not None:
            with lock:
                taken.append(job.id)
            queue.done(job, "findings")

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(set(taken))
    assert queue.statistics()["done"] == 60


def test_a_folder_that_cannot_be_written_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(QueueError, match=r"queue\.sqlite: "):
        JobQueue(tmp_path / "absent" / "queue.sqlite").arrivals()


def test_a_damaged_file_is_named_and_what_to_do(queue: JobQueue, tmp_path: Path) -> None:
    (tmp_path / "queue.sqlite").write_bytes(b"garbage!" * 1024)
    with pytest.raises(QueueError, match=r"^queue\.sqlite is damaged .*: stop Orthanc, move queue"):
        queue.statistics()


def test_a_file_that_cannot_be_opened_is_not_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "queue.sqlite"
    path.mkdir()
    with pytest.raises(QueueError) as caught:
        JobQueue(path).statistics()
    assert "damaged" not in str(caught.value)


_WRITER = """
import sys
from pathlib import Path
from plugin.queue import JobQueue
queue = JobQueue(Path(sys.argv[1]))
for n in range(100000):
    queue.put(f"i{n}", "1.2")
    print(n, flush=True)
"""


def test_what_was_acknowledged_survives_a_killed_process(tmp_path: Path) -> None:
    path = tmp_path / "queue.sqlite"
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True
        ) as process:
            time.sleep(1.0)
            os.kill(process.pid, signal.SIGKILL)
            assert process.stdout is not None
            acknowledged = len(process.stdout.read().split())
        queue = JobQueue(path)
        kept = queue.statistics()["arrivals"]
        assert kept in (acknowledged, acknowledged + 1)
        while batch := queue.arrivals():
            queue.settle(batch, [])
    queue.tidy()
    assert len(list((tmp_path / "arrivals").iterdir())) == 1, "segments that are read are removed"


def test_the_hook_waits_for_no_worker_that_holds_the_queue(queue: JobQueue, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "queue.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    queue.put("i1", "1.2")
    other.execute("COMMIT")
    other.close()
    assert [arrival.instance for arrival in queue.arrivals()] == ["i1"]


def test_a_line_cut_short_by_a_crash_spoils_no_other(queue: JobQueue, tmp_path: Path) -> None:
    queue.put("i1", "1.2")
    (segment,) = (tmp_path / "arrivals").iterdir()
    with segment.open("ab") as file:
        file.write(b"i2 1.2 17")
    JobQueue(tmp_path / "queue.sqlite").put("i3", "1.2")
    assert [arrival.instance for arrival in queue.arrivals()] == ["i1", "i3"]
    queue.settle(queue.arrivals(), [])
    assert queue.arrivals() == []


def test_unread_arrivals_are_counted_without_being_parsed(
    queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(5):
        queue.put(f"i{n}", "ct")
    queue.settle(queue.arrivals(2), [])

    def refuse(*_: object) -> None:
        raise AssertionError("a line was parsed")

    monkeypatch.setattr("plugin.journal.Entry", refuse)
    assert queue.statistics()["arrivals"] == 3


def test_an_unread_arrival_is_parsed_once_however_often_one_asks(
    queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = []

    def entry(*values: Any) -> Entry:
        parsed.append(values[2])
        return Entry(*values)

    monkeypatch.setattr("plugin.journal.Entry", entry)
    queue.put("i1", "ct")
    queue.put("i2", "ct")
    for _ in range(3):
        assert queue.pending_for(["i2"]) == 1
    queue.put("i3", "ct")
    assert queue.pending_for(["i3", "i1"]) == 2
    assert parsed == ["i1", "i2", "i3"]


def test_what_is_pending_follows_what_arrives_is_read_and_is_tidied_up(
    queue: JobQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugin.journal.SEGMENT_BYTES", 100)  # three lines
    sent = [f"i{n}" for n in range(9)] + ["i0"]
    for instance in sent:
        queue.put(instance, "ct")
    assert queue.pending_for(["i0"]) == 2
    for read in range(1, len(sent) + 1):
        queue.settle(queue.arrivals(1), [])
        queue.tidy()
        unread = sent[read:]
        assert queue.statistics()["arrivals"] == queue.pending_for(sent) == len(unread)
        assert [queue.pending_for([one]) for one in ("i0", "i8")] == [
            unread.count("i0"), unread.count("i8"),
        ]  # fmt: skip
    queue.put("i8", "ct")
    assert queue.pending_for(["i8"]) == 1
    assert JobQueue(tmp_path / "queue.sqlite").pending_for(["i8"]) == 1


def test_studies_that_wait_or_ended_without_a_result_are_known(queue: JobQueue) -> None:
    for number, outcome in enumerate(("findings", "failed", "no-application", "abstained")):
        study = f"st{number}"
        enqueue(queue, NewJob("instance", f"i{number}", "c", "app", "s", study, 1.0))
        job = queue.lease("w", 60)
        assert job is not None
        queue.done(job, outcome)
    enqueue(queue, NewJob("instance", "i9", "c", "app", "s", "st9", time.time()))
    noted = dict(queue.studies_to_note(10))
    assert set(noted) == {"st1", "st3", "st9"}
    assert len(queue.studies_to_note(1)) == 1
