# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which instance a rule has sent, so that none is sent twice: tables of a SQLite file.

An instance is known by its Orthanc identifier and the digest of its content: one that is replaced
is another one. A process that ends between sending and noting sends one request's worth once more,
with equal UIDs. The file holds nothing of a patient.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from plugin.queue_file import QueueFile

FILE_NAME = "copies.sqlite"
End = Literal["sent", "dropped", "review"]
"""``dropped`` and ``review``: by the policy of documents; such an instance never leaves."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS copied (
    door TEXT NOT NULL,
    instance TEXT NOT NULL,
    content TEXT NOT NULL,
    study TEXT NOT NULL,
    ended TEXT NOT NULL,
    moment REAL NOT NULL,
    PRIMARY KEY (door, instance, content)
);
CREATE INDEX IF NOT EXISTS copied_study ON copied (study, door)
"""


class CopyLedger:
    """One process's and thread's safe view of the tables.

    Raises:
        QueueError: from every method, when the file can't be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._file = QueueFile(path, _SCHEMA, "FULL")

    @classmethod
    def beside(cls, queue_file: str) -> CopyLedger:
        """The one that belongs to a queue."""
        return cls(Path(queue_file).with_name(FILE_NAME))

    def has(self, door: str, instance: str, content: str) -> bool:
        """Whether this instance needs nothing more."""
        return bool(
            self._file.read(
                "SELECT 1 FROM copied WHERE door = ? AND instance = ? AND content = ?",
                (door, instance, content),
            )
        )

    def note(self, door: str, study: str, instances: Sequence[tuple[str, str]], ended: End) -> None:
        """Instances, each with the digest of its content, have ended so."""
        now = time.time()
        with self._file.transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO copied VALUES (?, ?, ?, ?, ?, ?)",
                [(door, instance, content, study, ended, now) for instance, content in instances],
            )

    def counts(self, study: str, door: str) -> dict[str, int]:
        """How many instances of a study have ended how."""
        rows = self._file.read(
            "SELECT ended FROM copied WHERE study = ? AND door = ?", (study, door)
        )
        found = Counter(str(row[0]) for row in rows)
        return {ended: found[ended] for ended in ("sent", "dropped", "review")}
