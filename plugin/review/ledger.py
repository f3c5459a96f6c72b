# SPDX-License-Identifier: AGPL-3.0-or-later
"""Counting reviews: how often which class of which model was right or wrong on this node.

A SQLite file with one row per image, model and class, overwritten by a later review of the same
image. It holds Orthanc identifiers and counts, nothing of the patient; the reviews themselves lie
in Orthanc, and the file can be made again from them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS judged (
    instance TEXT NOT NULL,
    model TEXT NOT NULL,
    version TEXT NOT NULL,
    finding TEXT NOT NULL,
    wrong INTEGER NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (instance, model, version, finding)
);
CREATE INDEX IF NOT EXISTS judged_class ON judged (model, version, finding, at);
CREATE TABLE IF NOT EXISTS reviewed (instance TEXT PRIMARY KEY, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS closed (
    model TEXT NOT NULL,
    version TEXT NOT NULL,
    finding TEXT NOT NULL,
    at TEXT NOT NULL,
    by TEXT NOT NULL,
    reason TEXT NOT NULL
);
"""


class LedgerError(OSError):
    """The file of counts can't be read or written; the message says why."""


@dataclass(frozen=True)
class Judgement:
    """Whether a class was right on one image, in the readers' judgement."""

    finding: str
    wrong: bool


@dataclass(frozen=True)
class Count:
    """How a class of a model did on the images reviewed since a moment."""

    model: str
    version: str
    finding: str
    reviewed: int
    wrong: int
    first_wrong: str
    last_wrong: str


@dataclass(frozen=True)
class Closing:
    """A person has closed the remediation of a class."""

    at: str
    by: str
    reason: str


class Ledger:
    """The counts in the file at ``path``, from any thread.

    Raises:
        LedgerError: from every method, when the file can't be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._connection() as db:
            db.executescript(_SCHEMA)

    def record(
        self, instance: str, model: tuple[str, str], judgements: Iterable[Judgement], at: str
    ) -> None:
        """Keep what the reviews of one image say of each class of a model's name and version."""
        rows = [(instance, *model, one.finding, int(one.wrong), at) for one in judgements]
        with self._connection() as db:
            db.execute("INSERT OR REPLACE INTO reviewed VALUES (?, ?)", (instance, at))
            db.executemany("INSERT OR REPLACE INTO judged VALUES (?, ?, ?, ?, ?, ?)", rows)

    def reviewed(self, limit: int, offset: int = 0) -> tuple[list[str], int]:
        """Instances with reviews, the last reviewed first, and how many there are."""
        with self._connection() as db:
            query = "SELECT instance FROM reviewed ORDER BY at DESC, instance LIMIT ? OFFSET ?"
            found = [str(row[0]) for row in db.execute(query, (limit, offset))]
            return found, int(db.execute("SELECT count(*) FROM reviewed").fetchone()[0])

    def counts(self, since: str) -> list[Count]:
        """Counts per class of all models, of reviews not older than ``since`` (ISO 8601)."""
        query = """
            SELECT model, version, finding, count(*), sum(wrong),
                coalesce(min(CASE WHEN wrong THEN at END), ''),
                coalesce(max(CASE WHEN wrong THEN at END), '')
            FROM judged WHERE at >= ? GROUP BY model, version, finding
            ORDER BY model, version, finding
        """
        with self._connection() as db:
            return [Count(*row) for row in db.execute(query, (since,))]

    def count_since(self, model: str, version: str, finding: str, since: str) -> tuple[int, int]:
        """(reviewed, wrong) of one class after a moment."""
        query = """SELECT count(*), coalesce(sum(wrong), 0) FROM judged
            WHERE model = ? AND version = ? AND finding = ? AND at > ?"""
        with self._connection() as db:
            reviewed, wrong = db.execute(query, (model, version, finding, since)).fetchone()
            return int(reviewed), int(wrong)

    def close(self, model: str, version: str, finding: str, closing: Closing) -> None:
        """Keep that a person closed a remediation."""
        row = (model, version, finding, closing.at, closing.by, closing.reason)
        with self._connection() as db:
            db.execute("INSERT INTO closed VALUES (?, ?, ?, ?, ?, ?)", row)

    def last_closing(self, model: str, version: str, finding: str) -> Closing | None:
        """When, by whom and why the remediation of a class was closed last."""
        query = """SELECT at, by, reason FROM closed
            WHERE model = ? AND version = ? AND finding = ? ORDER BY at DESC LIMIT 1"""
        with self._connection() as db:
            row = db.execute(query, (model, version, finding)).fetchone()
            return Closing(*row) if row else None

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            db = sqlite3.connect(self._path, timeout=10.0)
            try:
                with db:
                    yield db
            finally:
                db.close()
        except sqlite3.Error as error:
            raise LedgerError(f"the counts of reviews can't be used: {error}") from error
