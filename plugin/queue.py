# SPDX-License-Identifier: AGPL-3.0-or-later
"""The durable queue between Orthanc's hook and the workers: one SQLite file per Orthanc.

Invariants, each held by one transaction:

- An arrival is one line of a journal (``plugin/journal.py``), written before the hook returns. It
  counts as read only when the job that it leads to is there.
- A job is unique by (resource, content, application): the same bytes under the same models and
  configuration are worked off once, however often they arrive, as long as what was found is there.
- A job that is leased belongs to one worker until the lease ends. Whoever finishes it must still
  hold that very lease.
- A job ends as done or as a dead letter with a reason. No job disappears, unless its scan does.

The file is in WAL mode with ``synchronous=NORMAL``, as Orthanc's own index: it survives the end of
any process at any moment. After a power failure the last moments may be missing; they are found
again in Orthanc's list of changes (``worker/catch_up.py``).
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from plugin import queue_file
from plugin.journal import Entry, JournalError, JournalReader, JournalWriter
from plugin.queue_file import QueueError, QueueFile
from plugin.set_back import LongestWaits

__all__ = [
    "GAP", "NO_GAP", "Arrival", "Job", "JobQueue", "LeaseLostError", "NewJob", "QueueError",
    "Retry",
]  # fmt: skip

Level = Literal["instance", "recognition", "series"]
"""What a job works on: one instance, the first look at a series, or a whole series."""

GAP = "gap"
"""Fact: arrivals may be missing, so the workers must read Orthanc's changes; another value each
time that this is told, ``NO_GAP`` when they were read."""
NO_GAP = "0"

PRIORITY_ARRIVED = 0
PRIORITY_ASKED = 10
"""A person waits for what was asked for over REST."""


class LeaseLostError(RuntimeError):
    """The lease ended before the job did; somebody else has it now, so the result is dropped."""


@dataclass(frozen=True)
class Arrival:
    """An instance that Orthanc stored."""

    instance: str
    sop_class: str
    received: float
    forced: bool = False
    seq: int | None = None
    entry: Entry | None = None


@dataclass(frozen=True)
class NewJob:
    """What is to be done, before it has a place in the queue."""

    level: Level
    resource: str
    content: str
    application: str
    series: str
    study: str
    arrived: float
    forced: bool = False
    lost: bool = False
    """What an earlier one found is no longer there."""


@dataclass(frozen=True)
class Job:
    """A job under lease."""

    id: int
    level: Level
    resource: str
    content: str
    series: str
    study: str
    attempts: int
    owner: str
    arrived: float


@dataclass(frozen=True)
class Retry:
    """How often a job is tried, and with how long a wait before the second time."""

    maximum_attempts: int = 5
    backoff_seconds: float = 2.0


class JobQueue:
    """One process's and thread's safe view of the queue file, opened when it is needed."""

    def __init__(self, path: Path, retry: Retry | None = None) -> None:
        self.retry = retry or Retry()
        self._folder = path.parent
        self._file = QueueFile(path)
        self._writer = JournalWriter(path.parent / "arrivals")
        self._reader = JournalReader(path.parent / "arrivals")

    # -- Orthanc's side -------------------------------------------------------------------------

    def put(self, instance: str, sop_class: str) -> bool:
        """Append an arrival: the one thing that the hook does; False where earlier ones are gone.

        Raises:
            QueueError: disk full, folder unwritable ...; the instance is found later by catch-up.
        """
        try:
            return self._writer.append(instance, sop_class)
        except JournalError as error:
            raise QueueError(str(error)) from error

    def mark_stable(self, series: str) -> None:
        """Orthanc says that a series is complete: don't wait any longer for it."""
        with self._file.transaction() as db:
            db.execute(
                "UPDATE gathering SET due = ? WHERE series = ? AND due IS NOT NULL",
                (time.time(), series),
            )

    # -- from arrivals to jobs --------------------------------------------------------------------

    def arrivals(self, limit: int = 500) -> list[Arrival]:
        """The oldest arrivals; they stay until ``settle``."""
        rows = self._file.read(
            "SELECT seq, instance, sop_class, received, forced FROM arrivals ORDER BY seq LIMIT ?",
            (limit,),
        )
        asked_for = [Arrival(r[1], r[2], r[3], bool(r[4]), seq=r[0]) for r in rows]
        return asked_for + [
            Arrival(entry.instance, entry.sop_class, entry.received, entry=entry)
            for entry in self._reader.entries(self._positions(), limit)
        ]

    def arrived(self, seconds: float) -> int:
        """How many instances Orthanc has stored in the last ``seconds``; a hundred at most."""
        return self._reader.arrived(seconds)

    def put_all(self, instances: Iterable[tuple[str, str]], *, forced: bool = False) -> int:
        """Append many arrivals at once: for catch-up, and when a study is asked for again."""
        now = time.time()
        rows = [(instance, sop_class, now, int(forced)) for instance, sop_class in instances]
        with self._file.transaction() as db:
            db.executemany(
                "INSERT INTO arrivals (instance, sop_class, received, forced) VALUES (?, ?, ?, ?)",
                rows,
            )
        return len(rows)

    def settle(self, arrivals: Sequence[Arrival], jobs: Sequence[NewJob]) -> None:
        """Turn arrivals into jobs, both in one transaction."""
        with self._file.transaction() as db:
            for job in jobs:
                _insert(db, job)
            db.executemany("DELETE FROM arrivals WHERE seq = ?", [(a.seq,) for a in arrivals])
            db.executemany(
                "INSERT INTO journal VALUES (?, ?) ON CONFLICT (segment)"
                " DO UPDATE SET position = max(position, excluded.position)",
                [(a.entry.segment, a.entry.end) for a in arrivals if a.entry is not None],
            )

    def is_done(self, job: NewJob) -> bool:
        """Whether the same has been worked off before."""
        same = (job.level, job.resource, job.content, job.application)
        return bool(self._file.read(queue_file.DONE, same))

    def note_series(self, series: str, study: str, arrival: Arrival, wait: float) -> None:
        """Remember that a series has grown.

        Where the first look found an application, the whole series falls due ``wait`` seconds after
        its last arrival.
        """
        with self._file.transaction() as db:
            db.execute(
                "INSERT INTO gathering (series, study, last_arrival, forced) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (series) DO UPDATE SET last_arrival = max(last_arrival,"
                " excluded.last_arrival), forced = max(forced, excluded.forced),"
                " due = CASE WHEN fits THEN excluded.last_arrival + ? END",
                (series, study, arrival.received, int(arrival.forced), wait),
            )

    def touch_series(self, series: str, arrival: Arrival, wait: float) -> None:
        """Note one more slice of a series that was noted in the same batch."""
        self._file.append(
            "UPDATE gathering SET last_arrival = max(last_arrival, ?),"
            " due = CASE WHEN fits THEN ? END WHERE series = ?",
            (arrival.received, arrival.received + wait, series),
        )

    def recognized(self, series: str, due: float | None) -> None:
        """Note what the first look at a series found: ``due`` is None where no application fits."""
        with self._file.transaction() as db:
            db.execute(
                "UPDATE gathering SET fits = ?, due = ? WHERE series = ?",
                (int(due is not None), due, series),
            )

    def last_arrival(self, series: str) -> float:
        """When the series last grew, seconds since the epoch; 0 if it never did."""
        row = self._file.read("SELECT last_arrival FROM gathering WHERE series = ?", (series,))
        return float(row[0][0]) if row else 0.0

    def due_series(self) -> list[tuple[str, str, float, bool]]:
        """Series that are complete: (series, study, when due, asked for by a person)."""
        rows = self._file.read(
            "SELECT series, study, due, forced FROM gathering WHERE due <= ?", (time.time(),)
        )
        return [(r[0], r[1], r[2], bool(r[3])) for r in rows]

    def settle_series(self, job: NewJob, due: float) -> None:
        """Turn a complete series into a job, unless it has grown meanwhile."""
        with self._file.transaction() as db:
            _insert(db, job)
            db.execute(
                "UPDATE gathering SET due = NULL, forced = 0 WHERE series = ? AND due = ?",
                (job.series, due),
            )

    # -- the workers' side ------------------------------------------------------------------------

    def lease(self, owner: str, seconds: float) -> Job | None:
        """Take the most urgent job for ``seconds``; None when there is nothing to do."""
        now = time.time()
        # A look first: an idle worker never takes the write lock.
        if not self._file.read(queue_file.WAITING, (now, now)):
            return None
        with self._file.transaction() as db:
            row = db.execute(queue_file.LEASE, (owner, now + seconds, now, now)).fetchone()
        return None if row is None else Job(*row)

    def extend(self, job: Job, seconds: float) -> None:
        """Keep a job that takes long."""
        self._finish(job, "lease_until = ?", (time.time() + seconds,))

    def done(self, job: Job, outcome: str) -> None:
        """The job's results are in Orthanc."""
        self._finish(
            job,
            "status = 'done', reason = ?, finished = ?, runs = runs + 1",
            (outcome, time.time()),
        )

    def postpone(self, job: Job, seconds: float) -> None:
        """Give the job back untried, because something that it needs is not there yet."""
        self._finish(
            job,
            "status = 'queued', attempts = attempts - 1, not_before = ?",
            (time.time() + seconds,),
        )

    def fail(self, job: Job, reason: str) -> bool:
        """Try the job again later, or make it a dead letter: True when it is dead."""
        if self.is_last_attempt(job):
            self._finish(job, "status = 'dead', reason = ?, finished = ?", (reason, time.time()))
            return True
        wait = self.retry.backoff_seconds * 2.0 ** (job.attempts - 1)
        self._finish(
            job, "status = 'queued', reason = ?, not_before = ?", (reason, time.time() + wait)
        )
        return False

    def is_last_attempt(self, job: Job) -> bool:
        """Whether the job is dead if this attempt fails."""
        return job.attempts >= self.retry.maximum_attempts

    def exhausted(self, job: Job) -> bool:
        """Whether earlier holders of this job used up its attempts without saying how it ended.

        Each attempt was cut off, for example because the scan crashes the process that reads it.
        """
        return job.attempts > self.retry.maximum_attempts

    def release(self, owner: str) -> int:
        """Give back what an earlier process of the same name still holds; how many jobs."""
        with self._file.transaction() as db:
            return db.execute(queue_file.RELEASE, (owner,)).rowcount

    # -- questions --------------------------------------------------------------------------------

    def pending_for(self, resources: Iterable[str]) -> int:
        """How many arrivals and jobs are still open for these instances, series or studies."""
        asked = set(resources)
        # The journal first: what becomes a job in between is counted twice rather than missed.
        unread = self._reader.count_of(asked, self._positions())
        known = self._file.read(queue_file.PENDING, (json.dumps(list(asked)),))
        return int(known[0][0]) + unread

    def statistics(self) -> dict[str, int]:
        """Counts of arrivals and of jobs by status.

        Raises:
            QueueError: the file can't be read.
        """
        # Arrivals first: what becomes a job in between is counted twice rather than missed.
        arrivals = self._file.read("SELECT count(*) FROM arrivals")[0][0]
        arrivals += self._reader.count(self._positions())
        counts: dict[str, int] = dict(
            self._file.read(
                "SELECT status, number FROM job_counts UNION ALL"
                " SELECT 'gathering', count(*) FROM gathering WHERE due IS NOT NULL"
            )
        )
        counts["arrivals"] = arrivals
        return counts

    def dead_letters(self, limit: int = 100) -> list[dict[str, Any]]:
        """The latest dead letters, with their reason."""
        names = ("level", "resource", "study", "attempts", "reason", "finished")
        rows = self._file.read(queue_file.DEAD, (limit,))
        return [dict(zip(names, row, strict=True)) for row in rows]

    def forget(self, letters: Iterable[Mapping[str, Any]]) -> None:
        """Drop dead letters whose scans are gone, unless they were tried again meanwhile."""
        rows = [(one["level"], one["resource"], one["finished"]) for one in letters]
        with self._file.transaction() as db:
            db.executemany(queue_file.FORGET, rows)

    def studies_to_note(self, limit: int) -> list[tuple[str, float]]:
        """Studies that wait, or have a scan that ended without a result; the latest first."""
        return [(row[0], row[1]) for row in self._file.read(queue_file.TO_NOTE, (limit,))]

    def fact(self, name: str) -> str | None:
        """A value that outlives processes, such as the last change that was seen."""
        rows = self._file.read("SELECT value FROM facts WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else None

    def remember(self, name: str, value: str) -> None:
        """Keep a fact."""
        with self._file.transaction() as db:
            db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def replace(self, name: str, value: str, instead_of: str) -> None:
        """Keep a fact, unless it is another one meanwhile."""
        statement = "UPDATE facts SET value = ? WHERE name = ? AND value = ?"
        self._file.append(statement, (value, name, instead_of))

    def tidy(self, longest: LongestWaits | None = None) -> None:
        """Tidy up at a quiet moment: fold in the write-ahead log, remove journals that are read."""
        (longest or LongestWaits()).bring_near(self._file)
        self._file.read("PRAGMA wal_checkpoint(PASSIVE)")
        for segment in self._reader.finished(self._positions()):
            self._reader.remove(segment)
            self._file.append("DELETE FROM journal WHERE segment = ?", (segment,))

    def free_bytes(self) -> int:
        """Free space where the queue lies.

        Raises:
            QueueError: the folder is gone.
        """
        try:
            status = os.statvfs(self._folder)
        except OSError as error:
            raise QueueError(error.strerror or str(error)) from error
        return status.f_bavail * status.f_frsize

    def _positions(self) -> dict[str, int]:
        return dict(self._file.read("SELECT segment, position FROM journal"))

    def _finish(self, job: Job, change: str, values: tuple[object, ...]) -> None:
        with self._file.transaction() as db:
            cursor = db.execute(
                f"UPDATE jobs SET {change}"  # noqa: S608
                " WHERE id = ? AND owner = ? AND status = 'running' AND attempts = ?",
                (*values, job.id, job.owner, job.attempts),
            )
            if cursor.rowcount != 1:
                raise LeaseLostError("the lease of this job has ended")


def _insert(db: sqlite3.Connection, job: NewJob) -> None:
    if job.lost and job.level == "recognition":
        # Its first look may write what a job of the whole series is then taken to have written.
        db.execute(queue_file.LOST, (job.series,))
    priority = PRIORITY_ASKED if job.forced else PRIORITY_ARRIVED
    values = (
        job.level, job.resource, job.content, job.application, job.series, job.study,
        priority, job.arrived, int(job.forced or job.lost),
    )  # fmt: skip
    db.execute(queue_file.INSERT, values)
