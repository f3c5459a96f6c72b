# SPDX-License-Identifier: AGPL-3.0-or-later
"""Studies that wait to be decided about: one SQLite file beside the queue.

Workers note a study each time that a scan of it has a state; so the file names the studies that
this node works on, and no others of a shared database. A study is due when it has been quiet, and
again when Orthanc calls it stable later. It holds Orthanc identifiers, and digests of what was
pulled, and nothing of a patient.
"""

from __future__ import annotations

import time
from pathlib import Path

from plugin.queue_file import QueueFile

FILE_NAME = "routing.sqlite"
KEPT_SECONDS = 90 * 86400.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS studies (
    study TEXT PRIMARY KEY, due REAL, noted REAL NOT NULL, version INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS pulled (study TEXT PRIMARY KEY, moment REAL NOT NULL);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)
"""


class WaitingStudies:
    """One process's and thread's safe view of the file.

    Raises:
        QueueError: from every method, when the file can't be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._file = QueueFile(path, _SCHEMA, "FULL")

    @classmethod
    def beside(cls, queue_file: str) -> WaitingStudies:
        """The one that belongs to a queue."""
        return cls(Path(queue_file).with_name(FILE_NAME))

    def note(self, study: str, wait: float) -> None:
        """A scan of the study has a new state: decide ``wait`` seconds after the last of them."""
        now = time.time()
        self._file.append(
            "INSERT INTO studies (study, due, noted) VALUES (?, ?, ?) ON CONFLICT (study)"
            " DO UPDATE SET due = excluded.due, noted = excluded.noted, version = version + 1",
            (study, now + wait, now),
        )

    def stable(self, studies: list[str]) -> None:
        """Orthanc calls these studies stable: those that are known here are looked at again."""
        now = time.time()
        with self._file.transaction() as db:
            db.executemany(
                "UPDATE studies SET due = min(coalesce(due, ?), ?), version = version + 1"
                " WHERE study = ?",
                [(now, now, study) for study in studies],
            )

    def due(self, limit: int = 50) -> list[tuple[str, int]]:
        """Studies to decide about, with the version that a decision is for."""
        return [
            (str(row[0]), int(row[1]))
            for row in self._file.read(
                "SELECT study, version FROM studies WHERE due <= ? ORDER BY due LIMIT ?",
                (time.time(), limit),
            )
        ]

    def decided(self, study: str, version: int) -> None:
        """All that follows from the study is noted, unless it has changed meanwhile."""
        self._file.append(
            "UPDATE studies SET due = NULL WHERE study = ? AND version = ?", (study, version)
        )

    def later(self, study: str, version: int, seconds: float) -> None:
        """The study can't be decided about yet."""
        self._file.append(
            "UPDATE studies SET due = ? WHERE study = ? AND version = ?",
            (time.time() + seconds, study, version),
        )

    def is_new(self, digest: str) -> bool:
        """Whether a study of another archive was never pulled."""
        return not self._file.read("SELECT 1 FROM pulled WHERE study = ?", (digest,))

    def pulled(self, digest: str) -> None:
        """A study of another archive has been fetched."""
        self._file.append("INSERT OR REPLACE INTO pulled VALUES (?, ?)", (digest, time.time()))

    def fact(self, name: str) -> str | None:
        """A value that outlives processes."""
        rows = self._file.read("SELECT value FROM facts WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else None

    def remember(self, name: str, value: str) -> None:
        """Keep a fact."""
        self._file.append("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def tidy(self) -> None:
        """Fold in the write-ahead log, and forget studies that were quiet for three months."""
        self._file.append(
            "DELETE FROM studies WHERE due IS NULL AND noted < ?", (time.time() - KEPT_SECONDS,)
        )
        self._file.read("PRAGMA wal_checkpoint(PASSIVE)")
