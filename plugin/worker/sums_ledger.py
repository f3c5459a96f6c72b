# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which studies have changed since what is kept on them was last summed up: a SQLite file.

A sum reads the whole study, so making it after each of hundreds of images would cost the square of
their number. It is made at the first change, and then again once for all changes that came in the
meantime. A change is noted here before its sum is made, and forgotten after: a worker that is
killed in between leaves it to another one.

The file holds Orthanc identifiers, and nothing of a patient.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from plugin.queue_file import QueueFile

FILE_NAME = "study_sums.sqlite"
LEASE_SECONDS = 60.0
"""After so long the sum of a worker that was killed is made by another one."""
MOST_REST_SECONDS = 30.0
"""The most from one sum of a study to the next."""
_LATER_THAN_ANY = 2 * LEASE_SECONDS
"""Nothing is due so far ahead, unless the clock was set back."""

Kind = Literal["anatomy", "states"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sums (
    kind TEXT NOT NULL, study TEXT NOT NULL, due REAL NOT NULL, PRIMARY KEY (kind, study)
);
CREATE TABLE IF NOT EXISTS changes (
    kind TEXT NOT NULL,
    study TEXT NOT NULL,
    series TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (kind, study, series)
);
CREATE TABLE IF NOT EXISTS summed (study TEXT PRIMARY KEY) WITHOUT ROWID
"""
_DUE = "(due <= ? OR due > ?)"
_CLAIM = f"UPDATE sums SET due = ? WHERE kind = ? AND study = ? AND {_DUE}"  # noqa: S608
_CHANGED = "SELECT series, version FROM changes WHERE kind = ? AND study = ?"
_PENDING = "SELECT 1 FROM changes WHERE kind = s.kind AND study = s.study AND version > 0"
_WAITING = (
    f"SELECT kind, study FROM sums AS s WHERE {_DUE} AND EXISTS ({_PENDING})"  # noqa: S608
    " ORDER BY due LIMIT 1"
)
_TIDY = f"DELETE FROM sums AS s WHERE due <= ? AND NOT EXISTS ({_PENDING})"  # noqa: S608
_SAME = "WHERE kind = ? AND study = ? AND series = ? AND version = ?"


@dataclass(frozen=True)
class Claim:
    """One sum to make, which nobody else makes at the same time.

    Attributes:
        changes: series in which something has changed, or that are remembered, each with the
            number of changes; an empty name stands for the study.
        until: the claim holds so long; seconds of the epoch.
        known: whether all series in which single images have a state are noted here: the study was
            summed up before, by this file.
    """

    kind: Kind
    study: str
    changes: Mapping[str, int]
    until: float
    known: bool = True

    @property
    def series(self) -> frozenset[str]:
        """The series alone."""
        return frozenset(self.changes) - {""}


class SumsLedger:
    """The file at ``path``, from any thread of any process.

    Raises:
        QueueError: from every method, when the file can't be read or written.
    """

    def __init__(self, path: Path) -> None:
        # A power failure must not lose a change whose scan the queue calls done.
        self._file = QueueFile(path, _SCHEMA, "FULL")

    @classmethod
    def beside(cls, queue_file: str) -> SumsLedger:
        """The ledger that belongs to a queue."""
        return cls(Path(queue_file).with_name(FILE_NAME))

    def changed(self, kind: Kind, study: str, series: str = "") -> Claim | None:
        """Note a change; the sum to make now, or None where it is made later, or by another one."""
        now = time.time()
        with self._file.transaction() as db:
            db.execute(
                "INSERT INTO changes VALUES (?, ?, ?, 1) ON CONFLICT (kind, study, series)"
                " DO UPDATE SET version = version + 1",
                (kind, study, series),
            )
            db.execute("INSERT OR IGNORE INTO sums VALUES (?, ?, ?)", (kind, study, now))
            return _claimed(db, kind, study, now)

    def hurried(self, kind: Kind, study: str) -> Claim | None:
        """The sum to make though the last one was just made; None while another one makes it."""
        now = time.time()
        with self._file.transaction() as db:
            return _claimed(db, kind, study, now, now + MOST_REST_SECONDS)

    def waiting(self) -> Claim | None:
        """A sum whose time has come, if there is one."""
        now = time.time()
        span = (now, now + _LATER_THAN_ANY)
        if not self._file.read(_WAITING, span):
            return None
        with self._file.transaction() as db:
            row = db.execute(_WAITING, span).fetchone()
            # Another worker may have been faster.
            return None if row is None else _claimed(db, row[0], row[1], now)

    def made(self, claim: Claim, rest: float, remembered: Collection[str] = ()) -> None:
        """A sum was made: what has changed since is looked at in ``rest`` seconds.

        A claim that has run out may have been overtaken by another one; its changes stay noted.

        Args:
            claim: as it was given.
            rest: seconds.
            remembered: series that every later claim names, too.
        """
        rows = [(claim.kind, claim.study, *change) for change in claim.changes.items()]
        with self._file.transaction() as db:
            if not _rests(db, claim, rest):
                return
            for row in rows:
                keep = row[2] in remembered
                what = "UPDATE changes SET version = 0" if keep else "DELETE FROM changes"
                db.execute(f"{what} {_SAME}", row)
            if claim.kind == "states":
                db.execute("INSERT OR IGNORE INTO summed VALUES (?)", (claim.study,))
            db.executemany(
                "INSERT OR IGNORE INTO changes VALUES (?, ?, ?, 0)",
                [(claim.kind, claim.study, one) for one in remembered],
            )
            db.execute(_TIDY, (time.time(),))

    def failed(self, claim: Claim, rest: float) -> None:
        """A sum could not be made: it is tried again in ``rest`` seconds."""
        with self._file.transaction() as db:
            _rests(db, claim, rest)


def _claimed(
    db: sqlite3.Connection, kind: Kind, study: str, now: float, before: float | None = None
) -> Claim | None:
    """Claim a sum that is due now, or before another time, if nobody makes it."""
    until = now + LEASE_SECONDS
    due = (now if before is None else before, now + _LATER_THAN_ANY)
    if not db.execute(_CLAIM, (until, kind, study, *due)).rowcount:
        return None
    found = db.execute(_CHANGED, (kind, study)).fetchall()
    known = db.execute("SELECT 1 FROM summed WHERE study = ?", (study,)).fetchone() is not None
    changes = {str(one): int(version) for one, version in found}
    return Claim(kind, study, changes, until, known)


def _rests(db: sqlite3.Connection, claim: Claim, rest: float) -> bool:
    """Give a claim back, unless it has run out and somebody else has one."""
    statement = "UPDATE sums SET due = ? WHERE kind = ? AND study = ? AND due = ?"
    values = (time.time() + rest, claim.kind, claim.study, claim.until)
    return bool(db.execute(statement, values).rowcount)
