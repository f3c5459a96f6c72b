# SPDX-License-Identifier: Apache-2.0
"""The vault: an SQLite file that leads from pseudonyms back to originals, for those who may."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

from deid.errors import UnknownLinkError, VaultAccessError, VaultError
from deid.vault.audit import Access, Audit, AuditRecord
from deid.vault.database import (
    FORMAT,
    SCHEMA,
    Identity,
    brought_up_to_date,
    connected,
    failures,
    generation,
    read,
    whole,
)
from deid.vault.links import Links
from deid.vault.originals import STUDY, UID, Pair
from deid.vault.roles import HOLDS_ENTRIES, Role
from deid.vault.sealing import USUAL, Cost, bound, opened, seal
from deid.vault.slots import Keys, Slot

_SEALED = "SELECT sealed FROM entries WHERE kind = ? AND pseudonym = ? AND study = ?"
_SEAL = "UPDATE entries SET sealed = ? WHERE kind = ? AND pseudonym = ? AND study = ?"


class Vault:
    """An open vault, with the rights of one role.

    Every entry is sealed with AES-256-GCM and bound to project, kind, pseudonym and study: moved
    to another pseudonym or another vault it can't be opened. Pseudonyms are in the clear.

    ``Vault.create`` and ``Vault.open`` make one; used as a context it closes its file.
    """

    def __init__(self, database: sqlite3.Connection, identity: Identity, role: Role, keys: Keys):
        self._database = database
        self._identity = identity
        self._role = role
        self._keys = keys
        self._audit = Audit(database, identity.identifier, keys.audit)
        self._generation = generation(database)

    @classmethod
    def create(
        cls, path: Path, project: str, passphrases: Mapping[Role, str], cost: Cost = USUAL
    ) -> None:
        """Make an empty vault.

        Parameters
        ----------
        path:
            The file, mode 0600; there must be none yet.
        project:
            Name of the project that all entries are bound to.
        passphrases:
            One for every role, each of at least 12 characters, no two the same.
        cost:
            Of one guess at a pass-phrase.

        Raises
        ------
        VaultError
            If there is a file already, or it can't be written.
        VaultAccessError
            If a pass-phrase is missing, too short, or given twice.
        """
        if set(passphrases) != set(Role) or len(set(passphrases.values())) != len(Role):
            raise VaultAccessError("each role needs a pass-phrase of its own")
        keys, identity = Keys.drawn(), Identity(uuid.uuid4().hex, project)
        binding = bound(*identity).hex()
        slots = {
            role: Slot.made(keys, role, binding, text, cost) for role, text in passphrases.items()
        }
        # Made under another name, and shown when it is whole: what was begun would be no vault, and
        # in the way of the next one.
        try:
            descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            os.close(descriptor)
        except OSError as error:
            raise VaultError(f"can't create the vault: {error.strerror}") from None
        begun = Path(name)
        try:
            _fill(begun, identity, slots, keys)
            path.hardlink_to(begun)
        except OSError as error:
            raise VaultError(f"can't create the vault: {error.strerror}") from None
        finally:
            begun.unlink(missing_ok=True)

    @classmethod
    @failures()
    def open(cls, path: Path, role: Role, passphrase: str) -> Self:
        """Open a vault in a role.

        Raises
        ------
        VaultError
            If it is no vault.
        VaultAccessError
            If the pass-phrase is not this role's.
        """
        if not path.is_file():
            raise VaultError("there is no vault at this path: create one first")
        database = connected(path)
        try:
            identity, slot = read(database, role)
            keys = slot.keys(role, bound(*identity).hex(), passphrase)
            if role is Role.CURATOR:
                brought_up_to_date(database)
        except BaseException:
            database.close()
            raise
        return cls(database, identity, role, keys)

    @property
    def identifier(self) -> str:
        """Which vault it is, 32 hexadecimal digits."""
        return self._identity.identifier

    @property
    def project(self) -> str:
        """The project that it is bound to."""
        return self._identity.project

    @failures()
    def change_passphrase(self, passphrase: str) -> None:
        """Give the role that opened the vault a new pass-phrase; the keys below it stay.

        Raises
        ------
        VaultAccessError
            If it is too short.
        """
        slot = Slot.made(self._keys, self._role, bound(*self._identity).hex(), passphrase)
        with self._database:
            self._begin()
            self._replace(self._role, slot)
            self._audit.add(Access(self._role, "", ""), "pass-phrase changed", "")

    @failures()
    def rotate(
        self, passphrases: Mapping[Role, str], by: str, reason: str, cost: Cost = USUAL
    ) -> int:
        """Seal every entry under a new key: who kept the old one, or a copy, reads nothing new.

        All of it is one transaction: after a crash the vault is as it was, or rotated. Old sealed
        bytes are overwritten in the file; backups keep theirs.

        Parameters
        ----------
        passphrases:
            Of the roles that hold the key of the entries; new ones, or those they had.
        by, reason:
            Who rotates and why; they go into the audit.

        Returns
        -------
        How many entries were sealed anew.

        Raises
        ------
        VaultAccessError
            If the role is not the curator's, a pass-phrase is missing or too short, or no person or
            reason is given.
        VaultError
            If an entry was tampered with; then nothing is changed.
        """
        self._allow(Role.CURATOR)
        if set(passphrases) != HOLDS_ENTRIES or len(set(passphrases.values())) != len(passphrases):
            raise VaultAccessError("curator and re-identifier need a pass-phrase each")
        if not by.strip() or not reason.strip():
            raise VaultAccessError("say who rotates and for what reason")
        keys = Keys(self._keys.audit, Keys.drawn().entries)
        vault = bound(*self._identity).hex()
        slots = {r: Slot.made(keys, r, vault, text, cost) for r, text in passphrases.items()}
        self._database.execute("PRAGMA secure_delete = ON")
        with self._database:
            self._begin()
            whole(self._database)
            count = self._seal_anew(keys.entries)
            for role, slot in slots.items():
                self._replace(role, slot)
            access = Access(self._role, by.strip(), reason.strip())
            self._audit.add(access, "key rotated", f"{count} entries")
            self._database.execute(f"PRAGMA user_version = {self._generation + 1}")
        self._keys = keys
        self._generation += 1
        return count

    def _begin(self) -> None:
        """Begin to write, unless another has rotated the key that this one would write with."""
        self._database.execute("BEGIN IMMEDIATE")
        if generation(self._database) != self._generation:
            raise VaultError("the vault's key was rotated meanwhile: open it again")

    def _seal_anew(self, key: bytes) -> int:
        places = self._database.execute("SELECT kind, pseudonym, study FROM entries").fetchall()
        for place in places:
            (sealed,) = self._database.execute(_SEALED, place).fetchone()
            anew = seal(key, self._opened(place, sealed).encode(), self._binding(place))
            self._database.execute(_SEAL, (anew, *place))
        return len(places)

    def _replace(self, role: Role, slot: Slot) -> None:
        self._database.execute(
            "UPDATE slots SET salt = ?, memory = ?, iterations = ?, lanes = ?, wrapped = ?"
            " WHERE role = ?",
            (slot.salt, *slot.cost, slot.wrapped, role),
        )

    @failures()
    def keep(self, pairs: Sequence[Pair]) -> None:
        """Add pairs; those that are there already stay as they are.

        Raises
        ------
        VaultAccessError
            If the role is not the curator's.
        VaultError
            If the key was rotated since the vault was opened.
        """
        self._allow(Role.CURATOR)
        with self._database:
            self._begin()
            for pair in dict.fromkeys(pairs):
                sealed = seal(self._keys.entries, pair.original.encode(), self._binding(pair[:3]))
                self._database.execute(
                    "INSERT OR IGNORE INTO entries VALUES (?, ?, ?, ?)", (*pair[:3], sealed)
                )

    @failures()
    def reveal(self, kind: str, pseudonym: str, by: str, reason: str) -> str:
        """What a pseudonym stands for; the audit has who and why before anything is opened.

        Raises
        ------
        VaultAccessError
            If the role is not the re-identifier's, or no person or reason is given.
        UnknownLinkError
            If the vault has no such pseudonym.
        VaultError
            If the entry was tampered with.
        """
        self._record(by, reason, "revealed", f"{kind} {pseudonym}")
        row = self._database.execute(
            "SELECT study, sealed FROM entries WHERE kind = ? AND pseudonym = ?", (kind, pseudonym)
        ).fetchone()
        if row is None:
            raise UnknownLinkError("the vault has no such pseudonym")
        return self._opened((kind, pseudonym, row[0]), row[1])

    @failures()
    def links(self, study: str, by: str, reason: str) -> Links:
        """All that a result of one study needs on its way back; audited as ``reveal``.

        Raises
        ------
        DeidentificationError
            As ``reveal``.
        """
        self._record(by, reason, "linked", f"study {study}")
        original, uids = None, {}
        rows = self._database.execute(
            "SELECT kind, pseudonym, sealed FROM entries WHERE study = ?", (study,)
        )
        for kind, pseudonym, sealed in rows:
            if kind == STUDY:
                original = json.loads(self._opened((kind, pseudonym, study), sealed))
            elif kind == UID:
                uids[pseudonym] = self._opened((kind, pseudonym, study), sealed)
        if original is None:
            raise UnknownLinkError("the vault has no such study")
        return Links(study, original, uids)

    @failures()
    def studies_with(self, uids: Iterable[str]) -> list[str]:
        """Pseudonymous studies that have some of these pseudonymous UIDs; nothing is opened."""
        found: set[str] = set()
        for uid in uids:
            rows = self._database.execute(
                "SELECT study FROM entries WHERE kind = ? AND pseudonym = ?", (UID, uid)
            )
            found.update(study for (study,) in rows)
        return sorted(found)

    @failures()
    def audit(self) -> list[AuditRecord]:
        """The audit, after it was checked record by record.

        Raises
        ------
        VaultError
            If it was tampered with.
        """
        return self._audit.records()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _allow(self, role: Role) -> None:
        if self._role is not role:
            raise VaultAccessError(f"only the {role} may do this")

    def _record(self, by: str, reason: str, action: str, subject: str) -> None:
        self._allow(Role.REIDENTIFIER)
        if not by.strip() or not reason.strip():
            raise VaultAccessError("say who re-identifies and for what reason")
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._audit.add(Access(self._role, by.strip(), reason.strip()), action, subject)

    def _opened(self, place: tuple[str, str, str], sealed: bytes) -> str:
        return opened(self._keys.entries, sealed, self._binding(place)).decode()

    def _binding(self, place: tuple[str, str, str]) -> bytes:
        return bound("sidelight vault entry 1", *self._identity, *place)


@failures()
def _fill(path: Path, identity: Identity, slots: Mapping[Role, Slot], keys: Keys) -> None:
    with closing(connected(path)) as database:
        database.executescript(SCHEMA)
        with database:
            database.execute("INSERT INTO vault VALUES (?, ?, ?)", (FORMAT, *identity))
            database.executemany(
                "INSERT INTO slots VALUES (?, ?, ?, ?, ?, ?)",
                [(role, slot.salt, *slot.cost, slot.wrapped) for role, slot in slots.items()],
            )
            audit = Audit(database, identity.identifier, keys.audit)
            audit.add(Access(Role.CURATOR, "", ""), "created", "")
