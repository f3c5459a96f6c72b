# SPDX-License-Identifier: AGPL-3.0-or-later
"""What reviewers said about anatomy, once more beside the queue: Orthanc forgets it with a series.

Orthanc deletes a series with its metadata when its only instance is replaced (OverwriteInstances),
and when it is deleted and sent again. A SQLite file, for its owner alone: it holds Orthanc's
identifiers, which are hashes, who spoke, when, and the reasons that were typed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from plugin.damage import Forgiving
from plugin.queue_file import QueueError, QueueFile

FILE_NAME = "anatomy_words.sqlite"
KEPT_SECONDS = 90 * 86_400.0
"""What was said of a series is forgotten so long after it was last there."""
CHECK_SECONDS = 86_400.0
"""So often it is looked whether a series is still there."""
TIDY_SECONDS = 3600.0
MOST_CHECKED = 100
"""Series that are looked for at a time, in one question."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS words (
    series TEXT PRIMARY KEY, log TEXT NOT NULL, seen REAL NOT NULL, checked REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)
"""
_CARRIED = "carried"
"""Fact: up to which study the words of earlier versions are here."""


class ReviewerWords:
    """The file at ``path``, from any thread of any process; opened when it is needed.

    A damaged file says nothing, with a line in the log: no scan is kept back for it.

    Raises:
        QueueError: from every method, when the file can't be read or written now; from what keeps
            something when it is damaged, too.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: QueueFile | None = None
        self._next = 0.0
        self._unless_damaged = Forgiving(
            "what reviewers said of series that are sent again can't be read"
        )

    @classmethod
    def beside(cls, queue_file: str) -> ReviewerWords:
        """The file that belongs to a queue."""
        return cls(Path(queue_file).with_name(FILE_NAME))

    def keep(self, series: str, log: str) -> None:
        """Keep all that was said about a series, in place of what was kept of it.

        Args:
            series: Orthanc identifier.
            log: JSON of an ``OverrideLog``.
        """
        now = time.time()
        values = (series, log, now, now)
        self._opened().append("INSERT OR REPLACE INTO words VALUES (?, ?, ?, ?)", values)

    def reached(self) -> str:
        """Up to which study the words of earlier versions are here; see ``earlier_words``."""
        query = "SELECT value FROM facts WHERE name = ?"
        rows = self._opened().read(query, (_CARRIED,))
        return str(rows[0][0]) if rows else ""

    def reach(self, study: str) -> None:
        """Keep up to which study they are here."""
        self._opened().append("INSERT OR REPLACE INTO facts VALUES (?, ?)", (_CARRIED, study))

    def take(self, series: Mapping[str, Any], log: str) -> None:
        """Keep what was said of a series before this file was there."""
        now = time.time()
        values = (str(series["ID"]), log, now, now)
        self._opened().append("INSERT OR IGNORE INTO words VALUES (?, ?, ?, ?)", values)

    def of(self, series: str) -> str | None:
        """What was kept of a series; None where nobody said anything here."""
        if self._file is None and not self._path.exists():
            return None
        rows: list[tuple[str]] = []
        with self._unless_damaged():
            rows = self._opened().read("SELECT log FROM words WHERE series = ?", (series,))
        return str(rows[0][0]) if rows else None

    def tidy(self, still_there: Callable[[list[str]], Collection[str]]) -> None:
        """Forget what has been kept too long of series that are gone; once an hour, some of them.

        Args:
            still_there: says which of these series Orthanc has.
        """
        if time.monotonic() < self._next or (self._file is None and not self._path.exists()):
            return
        self._next = time.monotonic() + TIDY_SECONDS
        with self._unless_damaged():
            self._tidy(still_there)

    def _tidy(self, still_there: Callable[[list[str]], Collection[str]]) -> None:
        now = time.time()
        query = "SELECT series FROM words WHERE checked < ? ORDER BY checked LIMIT ?"
        rows = self._opened().read(query, (now - CHECK_SECONDS, MOST_CHECKED))
        asked = [str(series) for (series,) in rows]
        if not asked:
            return
        there = set(still_there(asked))
        with self._opened().transaction() as db:
            checked = [(now, one) for one in asked]
            db.executemany("UPDATE words SET checked = ? WHERE series = ?", checked)
            seen = [(now, one) for one in asked if one in there]
            db.executemany("UPDATE words SET seen = ? WHERE series = ?", seen)
            gone = [(one, now - KEPT_SECONDS) for one in asked if one not in there]
            db.executemany("DELETE FROM words WHERE series = ? AND seen < ?", gone)

    def _opened(self) -> QueueFile:
        if self._file is None:
            try:
                _for_its_owner(self._path)
            except OSError as error:
                raise QueueError(error.strerror or type(error).__name__) from error
            self._file = QueueFile(self._path, _SCHEMA, "FULL")
        return self._file


def _for_its_owner(path: Path) -> None:
    # A file that is there is never opened but by SQLite: closing it would drop the locks of every
    # connection that this process has to it (POSIX), and others then delete its log under them.
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        path.chmod(0o600)
