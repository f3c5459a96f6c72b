# SPDX-License-Identifier: Apache-2.0
"""The tables of a vault in SQLite, and what its failures mean to whoever uses it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from deid.errors import VaultError
from deid.vault.audit import SCHEMA as AUDIT
from deid.vault.roles import Role
from deid.vault.sealing import cost_of
from deid.vault.slots import Slot

FORMAT = "sidelight vault 1"
# A frame of reference can be that of several studies (PS3.3 section C.7.4.1), so the study is part
# of the key: each study must find all of its own.
_ENTRIES = """
CREATE TABLE entries (kind TEXT, pseudonym TEXT, study TEXT, sealed BLOB NOT NULL,
    PRIMARY KEY (kind, pseudonym, study)) WITHOUT ROWID;
CREATE INDEX entries_of_study ON entries (study);
"""
SCHEMA = f"""
CREATE TABLE vault (format TEXT, identifier TEXT, project TEXT);
CREATE TABLE slots (role TEXT PRIMARY KEY, salt BLOB, memory INT, iterations INT, lanes INT,
    wrapped BLOB);
{_ENTRIES}
{AUDIT}
"""
_MEANING = {
    "SQLITE_FULL": "the disk is full: nothing of this was kept",
    "SQLITE_READONLY": "it can't be written: look at the rights of its file and folder",
    "SQLITE_CANTOPEN": "it can't be opened: look at the rights of its file and folder",
    "SQLITE_BUSY": "another process has been writing to it for long: try again",
    "SQLITE_CORRUPT": "it is damaged: restore the backup",
    "SQLITE_NOTADB": "it is damaged: restore the backup",
}


class Identity(NamedTuple):
    """Which vault it is.

    Attributes
    ----------
    identifier:
        32 hexadecimal digits.
    project:
        What all entries are bound to.
    """

    identifier: str
    project: str


@contextmanager
def failures() -> Iterator[None]:
    """What SQLite raises, as a ``VaultError`` that says what to do.

    Raises
    ------
    VaultError
        In its place.
    """
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", None) or type(error).__name__
        told = (told for begin, told in _MEANING.items() if name.startswith(begin))
        raise VaultError(f"the vault can't be used, {next(told, name)}") from None


def connected(path: Path) -> sqlite3.Connection:
    """The database at a path."""
    return sqlite3.connect(path, timeout=30)


def generation(database: sqlite3.Connection) -> int:
    """How often the key was rotated."""
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def read(database: sqlite3.Connection, role: Role) -> tuple[Identity, Slot]:
    """Which vault it is, and the slot of a role.

    Raises
    ------
    VaultError
        If it is none, or one of a later version.
    """
    try:
        row = database.execute("SELECT format, identifier, project FROM vault").fetchone()
        slot = database.execute(
            "SELECT salt, memory, iterations, lanes, wrapped FROM slots WHERE role = ?", (role,)
        ).fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname != "SQLITE_ERROR":
            raise
        raise VaultError("the file is no vault") from None
    except sqlite3.DatabaseError:
        raise VaultError("the file is no vault, or a damaged one") from None
    if row is None or row[0] != FORMAT or slot is None:
        raise VaultError("the file is no vault, or one of a later version")
    if not isinstance(slot[0], bytes) or not isinstance(slot[4], bytes):
        raise VaultError("a slot of the vault was changed: restore the backup")
    return Identity(*row[1:]), Slot(slot[0], cost_of(*slot[1:4]), slot[4])


def brought_up_to_date(database: sqlite3.Connection) -> None:
    """Rebuild entries whose table lets a pseudonym belong to one study alone, as once it did."""
    if _is_up_to_date(database):
        return
    with database:
        database.execute("BEGIN IMMEDIATE")
        if _is_up_to_date(database):
            # Another process was first.
            return
        database.execute("DROP INDEX IF EXISTS entries_of_study")
        database.execute("ALTER TABLE entries RENAME TO entries_before")
        for statement in filter(str.strip, _ENTRIES.split(";")):
            database.execute(statement)
        database.execute("INSERT INTO entries SELECT * FROM entries_before")
        database.execute("DROP TABLE entries_before")


def _is_up_to_date(database: sqlite3.Connection) -> bool:
    columns = database.execute("PRAGMA table_info(entries)").fetchall()
    return any(name == "study" and place for _, name, *_, place in columns)


def whole(database: sqlite3.Connection) -> None:
    """Look through all pages of the file.

    Raises
    ------
    VaultError
        If one is damaged.
    """
    if database.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok":
        raise VaultError("the vault is damaged: restore the backup")
