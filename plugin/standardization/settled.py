# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the headers of a series, and of a study, were made to say, so that all of it agrees.

A SQLite file beside the queue: whoever comes first decides, also that nothing is changed, until a
reviewer says otherwise. It holds de-identified UIDs, salted digests, and words of the table of
standard entries.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from plugin.queue_file import QueueFile

FILE_NAME = "standard_headers.sqlite"
KEPT_SECONDS = 60 * 86_400.0
_RENEWED_SECONDS = 86_400.0
"""What a reviewer said is written again so often at most."""
_FOR_EVER_SECONDS = 1000 * 365 * 86_400.0
FAILURE_KEPT_SECONDS = 3600.0
"""What was left because nobody could say: the rest of it comes soon, and a second try may help."""

Entries = Mapping[str, str | None]
"""Values by DICOM keyword; None: the attribute is not to be there."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS settled (
    level TEXT NOT NULL, uid TEXT NOT NULL, entries TEXT NOT NULL, until REAL NOT NULL,
    PRIMARY KEY (level, uid)
);
CREATE INDEX IF NOT EXISTS settled_until ON settled (until)
"""
_FORGET = "DELETE FROM settled WHERE until < ?"


class SettledHeaders:
    """The file at ``path``, from any thread of any process; opened when it is needed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: QueueFile | None = None

    @classmethod
    def beside(cls, queue_file: str) -> SettledHeaders:
        """The file that belongs to a queue."""
        return cls(Path(queue_file).with_name(FILE_NAME))

    def settle(
        self, level: Literal["study", "series"], uid: str, entries: Entries, seconds: float
    ) -> dict[str, str | None]:
        """What was settled first; these entries where nothing was, from now on for so long.

        Raises:
            QueueError: the file can't be read or written.
        """
        now = time.time()
        key, text = (level, uid), json.dumps(dict(entries))
        with self._opened().transaction() as db:
            db.execute(_FORGET, (now,))
            values = (*key, text, now + seconds)
            db.execute("INSERT OR IGNORE INTO settled VALUES (?, ?, ?, ?)", values)
            query = "SELECT entries FROM settled WHERE level = ? AND uid = ?"
            (found,) = db.execute(query, key).fetchone()
        read: dict[str, str | None] = json.loads(found)
        return read

    def leave(self, series: str, alone: bool) -> None:
        """Keep that a reviewer contradicts what is said of a series, or no longer does.

        Raises:
            QueueError: the file can't be read or written.
            OSError: who remembers what was settled can't be told.
        """
        with self._opened().transaction() as db:
            db.execute("DELETE FROM settled WHERE level = 'reviewed' AND uid = ?", (series,))
            if alone:
                values = (series, time.time() + KEPT_SECONDS)
                db.execute("INSERT INTO settled VALUES ('reviewed', ?, '{}', ?)", values)
        with self._turns.open("ab") as turns:
            turns.write(b".")

    def reached(self) -> str:
        """Up to which study the words that reviewers gave before are here.

        Raises:
            QueueError: the file can't be read or written.
        """
        rows = self._opened().read("SELECT entries FROM settled WHERE level = 'carried'")
        return str(rows[0][0]) if rows else ""

    def reach(self, study: str) -> None:
        """Keep up to which study they are here; empty to forget it.

        Raises:
            QueueError: the file can't be read or written.
        """
        values = (study, time.time() + _FOR_EVER_SECONDS)
        forever = "INSERT OR REPLACE INTO settled VALUES ('carried', '', ?, ?)"
        self._opened().append(forever, values)

    def left_alone(self, series: str) -> bool:
        """Whether a reviewer contradicts what is said of a series; kept as long as it grows.

        Raises:
            QueueError: the file can't be read or written.
        """
        now = time.time()
        query = "SELECT until FROM settled WHERE level = 'reviewed' AND uid = ? AND until > ?"
        rows = self._opened().read(query, (series, now))
        if rows and rows[0][0] < now + KEPT_SECONDS - _RENEWED_SECONDS:
            renewed = "UPDATE settled SET until = ? WHERE level = 'reviewed' AND uid = ?"
            self._opened().append(renewed, (now + KEPT_SECONDS, series))
        return bool(rows)

    def turn(self) -> int:
        """Grows whenever a reviewer has spoken, in any process; costs no question to the file."""
        try:
            return self._turns.stat().st_size
        except FileNotFoundError:
            return 0

    @property
    def _turns(self) -> Path:
        return self._path.with_suffix(".reviewed")

    def _opened(self) -> QueueFile:
        if self._file is None:
            opened = QueueFile(self._path, _SCHEMA)
            opened.append(_FORGET, (time.time(),))
            self._file = opened
        return self._file
