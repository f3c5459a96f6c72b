# SPDX-License-Identifier: Apache-2.0
"""An append-only audit: what is in it can be added to, and never changed or removed unseen.

Each record is sealed, since a reason may name a patient, and bound to its number and to the record
before it. The head, sealed too, says how many there are. What this can't show is an older copy of
the whole file put in its place: back it up to where its users can't write.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from datetime import UTC, datetime
from typing import NamedTuple

from deid.errors import VaultError
from deid.vault.sealing import bound, opened, seal

STATEMENTS = (
    "CREATE TABLE audit (number INTEGER PRIMARY KEY, sealed BLOB NOT NULL)",
    "CREATE TABLE audit_head (one INTEGER PRIMARY KEY CHECK (one = 1), sealed BLOB NOT NULL)",
    (
        "CREATE TRIGGER audit_stays BEFORE UPDATE ON audit"
        " BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
    ),
    (
        "CREATE TRIGGER audit_remains BEFORE DELETE ON audit"
        " BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
    ),
)
SCHEMA = "".join(f"{statement};\n" for statement in STATEMENTS)


class Access(NamedTuple):
    """Whoever asks something of a vault, or looks at something.

    Attributes
    ----------
    role:
        Whose pass-phrase opened it, or what the account may do.
    by:
        Who, as they gave it.
    reason:
        Why, as they gave it.
    """

    role: str
    by: str
    reason: str


class AuditRecord(NamedTuple):
    """Who did what, when and why.

    Attributes
    ----------
    time:
        UTC, ISO 8601.
    role:
        With whose pass-phrase, or as what.
    by:
        Who, as they gave it.
    action:
        Of a vault ``created``, ``revealed``, ``linked``, ``pass-phrase changed``.
    subject:
        Kind and pseudonym, ``""`` where it was about a vault itself.
    reason:
        Why, as they gave it.
    """

    time: str
    role: str
    by: str
    action: str
    subject: str
    reason: str


class Audit:
    """The audit in a database that has the tables of ``SCHEMA``.

    Parameters
    ----------
    database:
        Open; transactions are its user's.
    vault:
        Identifier of what is audited, to which records are bound.
    key:
        32 bytes.
    """

    def __init__(self, database: sqlite3.Connection, vault: str, key: bytes) -> None:
        self._database = database
        self._vault = vault
        self._key = key

    def add(self, access: Access, action: str, subject: str) -> None:
        """Append a record; it is on the disk when the transaction around it is."""
        number, last = self._head()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        told = json.dumps(AuditRecord(now, access.role, access.by, action, subject, access.reason))
        sealed = seal(self._key, told.encode(), self._binding(number + 1, last))
        self._database.execute("INSERT INTO audit VALUES (?, ?)", (number + 1, sealed))
        head = json.dumps([number + 1, _digest(sealed)]).encode()
        self._database.execute(
            "INSERT OR REPLACE INTO audit_head VALUES (1, ?)",
            (seal(self._key, head, self._head_binding),),
        )

    def records(self) -> list[AuditRecord]:
        """All records, oldest first.

        Raises
        ------
        VaultError
            If a record was changed, moved, added by other means or removed.
        """
        return [record for _, record in self.after(0)]

    def after(self, number: int, most: int | None = None) -> list[tuple[int, AuditRecord]]:
        """Records after a number, with their own, oldest first.

        Parameters
        ----------
        number:
            0 for the first ones.
        most:
            How many at most; those that are not read are not checked, but that the last one is
            there.

        Raises
        ------
        VaultError
            As ``records``.
        """
        count, head = self._head()
        last = "" if number == 0 else self._digest_of(number)
        rows = self._database.execute(
            "SELECT number, sealed FROM audit WHERE number > ? ORDER BY number LIMIT ?",
            (number, -1 if most is None else most),
        )
        found: list[tuple[int, AuditRecord]] = []
        for expected, (at, sealed) in enumerate(rows, number + 1):
            if at != expected:
                raise VaultError(f"record {expected} of the audit is missing: restore the backup")
            plain = opened(self._key, sealed, self._binding(at, last))
            found.append((at, AuditRecord(*json.loads(plain))))
            last = _digest(sealed)
        (reached,) = self._database.execute("SELECT max(number) FROM audit").fetchone()
        if (reached or 0, self._digest_of(count)) != (count, head):
            raise VaultError("the last records of the audit are missing: restore the backup")
        return found

    def _digest_of(self, number: int) -> str:
        row = self._database.execute(
            "SELECT sealed FROM audit WHERE number = ?", (number,)
        ).fetchone()
        return "" if row is None else _digest(row[0])

    def _head(self) -> tuple[int, str]:
        row = self._database.execute("SELECT sealed FROM audit_head").fetchone()
        if row is None:
            if self._database.execute("SELECT 1 FROM audit").fetchone():
                raise VaultError("the head of the audit is missing: restore the backup")
            return 0, ""
        number, digest = json.loads(opened(self._key, row[0], self._head_binding))
        return number, digest

    @property
    def _head_binding(self) -> bytes:
        return bound("sidelight vault audit head 1", self._vault)

    def _binding(self, number: int, last: str) -> bytes:
        return bound("sidelight vault audit 1", self._vault, str(number), last)


def _digest(sealed: bytes) -> str:
    return hashlib.sha256(sealed).hexdigest()
