# SPDX-License-Identifier: AGPL-3.0-or-later
"""The queue's SQLite file: schema, one connection per thread, and typed errors."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from plugin.damage import in_words


def counted(table: str, counts: str, statuses: Collection[str]) -> str:
    """Schema of a table ``counts``: how many rows of another there are of each status.

    They are counted as they change. Those of an earlier release are counted once, when there are no
    counts yet (LIMIT -1: all, 0: none).
    """
    zeros = ", ".join(f"('{status}', 0)" for status in statuses)
    return f"""
CREATE TABLE IF NOT EXISTS {counts} (status TEXT PRIMARY KEY, number INTEGER NOT NULL);
INSERT INTO {counts} SELECT status, count(*)
    FROM (SELECT status FROM {table} LIMIT (SELECT -(count(*) = 0) FROM {counts}))
    GROUP BY status;
INSERT OR IGNORE INTO {counts} VALUES {zeros};
CREATE TRIGGER IF NOT EXISTS {table}_come AFTER INSERT ON {table} BEGIN
    UPDATE {counts} SET number = number + 1 WHERE status = new.status;
END;
CREATE TRIGGER IF NOT EXISTS {table}_change AFTER UPDATE OF status ON {table} BEGIN
    UPDATE {counts} SET number = number + (status = new.status) - (status = old.status)
    WHERE status IN (new.status, old.status);
END;
CREATE TRIGGER IF NOT EXISTS {table}_go AFTER DELETE ON {table} BEGIN
    UPDATE {counts} SET number = number - 1 WHERE status = old.status;
END
"""  # noqa: S608


_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS arrivals (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    instance TEXT NOT NULL,
    sop_class TEXT NOT NULL,
    received REAL NOT NULL,
    forced INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    level TEXT NOT NULL,
    resource TEXT NOT NULL,
    content TEXT NOT NULL,
    application TEXT NOT NULL,
    series TEXT NOT NULL,
    study TEXT NOT NULL,
    priority INTEGER NOT NULL,
    status TEXT NOT NULL DEFAULT 'queued',
    attempts INTEGER NOT NULL DEFAULT 0,
    not_before REAL NOT NULL DEFAULT 0,
    lease_until REAL NOT NULL DEFAULT 0,
    owner TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',
    arrived REAL NOT NULL,
    finished REAL NOT NULL DEFAULT 0,
    runs INTEGER NOT NULL DEFAULT 0,
    UNIQUE (level, resource, content, application)
);
CREATE INDEX IF NOT EXISTS jobs_open ON jobs (status, priority DESC, id)
    WHERE status IN ('queued', 'running');
CREATE INDEX IF NOT EXISTS jobs_dead ON jobs (finished) WHERE status = 'dead';
CREATE INDEX IF NOT EXISTS jobs_study ON jobs (study);
CREATE INDEX IF NOT EXISTS arrivals_instance ON arrivals (instance);
CREATE TABLE IF NOT EXISTS gathering (
    series TEXT PRIMARY KEY,
    study TEXT NOT NULL,
    last_arrival REAL NOT NULL,
    forced INTEGER NOT NULL DEFAULT 0,
    fits INTEGER NOT NULL DEFAULT 0,
    due REAL
);
CREATE INDEX IF NOT EXISTS gathering_due ON gathering (due) WHERE due IS NOT NULL;
CREATE TABLE IF NOT EXISTS journal (segment TEXT PRIMARY KEY, position INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
{counted("jobs", "job_counts", ("queued", "running", "done", "dead"))}
"""
# Jobs and series that are done stay for good, since they say that the same is not done again: what
# is asked all the time finds the few others by the partial indexes, whose condition each such
# query has to repeat word for word.

_OPEN = "status IN ('queued', 'running')"

_MOST_URGENT = f"""
SELECT * FROM (
    SELECT id, priority FROM jobs WHERE {_OPEN} AND status = 'queued' AND not_before <= ?
    ORDER BY priority DESC, id LIMIT 1)
UNION ALL SELECT * FROM (
    SELECT id, priority FROM jobs WHERE {_OPEN} AND status = 'running' AND lease_until < ?
    ORDER BY priority DESC, id LIMIT 1)
"""  # noqa: S608

LEASE = f"""
UPDATE jobs SET status = 'running', owner = ?, lease_until = ?, attempts = attempts + 1
WHERE id = (SELECT id FROM ({_MOST_URGENT}) ORDER BY priority DESC, id LIMIT 1)
RETURNING id, level, resource, content, series, study, attempts, owner, arrived
"""  # noqa: S608

WAITING = f"SELECT 1 FROM ({_MOST_URGENT}) LIMIT 1"  # noqa: S608

RELEASE = f"""
UPDATE jobs SET status = 'queued', lease_until = 0
WHERE {_OPEN} AND status = 'running' AND owner = ?
"""  # noqa: S608

DONE = """
SELECT 1 FROM jobs
WHERE level = ? AND resource = ? AND content = ? AND application = ? AND status = 'done'
    AND reason <> 'own-object'
"""
"""Done, with something beside the scan that says so: what Sidelight made gets nothing there."""

INSERT = """
INSERT INTO jobs (level, resource, content, application, series, study, priority, arrived)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (level, resource, content, application) DO UPDATE SET
    status = 'queued', attempts = 0, not_before = 0, priority = excluded.priority,
    arrived = excluded.arrived
WHERE status = 'dead' OR (status = 'done' AND (? OR reason = 'lost'))
"""
"""Running and queued jobs stay as they are; a dead letter that comes again is tried again."""

LOST = """
UPDATE jobs SET reason = 'lost' WHERE level = 'series' AND resource = ? AND status = 'done'
"""
"""What was done with a whole series went with it: it is done again when the series is complete."""

PENDING = f"""
WITH asked AS MATERIALIZED (SELECT value AS id FROM json_each(?))
SELECT
    (SELECT count(*) FROM arrivals WHERE instance IN asked)
    + (SELECT count(*) FROM jobs WHERE {_OPEN} AND (
        resource IN asked OR study IN asked OR (level <> 'instance' AND series IN asked)))
    + (SELECT count(*) FROM gathering WHERE due IS NOT NULL AND (
        series IN asked OR study IN asked))
"""  # noqa: S608

TO_NOTE = f"""
SELECT study, max(moment) FROM (
    SELECT study, arrived AS moment FROM jobs WHERE {_OPEN}
    UNION ALL SELECT study, last_arrival FROM gathering WHERE due IS NOT NULL
    UNION ALL SELECT study, finished FROM (SELECT * FROM jobs ORDER BY id DESC LIMIT 10000)
    WHERE status = 'dead' OR (status = 'done' AND reason IN ('failed', 'refused', 'abstained'))
) GROUP BY study ORDER BY max(moment) DESC LIMIT ?
"""  # noqa: S608

DEAD = """
SELECT level, resource, study, attempts, reason, finished FROM jobs
WHERE status = 'dead' ORDER BY finished DESC LIMIT ?
"""

FORGET = "DELETE FROM jobs WHERE level = ? AND resource = ? AND status = 'dead' AND finished = ?"


_MADE = re.compile(r"^CREATE (?:TABLE|INDEX|TRIGGER) IF NOT EXISTS (\w+)", re.MULTILINE)
"""What a schema makes: where one of these is missing, all of it is run."""


class QueueError(OSError):
    """The queue's file can't be read or written; the message says why."""


class QueueFile:
    """Short transactions on the file at ``path``, from any thread of any process.

    ``synchronous`` FULL survives a power failure too, for one more write to the disk each time.
    Tables that are missing are made when it is first used.

    Raises:
        QueueError: from every method, when the file can't be read or written.
    """

    def __init__(
        self, path: Path, schema: str = _SCHEMA, synchronous: Literal["NORMAL", "FULL"] = "NORMAL"
    ) -> None:
        self._path = path
        self._schema = schema
        self._synchronous = synchronous
        self._local = threading.local()
        self._lock = threading.Lock()
        self._prepared = False

    def append(self, statement: str, values: tuple[object, ...]) -> None:
        """Run one writing statement as its own transaction."""
        self.read(statement, values)

    def read(self, query: str, values: tuple[object, ...] = ()) -> list[Any]:
        """All rows of one statement."""
        try:
            return self._connection().execute(query, values).fetchall()
        except sqlite3.Error as error:
            self._forget_connection()
            raise QueueError(in_words(self._path, error)) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; waits up to ten seconds for another writer."""
        try:
            db = self._connection()
            db.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            self._forget_connection()
            raise QueueError(in_words(self._path, error)) from error
        try:
            yield db
            db.execute("COMMIT")
        except sqlite3.Error as error:
            self._forget_connection()
            raise QueueError(in_words(self._path, error)) from error
        except BaseException:
            db.execute("ROLLBACK")
            raise

    def _connection(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if db is None:
            db = sqlite3.connect(self._path, timeout=10.0, isolation_level=None)
            self._local.connection = db
            db.execute("PRAGMA journal_mode=WAL")
            db.execute(f"PRAGMA synchronous={self._synchronous}")
            self._prepare(db)
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        with self._lock:
            if self._prepared:
                return
            # A look first: where all is there a question waits for no writer.
            there = {str(row[0]) for row in db.execute("SELECT name FROM sqlite_master")}
            if not there.issuperset(_MADE.findall(self._schema)):
                db.executescript(f"BEGIN IMMEDIATE; {self._schema}; COMMIT")
            self._prepared = True

    def _forget_connection(self) -> None:
        # After an I/O error a connection may stay broken, and another file may take the place of a
        # damaged one; the next call opens and prepares it anew.
        self._prepared = False
        db: sqlite3.Connection | None = getattr(self._local, "connection", None)
        self._local.connection = None
        if db is not None:
            db.close()
