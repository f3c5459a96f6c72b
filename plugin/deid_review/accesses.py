# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who has looked at originals, when and at which: kept for good, and never a value of them.

It is the audit of the vault (:mod:`deid.vault.audit`) in a file of its own beside the ledger:
sealed under a sub-key of the site's key, chained and counted. A look is on the disk before what is
looked at is handed out; where it can't be written, nothing is shown.
"""

from __future__ import annotations

import sqlite3
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from deid import DeidentificationKey
from deid.vault.audit import STATEMENTS, Access, Audit, AuditRecord
from plugin.queue_file import QueueFile

FILE_NAME = "deid-review-audit.sqlite"
REVIEWER = "reviewer"
_IDENTITY = "sidelight review of de-identified images"


class Shown(StrEnum):
    """What of an original somebody was shown."""

    PICTURE = "original picture"
    VALUES = "original values"


class Sight(NamedTuple):
    """One look.

    Attributes:
        item: number of the item.
        resource: Orthanc identifier of the image, or of the series.
        frame: of the image, or image of the series.
        reason: why the item was put before people.
    """

    kind: Shown
    item: int
    resource: str
    frame: int
    reason: str


class Seen(NamedTuple):
    """One record: a look, who looked and when (UTC, ISO 8601)."""

    number: int
    at: str
    by: str
    sight: Sight


class AccessAudit:
    """The file at ``path``, from any thread of any process.

    Raises:
        QueueError: from every method, when the file can't be read or written.
        deid.errors.VaultError: from every method, when records were changed, moved or removed, or
            are sealed under another key.
    """

    def __init__(self, path: Path, key: DeidentificationKey) -> None:
        self._key = key.derive("audit of reviews")
        # FULL: what was seen stays seen after a power failure.
        self._file = QueueFile(path, "", synchronous="FULL")
        with self._file.transaction() as db:
            made = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'audit'").fetchone()
            for statement in () if made else STATEMENTS:
                db.execute(statement)
        path.chmod(0o600)

    @classmethod
    def beside(cls, queue_file: str, key: DeidentificationKey) -> AccessAudit:
        """The audit that belongs to a queue."""
        return cls(Path(queue_file).with_name(FILE_NAME), key)

    def add(self, by: str, sight: Sight) -> None:
        """Keep a look."""
        access = Access(REVIEWER, by, sight.reason)
        with self._file.transaction() as db:
            subject = f"{sight.item} {sight.resource} {sight.frame}"
            self._audit(db).add(access, sight.kind.value, subject)

    def after(self, number: int, most: int | None = None) -> list[Seen]:
        """Records after a number, oldest first."""
        with self._file.transaction() as db:
            found = self._audit(db).after(number, most)
        return [_seen(at, record) for at, record in found]

    def _audit(self, db: sqlite3.Connection) -> Audit:
        return Audit(db, _IDENTITY, self._key)


def _seen(number: int, record: AuditRecord) -> Seen:
    item, resource, frame = record.subject.split(" ")
    sight = Sight(Shown(record.action), int(item), resource, int(frame), record.reason)
    return Seen(number, record.time, record.by, sight)
