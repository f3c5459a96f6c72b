# SPDX-License-Identifier: AGPL-3.0-or-later
"""The queue after years of work: what is asked all the time never reads what is done."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from plugin.queue import Arrival, JobQueue, NewJob
from tests.plugin.query_plans import plan_of

FEW = ("jobs_open", "jobs_dead", "gathering_due")
"""Partial indexes, which hold only what still waits or is a dead letter."""

FORMER = """
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, level TEXT NOT NULL, resource TEXT NOT NULL,
    content TEXT NOT NULL, application TEXT NOT NULL, series TEXT NOT NULL, study TEXT NOT NULL,
    priority INTEGER NOT NULL, status TEXT NOT NULL DEFAULT 'queued',
    attempts INTEGER NOT NULL DEFAULT 0, not_before REAL NOT NULL DEFAULT 0,
    lease_until REAL NOT NULL DEFAULT 0, owner TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '', arrived REAL NOT NULL, finished REAL NOT NULL DEFAULT 0,
    runs INTEGER NOT NULL DEFAULT 0, UNIQUE (level, resource, content, application)
);
CREATE TABLE gathering (
    series TEXT PRIMARY KEY, study TEXT NOT NULL, last_arrival REAL NOT NULL,
    forced INTEGER NOT NULL DEFAULT 0, fits INTEGER NOT NULL DEFAULT 0, due REAL
);
"""
"""Tables of jobs and series as the first release made them."""


@pytest.fixture
def queue(tmp_path: Path) -> JobQueue:
    with sqlite3.connect(tmp_path / "queue.sqlite") as former:
        former.executescript(FORMER)
        add = (
            "INSERT INTO jobs (level, resource, content, application, series, study, priority,"
            " arrived, status) VALUES ('instance', ?, 'c', 'app', 's', 'st', 0, 1.0, ?)"
        )
        former.executemany(add, [("i1", "done"), ("i2", "done"), ("i3", "dead"), ("i4", "queued")])
    former.close()
    return JobQueue(tmp_path / "queue.sqlite")


def new_job(resource: str) -> NewJob:
    return NewJob("instance", resource, "c", "app", "s", "st", 1.0)


QUESTIONS: dict[str, Callable[[JobQueue], object]] = {
    "lease": lambda queue: queue.lease("w", 60),
    "release": lambda queue: queue.release("w"),
    "due_series": lambda queue: queue.due_series(),
    "mark_stable": lambda queue: queue.mark_stable("s"),
    "pending_for": lambda queue: queue.pending_for(["i1", "st"]),
    "statistics": lambda queue: queue.statistics(),
    "dead_letters": lambda queue: queue.dead_letters(),
    "is_done": lambda queue: queue.is_done(new_job("i1")),
    "settle": lambda queue: queue.settle([], [new_job("i9")]),
    "note_series": lambda queue: queue.note_series("s", "st", Arrival("i", "ct", 1.0), 1.0),
    "last_arrival": lambda queue: queue.last_arrival("s"),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_is_asked_all_the_time_finds_its_rows_by_an_index(
    question: str, queue: JobQueue
) -> None:
    for step in plan_of(queue._file, lambda: QUESTIONS[question](queue)):
        if re.match(r"SCAN (jobs|gathering)\b", step):
            assert step.split()[-1] in FEW or step.split()[-2] in FEW, step


def test_the_most_urgent_of_many_jobs_is_found_without_sorting_them(queue: JobQueue) -> None:
    steps = plan_of(queue._file, lambda: queue.lease("w", 60))
    assert [one for one in steps if "(status=?)" in one and "jobs_open" in one]
    # The one that is left sorts the first of those that wait and the first of those cut off.
    assert sum("TEMP B-TREE" in one for one in steps) == 1


def test_jobs_of_an_earlier_release_are_counted_and_counts_follow_every_change(
    queue: JobQueue,
) -> None:
    def counts() -> dict[str, int]:
        found = queue.statistics()
        rows = queue._file.read("SELECT status, count(*) FROM jobs GROUP BY status")
        assert {name: number for name, number in found.items() if number} == dict(rows)
        return found

    assert counts() == {
        "queued": 1, "running": 0, "done": 2, "dead": 1, "arrivals": 0, "gathering": 0,
    }  # fmt: skip
    queue.settle([], [new_job("i3"), new_job("i5"), new_job("i1")])
    assert (counts()["queued"], counts()["dead"]) == (3, 0)
    job = queue.lease("w", 60)
    assert job is not None
    assert counts()["running"] == 1
    queue.done(job, "findings")
    assert counts()["done"] == 3
    again = queue.lease("w", 60)
    assert again is not None
    assert queue.release("w") == 1
    assert counts()["queued"] == 2
    queue._file.append("DELETE FROM jobs WHERE resource = ?", ("i1",))
    assert counts()["done"] == 2


def test_a_file_that_is_opened_again_is_not_counted_again(queue: JobQueue, tmp_path: Path) -> None:
    queue._file.append("UPDATE job_counts SET number = 7 WHERE status = ?", ("done",))
    assert JobQueue(tmp_path / "queue.sqlite").statistics()["done"] == 7


@pytest.mark.parametrize("question", ["pending_for", "statistics", "dead_letters", "due_series"])
def test_a_question_waits_for_no_writer(question: str, queue: JobQueue, tmp_path: Path) -> None:
    answered = threading.Event()

    def ask() -> None:
        QUESTIONS[question](queue)
        answered.set()

    with JobQueue(tmp_path / "queue.sqlite")._file.transaction():
        asking = threading.Thread(target=ask)
        asking.start()
        assert answered.wait(5.0)  # a writer is waited for up to ten seconds
    asking.join()


@pytest.mark.parametrize("question", ["pending_for", "statistics", "dead_letters", "due_series"])
def test_a_question_never_takes_the_lock_that_the_hook_needs(
    question: str, queue: JobQueue
) -> None:
    statements: list[str] = []
    queue._file._connection().set_trace_callback(statements.append)
    QUESTIONS[question](queue)
    assert not [one for one in statements if one.lstrip().startswith(("BEGIN", "INSERT", "DELETE"))]
