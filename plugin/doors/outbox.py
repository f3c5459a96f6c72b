# SPDX-License-Identifier: AGPL-3.0-or-later
"""The durable outbox between the workers and the doors: one SQLite file beside the queue.

Invariants, each held by one transaction:

- A delivery is unique by (result, event, door): however often a result is noted, each door gets it
  once. What a result is, is told by a digest of what it says, so a changed result is another one.
- A delivery is noted before its scan's job counts as done, and written to the disk at once
  (``synchronous=FULL``): a job that is done has its deliveries, also after a power failure.
- A delivery ends as sent, as superseded by a newer result, or as a dead letter with a reason.

It holds Orthanc identifiers and digests, and nothing of a patient: what is sent is read from
Orthanc when it is sent. A process that ends between sending and noting it sends once more, under
the same name: receivers can tell (MSH-10, ``X-Sidelight-Delivery``, the workitem's UID).
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from plugin.doors.errors import OutboxError
from plugin.queue_file import QueueError, QueueFile, counted
from plugin.set_back import bring_near

Event = Literal["result", "escalation", "failed", "study", "copy"]
Level = Literal["instance", "series", "study"]
DeliveryStatus = Literal["queued", "sent", "superseded", "dead"]
STATUSES: tuple[DeliveryStatus, ...] = ("queued", "sent", "superseded", "dead")

FILE_NAME = "outbox.sqlite"
KEPT_SECONDS = 90 * 86400.0
LONGEST_BACKOFF_SECONDS = 300.0

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    result TEXT NOT NULL,
    event TEXT NOT NULL,
    door TEXT NOT NULL,
    target TEXT NOT NULL,
    level TEXT NOT NULL,
    resource TEXT NOT NULL,
    study TEXT NOT NULL,
    urgency INTEGER NOT NULL,
    status TEXT NOT NULL DEFAULT 'queued',
    attempts INTEGER NOT NULL DEFAULT 0,
    refusals INTEGER NOT NULL DEFAULT 0,
    not_before REAL NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '',
    noted REAL NOT NULL,
    since REAL NOT NULL,
    finished REAL NOT NULL DEFAULT 0,
    UNIQUE (result, event, door)
);
DROP INDEX IF EXISTS deliveries_open;
CREATE INDEX IF NOT EXISTS deliveries_next ON deliveries (door, urgency DESC, attempts, id)
    WHERE status = 'queued';
CREATE INDEX IF NOT EXISTS deliveries_finished ON deliveries (finished) WHERE finished > 0;
CREATE INDEX IF NOT EXISTS deliveries_study ON deliveries (study);
CREATE INDEX IF NOT EXISTS deliveries_queued ON deliveries (id) WHERE status = 'queued';
CREATE INDEX IF NOT EXISTS deliveries_dead ON deliveries (id) WHERE status = 'dead';
{counted("deliveries", "delivery_counts", STATUSES)}
"""

_NEXT = """
SELECT id, result, event, door, level, resource, study, attempts, refusals, noted, since
FROM deliveries WHERE door = ? AND status = 'queued' AND not_before <= ? AND id NOT IN ({spared})
ORDER BY urgency DESC, attempts, id LIMIT 1
"""

_WHICH = {status: f"WHERE status = '{status}'" for status in STATUSES}
"""Said in the query itself: only then is the index of the few that are dead or wait taken."""

_SHOWN = (
    "id", "event", "door", "target", "status", "level", "resource", "study", "attempts", "reason",
    "noted", "finished",
)  # fmt: skip


@dataclass(frozen=True)
class NewDelivery:
    """What is to be sent where, before it has a place in the outbox."""

    result: str
    event: Event
    door: str
    level: Level
    resource: str
    study: str
    urgency: int = 0
    target: str = ""
    """Where the door leads, for people: host and port."""


@dataclass(frozen=True)
class Delivery:
    """A delivery that is due."""

    id: int
    result: str
    event: Event
    door: str
    level: Level
    resource: str
    study: str
    attempts: int
    refusals: int
    noted: float
    since: float


@dataclass(frozen=True)
class Patience:
    """How often a refused delivery is tried, how long an unreachable receiver, and the waits."""

    maximum_refusals: int = 5
    backoff_seconds: float = 2.0
    keep_trying_seconds: float = 72 * 3600.0

    def wait(self, attempts: int) -> float:
        """Seconds before the next attempt: doubled each time, up to five minutes."""
        doubled: float = self.backoff_seconds * 2.0 ** min(attempts - 1, 16)
        return min(LONGEST_BACKOFF_SECONDS, doubled)


class Outbox:
    """One process's and thread's safe view of the outbox.

    Raises:
        OutboxError: from every method, when the file can't be read or written.
    """

    def __init__(self, path: Path, patience: Patience | None = None) -> None:
        self.patience = patience or Patience()
        with _typed():
            self._file = QueueFile(path, _SCHEMA, "FULL")

    @classmethod
    def beside(cls, queue_file: str, patience: Patience | None = None) -> Outbox:
        """The outbox that belongs to a queue."""
        return cls(Path(queue_file).with_name(FILE_NAME), patience)

    # -- the workers' side ------------------------------------------------------------------------

    def note(self, deliveries: Sequence[NewDelivery]) -> int:
        """Note deliveries, all or none; those that are there already stay as they are.

        Returns:
            How many were new.
        """
        now = time.time()
        rows = [(*_row(d), now, now) for d in deliveries]
        with _typed(), self._file.transaction() as db:
            cursor = db.executemany(
                "INSERT INTO deliveries (result, event, door, target, level, resource, study,"
                " urgency, noted, since) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (result, event, door) DO NOTHING",
                rows,
            )
            return max(0, cursor.rowcount)

    # -- the doors' side --------------------------------------------------------------------------

    def due(self, door: str, spared: Collection[int] = ()) -> Delivery | None:
        """A delivery of a door that is due; it counts as one more attempt.

        The most urgent goes first, then what was tried least often, then the oldest: what fails
        goes behind what was not tried yet. Each door has one sender, so there is no lease: what was
        cut off is due again.

        Args:
            spared: numbers of deliveries that are left out, however urgent.
        """
        query = _NEXT.format(spared=", ".join("?" for _ in spared))
        values = (door, time.time(), *spared)
        with _typed():
            if not self._file.read(query, values):
                return None  # a look first: an idle sender never takes the write lock
        with _typed(), self._file.transaction() as db:
            row = db.execute(query, values).fetchone()
            if row is None:
                return None
            db.execute("UPDATE deliveries SET attempts = attempts + 1 WHERE id = ?", (row[0],))
        found = Delivery(*row)
        return Delivery(**{**found.__dict__, "attempts": found.attempts + 1})

    def sent(self, delivery: Delivery) -> None:
        """The receiver has it."""
        self._end(delivery, "sent", "")

    def superseded(self, delivery: Delivery, reason: str) -> None:
        """There is a newer result of the same scan."""
        self._end(delivery, "superseded", reason)

    def bury(self, delivery: Delivery, reason: str) -> None:
        """Make it a dead letter at once."""
        self._end(delivery, "dead", reason)

    def refused(self, delivery: Delivery, reason: str) -> bool:
        """The receiver refused it: try again later, or make it a dead letter (True)."""
        if delivery.refusals + 1 >= self.patience.maximum_refusals:
            self.bury(delivery, reason)
            return True
        self._later(delivery, "refusals = refusals + 1,", reason)
        return False

    def unreachable(self, delivery: Delivery, reason: str) -> bool:
        """The receiver isn't there: try again later; after days it is a dead letter (True)."""
        if time.time() - delivery.since >= self.patience.keep_trying_seconds:
            self.bury(delivery, reason)
            return True
        self._later(delivery, "", reason)
        return False

    def bury_orphans(self, doors: Sequence[str]) -> int:
        """Make dead letters of what is left for doors that are configured no longer; how many."""
        marks = ", ".join("?" for _ in doors)
        with _typed(), self._file.transaction() as db:
            cursor = db.execute(
                "UPDATE deliveries SET status = 'dead', finished = ?,"  # noqa: S608
                " reason = 'this door is configured no longer'"
                f" WHERE status = 'queued' AND door NOT IN ({marks})",
                (time.time(), *doors),
            )
            return cursor.rowcount

    def tidy(self) -> None:
        """Fold in the write-ahead log, and forget what was sent three months ago."""
        with _typed():
            self._file.append(
                "DELETE FROM deliveries WHERE finished > 0 AND finished < ?"
                " AND status IN ('sent', 'superseded')",
                (time.time() - KEPT_SECONDS,),
            )
            self._file.read("PRAGMA wal_checkpoint(PASSIVE)")

    def bring_near(self) -> None:
        """What waits longer than it may is due: the clock was set back since."""
        waits = ("not_before", LONGEST_BACKOFF_SECONDS, "status = 'queued'")
        with _typed():
            bring_near(self._file, "deliveries", *waits)

    # -- questions and orders ---------------------------------------------------------------------

    def statistics(self) -> dict[str, int]:
        """Counts of deliveries by status."""
        with _typed():
            return dict(self._file.read("SELECT status, number FROM delivery_counts"))

    def waiting(self, doors: Sequence[str]) -> int:
        """How many deliveries of these doors are neither sent nor given up."""
        marks = ", ".join("?" for _ in doors)
        query = f"SELECT count(*) FROM deliveries WHERE status = 'queued' AND door IN ({marks})"  # noqa: S608
        with _typed():
            return int(self._file.read(query, tuple(doors))[0][0])

    def deliveries_of(self, study: str, event: Event) -> list[dict[str, Any]]:
        """All deliveries of one kind about a study, the latest first, each with ``result``."""
        names = (*_SHOWN, "result")
        with _typed():
            rows = self._file.read(
                f"SELECT {', '.join(names)} FROM deliveries"  # noqa: S608
                " WHERE study = ? AND event = ? ORDER BY id DESC",
                (study, event),
            )
        return [dict(zip(names, row, strict=True)) for row in rows]

    def deliveries(self, status: DeliveryStatus | None, limit: int) -> list[dict[str, Any]]:
        """The latest deliveries, of one status or all."""
        which = _WHICH[status] if status else ""
        with _typed():
            rows = self._file.read(
                f"SELECT {', '.join(_SHOWN)} FROM deliveries {which} ORDER BY id DESC LIMIT ?",  # noqa: S608
                (limit,),
            )
        return [dict(zip(_SHOWN, row, strict=True)) for row in rows]

    def retry(self, identifier: int) -> bool | None:
        """Queue a dead letter again: None for an unknown one, False for one that isn't dead."""
        with _typed(), self._file.transaction() as db:
            row = db.execute("SELECT 1 FROM deliveries WHERE id = ?", (identifier,)).fetchone()
            cursor = db.execute(
                "UPDATE deliveries SET status = 'queued', attempts = 0, refusals = 0,"
                " not_before = 0, finished = 0, since = ? WHERE id = ? AND status = 'dead'",
                (time.time(), identifier),
            )
            return None if row is None else cursor.rowcount == 1

    def revive(self, deliveries: Sequence[NewDelivery]) -> int:
        """Queue again those of these that were superseded: what they carry is wanted once more."""
        now = time.time()
        with _typed(), self._file.transaction() as db:
            cursor = db.executemany(
                "UPDATE deliveries SET status = 'queued', attempts = 0, refusals = 0,"
                " not_before = 0, finished = 0, reason = '', since = ?"
                " WHERE result = ? AND event = ? AND door = ? AND status = 'superseded'",
                [(now, one.result, one.event, one.door) for one in deliveries],
            )
            return max(0, cursor.rowcount)

    def _end(self, delivery: Delivery, status: DeliveryStatus, reason: str) -> None:
        with _typed():
            self._file.append(
                "UPDATE deliveries SET status = ?, reason = ?, finished = ? WHERE id = ?",
                (status, reason, time.time(), delivery.id),
            )

    def _later(self, delivery: Delivery, change: str, reason: str) -> None:
        due = time.time() + self.patience.wait(delivery.attempts)
        with _typed():
            self._file.append(
                f"UPDATE deliveries SET {change} not_before = ?, reason = ? WHERE id = ?",  # noqa: S608
                (due, reason, delivery.id),
            )


def _row(new: NewDelivery) -> tuple[str | int, ...]:
    return (
        new.result, new.event, new.door, new.target, new.level, new.resource, new.study,
        new.urgency,
    )  # fmt: skip


@contextmanager
def _typed() -> Iterator[None]:
    """Errors of the file as the outbox's own."""
    try:
        yield
    except QueueError as error:
        raise OutboxError(f"outbox: {error}") from error
