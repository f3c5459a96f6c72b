# SPDX-License-Identifier: AGPL-3.0-or-later
"""Orders to run the rules of copies over what is stored already, and how far each is.

Tables of the file of copies. An order lists the studies that it has to look at once, when it
begins; each is crossed out after all that follows from it is noted, so an order that was cut off,
however, goes on where it was. The file holds Orthanc identifiers and counts.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from plugin.dispatch.ledger import COPIES_FILE
from plugin.queue_file import QueueFile

Status = Literal["ordered", "running", "done", "stopped"]
"""``ordered``: its studies are not listed yet."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS backfills (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    rules TEXT NOT NULL,
    first TEXT NOT NULL,
    last TEXT NOT NULL,
    most INTEGER NOT NULL,
    status TEXT NOT NULL DEFAULT 'ordered',
    found INTEGER NOT NULL DEFAULT 0,
    taken INTEGER NOT NULL DEFAULT 0,
    deliveries INTEGER NOT NULL DEFAULT 0,
    ordered REAL NOT NULL,
    finished REAL NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS backlog (
    backfill INTEGER NOT NULL, study TEXT NOT NULL, due REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (backfill, study)
);
CREATE INDEX IF NOT EXISTS backlog_due ON backlog (backfill, due)
"""
_OPEN = "status IN ('ordered', 'running')"
_COLUMNS = "id, rules, first, last, most, status, found, taken, deliveries, ordered, finished"


class BackfillOpenError(RuntimeError):
    """There is an order that has not ended yet."""


@dataclass(frozen=True)
class Wish:
    """What an order asks for.

    Attributes:
        rules: names of rules.
        first: Study Date (DA) from which studies count; empty: from the beginning.
        last: Study Date up to which; empty: until today.
        most: after so many studies of which something is to be sent the order ends.
    """

    rules: tuple[str, ...]
    first: str = ""
    last: str = ""
    most: int = 1000

    def takes(self, taken: date | None) -> bool:
        """Whether a study of this Study Date counts; one without a date only where all do."""
        if taken is None:
            return not (self.first or self.last)
        day = taken.isoformat().replace("-", "")
        return self.first <= day and (not self.last or day <= self.last)


@dataclass(frozen=True)
class Backfill:
    """An order, and how far it is.

    Attributes:
        found: how many studies it has to look at.
        waiting: how many of them it has not looked at.
        taken: how many had something that was not sent before.
        deliveries: how many were noted in the outbox.
    """

    id: int
    wish: Wish
    status: Status
    found: int
    taken: int
    deliveries: int
    ordered: float
    finished: float
    waiting: int


class BackfillBook:
    """One process's and thread's safe view of the orders.

    Raises:
        QueueError: from every method, when the file can't be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._file = QueueFile(path, _SCHEMA, "FULL")

    @classmethod
    def beside(cls, queue_file: str) -> BackfillBook:
        """The one that belongs to a queue."""
        return cls(Path(queue_file).with_name(COPIES_FILE))

    def order(self, wish: Wish) -> None:
        """Take an order.

        Raises:
            BackfillOpenError: one is open.
        """
        with self._file.transaction() as db:
            if db.execute(f"SELECT 1 FROM backfills WHERE {_OPEN}").fetchone():  # noqa: S608
                raise BackfillOpenError("a backfill is under way; wait for it, or stop it")
            db.execute(
                "INSERT INTO backfills (rules, first, last, most, ordered) VALUES (?, ?, ?, ?, ?)",
                (json.dumps(wish.rules), wish.first, wish.last, wish.most, time.time()),
            )

    def latest(self) -> Backfill | None:
        """The latest order, open or not."""
        rows = self._file.read(f"SELECT {_COLUMNS} FROM backfills ORDER BY id DESC LIMIT 1")  # noqa: S608
        return self._read(rows[0]) if rows else None

    def open(self) -> Backfill | None:
        """The order that is to be carried out."""
        found = self.latest()
        return found if found and found.status in ("ordered", "running") else None

    def list_studies(self, backfill: int, studies: Sequence[str]) -> None:
        """Note what an order has to look at; from then on it runs."""
        with self._file.transaction() as db:
            db.executemany(
                "INSERT OR IGNORE INTO backlog (backfill, study) VALUES (?, ?)",
                [(backfill, study) for study in studies],
            )
            db.execute(
                "UPDATE backfills SET status = 'running', found = ?"
                " WHERE id = ? AND status = 'ordered'",
                (len(set(studies)), backfill),
            )

    def due(self, backfill: int, limit: int) -> list[str]:
        """Studies to look at, those that were put off last."""
        rows = self._file.read(
            "SELECT study FROM backlog WHERE backfill = ? AND due <= ? ORDER BY due, rowid LIMIT ?",
            (backfill, time.time(), limit),
        )
        return [str(row[0]) for row in rows]

    def later(self, backfill: int, study: str, seconds: float) -> None:
        """A study can't be decided about yet."""
        self._file.append(
            "UPDATE backlog SET due = ? WHERE backfill = ? AND study = ?",
            (time.time() + seconds, backfill, study),
        )

    def looked_at(self, backfill: int, study: str, deliveries: int) -> None:
        """All that follows from a study is noted: so many deliveries."""
        with self._file.transaction() as db:
            gone = db.execute(
                "DELETE FROM backlog WHERE backfill = ? AND study = ?", (backfill, study)
            )
            if gone.rowcount and deliveries:
                db.execute(
                    "UPDATE backfills SET taken = taken + 1, deliveries = deliveries + ?"
                    " WHERE id = ?",
                    (deliveries, backfill),
                )

    def end(self, backfill: int, status: Literal["done", "stopped"]) -> None:
        """An open order ends; what it has not looked at is forgotten."""
        with self._file.transaction() as db:
            changed = db.execute(
                f"UPDATE backfills SET status = ?, finished = ? WHERE id = ? AND {_OPEN}",  # noqa: S608
                (status, time.time(), backfill),
            )
            if changed.rowcount:
                db.execute("DELETE FROM backlog WHERE backfill = ?", (backfill,))

    def _read(self, row: Sequence[Any]) -> Backfill:
        number, rules, first, last, most = row[:5]
        wish = Wish(tuple(json.loads(rules)), first, last, most)
        count = "SELECT count(*) FROM backlog WHERE backfill = ?"
        waiting = int(self._file.read(count, (number,))[0][0])
        status, found, taken, deliveries, ordered, finished = row[5:]
        return Backfill(number, wish, status, found, taken, deliveries, ordered, finished, waiting)
