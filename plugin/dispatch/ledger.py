# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a table has to decide about, how far it is, and what it did once: one SQLite file per table.

- *Studies that wait to be decided about.* A study is due when it has been quiet, and again when
  Orthanc calls it stable later.
- *Facts*, such as how far Orthanc's changes were read: they outlive processes.
- *Studies of another archive that were judged*: why they are fetched or left there.
- *What is done once*: studies and series fetched from another archive, those fetched as a prior
  alone, and instances that a rule of copies has sent. An instance is known by its Orthanc
  identifier and the digest of its content: one that is replaced is another one.

A file holds Orthanc identifiers and digests, and nothing of a patient. Every version made the
tables that it needed where they were missing, so a file of a former version is read as it is.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from plugin.queue_file import QueueFile
from plugin.set_back import bring_near

ROUTING_FILE = "routing.sqlite"
COPIES_FILE = "copies.sqlite"
KEPT_SECONDS = 90 * 86400.0
MOST_REVISITED = 50
"""Later studies that one earlier study makes due: of a Patient ID that many patients share, such as
ANON, there may be thousands."""
End = Literal["sent", "dropped", "review"]
"""``dropped`` and ``review``: by the policy of documents; such an instance never leaves."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS studies (
    study TEXT PRIMARY KEY, due REAL, noted REAL NOT NULL, version INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS studies_due ON studies (due) WHERE due IS NOT NULL;
CREATE INDEX IF NOT EXISTS studies_noted ON studies (noted) WHERE due IS NULL;
CREATE TABLE IF NOT EXISTS revisited (study TEXT PRIMARY KEY, version INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS pulled (study TEXT PRIMARY KEY, moment REAL NOT NULL);
CREATE TABLE IF NOT EXISTS begun (study TEXT PRIMARY KEY, moment REAL NOT NULL);
CREATE TABLE IF NOT EXISTS priors (study TEXT PRIMARY KEY, moment REAL NOT NULL);
CREATE TABLE IF NOT EXISTS judged (
    study TEXT PRIMARY KEY, state TEXT NOT NULL, told TEXT NOT NULL, moment REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS judged_moment ON judged (moment);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
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
_REVISIT = """
UPDATE studies SET due = ?, version = version + 1
WHERE study = ? AND due IS NULL AND noted >= ? RETURNING version
"""
_QUIET = "FROM studies WHERE due IS NULL AND noted < ?"
_AGAIN = "due = min(coalesce(studies.due, ?), ?), version = studies.version + 1"


class Ledger:
    """One process's and thread's safe view of a file.

    Raises:
        QueueError: from every method, when the file can't be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._file = QueueFile(path, _SCHEMA, "FULL")

    @classmethod
    def of_routing(cls, queue_file: str) -> Ledger:
        """That of the table of applications, beside a queue."""
        return cls(Path(queue_file).with_name(ROUTING_FILE))

    @classmethod
    def of_copies(cls, queue_file: str) -> Ledger:
        """That of the table of copies, beside a queue."""
        return cls(Path(queue_file).with_name(COPIES_FILE))

    # -- studies that wait ------------------------------------------------------------------------

    def note(self, study: str, wait: float) -> None:
        """A scan of the study has a new state: decide ``wait`` seconds after the last of them."""
        now = time.time()
        self._file.append(
            "INSERT INTO studies (study, due, noted) VALUES (?, ?, ?) ON CONFLICT (study)"
            " DO UPDATE SET due = excluded.due, noted = excluded.noted, version = version + 1",
            (study, now + wait, now),
        )

    def stable(self, studies: Sequence[str]) -> None:
        """Orthanc calls these studies stable: each is due, whether it was known or not."""
        now = time.time()
        with self._file.transaction() as db:
            db.executemany(
                "INSERT INTO studies (study, due, noted) VALUES (?, ?, ?) ON CONFLICT (study)"  # noqa: S608
                f" DO UPDATE SET noted = excluded.noted, {_AGAIN}",
                [(study, now, now, now, now) for study in studies],
            )

    def stable_again(self, studies: Sequence[str]) -> None:
        """Orthanc calls these studies stable: those that are known here are due."""
        now = time.time()
        with self._file.transaction() as db:
            db.executemany(
                f"UPDATE studies SET {_AGAIN} WHERE study = ?",  # noqa: S608
                [(now, now, study) for study in studies],
            )

    def again(self, study: str) -> None:
        """What was decided about this study does not hold any longer: it is due."""
        now = time.time()
        self._file.append(
            "INSERT INTO studies (study, due, noted) VALUES (?, ?, ?) ON CONFLICT (study)"  # noqa: S608
            f" DO UPDATE SET {_AGAIN}",
            (study, now, now, now, now),
        )

    def revisit(self, studies: Sequence[str], since: float) -> None:
        """What these studies are put together with has changed: they are due.

        Args:
            studies: those that nobody noted since then stay as they are decided; so do those that
                are due already, by whoever calls this, and all after the first
                ``MOST_REVISITED`` that become due.
            since: seconds since the epoch.
        """
        if not studies:
            return
        now, found = time.time(), 0
        with self._file.transaction() as db:
            for study in studies:
                row = db.execute(_REVISIT, (now, study, since)).fetchone()
                if row is not None:
                    db.execute("INSERT OR REPLACE INTO revisited VALUES (?, ?)", (study, row[0]))
                    found += 1
                if found == MOST_REVISITED:
                    break

    def is_revisit(self, study: str, version: int) -> bool:
        """Whether a study is due for nothing but what it is put together with."""
        query = "SELECT 1 FROM revisited WHERE study = ? AND version = ?"
        return bool(self._file.read(query, (study, version)))

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

    def bring_near(self, longest: float) -> None:
        """Studies that wait for a moment further away are due: the clock was set back since."""
        bring_near(self._file, "studies", "due", longest, "due IS NOT NULL")

    # -- facts ------------------------------------------------------------------------------------

    def fact(self, name: str) -> str | None:
        """A value that outlives processes."""
        rows = self._file.read("SELECT value FROM facts WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else None

    def remember(self, name: str, value: str) -> None:
        """Keep a fact."""
        self._file.append("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    # -- what is done once ------------------------------------------------------------------------

    def is_new(self, digest: str) -> bool:
        """Whether a study or series of another archive was never pulled."""
        return not self._file.read("SELECT 1 FROM pulled WHERE study = ?", (digest,))

    def pulled(self, digest: str) -> None:
        """A study or series of another archive has been fetched."""
        self._file.append("INSERT OR REPLACE INTO pulled VALUES (?, ?)", (digest, time.time()))

    def begin(self, digest: str) -> None:
        """A study of another archive is about to be fetched: what is here of it may be a part."""
        self._file.append("INSERT OR REPLACE INTO begun VALUES (?, ?)", (digest, time.time()))

    def is_begun(self, digest: str) -> bool:
        """Whether a study of another archive was fetched, as a whole, in part or cut off."""
        return bool(self._file.read("SELECT 1 FROM begun WHERE study = ?", (digest,)))

    def remember_prior(self, uid: str) -> None:
        """A study is fetched to go along with another one, and is handed over in no other way.

        Args:
            uid: Study Instance UID; its digest is kept.
        """
        self._file.append(
            "INSERT OR REPLACE INTO priors VALUES (?, ?)", (_digest(uid), time.time())
        )

    def forget_prior(self, uid: str) -> None:
        """Nothing of the study was fetched."""
        self._file.append("DELETE FROM priors WHERE study = ?", (_digest(uid),))

    def is_prior(self, uid: str) -> bool:
        """Whether a study was fetched to go along with another one."""
        return bool(self._file.read("SELECT 1 FROM priors WHERE study = ?", (_digest(uid),)))

    def judge(self, digest: str, state: str, told: str) -> None:
        """Keep why a study of another archive is fetched or left.

        Args:
            digest: of pull and study.
            state: what the judgement holds for; another state asks for another judgement.
            told: the judgement, as JSON and without PHI.
        """
        values = (digest, state, told, time.time())
        self._file.append("INSERT OR REPLACE INTO judged VALUES (?, ?, ?, ?)", values)

    def judgement(self, digest: str) -> tuple[str, str] | None:
        """State and judgement of a study of another archive, where it was judged."""
        query = "SELECT state, told FROM judged WHERE study = ?"
        rows = self._file.read(query, (digest,))
        return (str(rows[0][0]), str(rows[0][1])) if rows else None

    def has_copied(self, door: str, instance: str, content: str) -> bool:
        """Whether this instance needs nothing more."""
        return bool(
            self._file.read(
                "SELECT 1 FROM copied WHERE door = ? AND instance = ? AND content = ?",
                (door, instance, content),
            )
        )

    def copied(
        self, door: str, study: str, instances: Sequence[tuple[str, str]], ended: End
    ) -> None:
        """Instances, each with the digest of its content, have ended so."""
        now = time.time()
        with self._file.transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO copied VALUES (?, ?, ?, ?, ?, ?)",
                [(door, instance, content, study, ended, now) for instance, content in instances],
            )

    def copies(self, study: str, door: str) -> dict[str, int]:
        """How many instances of a study have ended how."""
        rows = self._file.read(
            "SELECT ended FROM copied WHERE study = ? AND door = ?", (study, door)
        )
        found = Counter(str(row[0]) for row in rows)
        return {ended: found[ended] for ended in ("sent", "dropped", "review")}

    def tidy(self) -> None:
        """Fold in the write-ahead log, and forget studies that were quiet for three months.

        What is done once stays for good: a series that comes to an old study, or an order for all
        studies, would have it done twice.
        """
        old = (time.time() - KEPT_SECONDS,)
        with self._file.transaction() as db:
            db.execute(f"DELETE FROM revisited WHERE study IN (SELECT study {_QUIET})", old)  # noqa: S608
            db.execute(f"DELETE {_QUIET}", old)
            db.execute("DELETE FROM judged WHERE moment < ?", old)
        self._file.read("PRAGMA wal_checkpoint(PASSIVE)")


def _digest(uid: str) -> str:
    return hashlib.sha256(uid.encode()).hexdigest()
