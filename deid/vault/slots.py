# SPDX-License-Identifier: Apache-2.0
"""Each role's way to the keys of a vault: wrapped under its pass-phrase."""

from __future__ import annotations

import secrets
from typing import NamedTuple

from deid.errors import VaultAccessError, VaultError
from deid.vault.roles import HOLDS_ENTRIES, Role
from deid.vault.sealing import KEY_BYTES, USUAL, Cost, bound, opened, seal, stretched


class Keys(NamedTuple):
    """What a role holds.

    Attributes
    ----------
    audit:
        32-byte key of the audit.
    entries:
        32-byte key of the entries, empty for a role that must not read them.
    """

    audit: bytes
    entries: bytes

    @classmethod
    def drawn(cls) -> Keys:
        """New keys."""
        return cls(secrets.token_bytes(KEY_BYTES), secrets.token_bytes(KEY_BYTES))

    def of(self, role: Role) -> Keys:
        """As far as a role holds them."""
        return self if role in HOLDS_ENTRIES else Keys(self.audit, b"")

    def __repr__(self) -> str:
        return "Keys(...)"


class Slot(NamedTuple):
    """A role's keys under its pass-phrase.

    Attributes
    ----------
    salt:
        16 random bytes.
    cost:
        Of Argon2id.
    wrapped:
        The keys, bound to vault and role.
    """

    salt: bytes
    cost: Cost
    wrapped: bytes

    @classmethod
    def made(cls, keys: Keys, role: Role, vault: str, passphrase: str, cost: Cost = USUAL) -> Slot:
        """Wrap a role's keys."""
        salt = secrets.token_bytes(16)
        held = keys.of(role)
        wrapping = stretched(passphrase, salt, cost)
        return cls(salt, cost, seal(wrapping, held.audit + held.entries, _binding(vault, role)))

    def keys(self, role: Role, vault: str, passphrase: str) -> Keys:
        """Unwrap them.

        Raises
        ------
        VaultAccessError
            If the pass-phrase is not this role's.
        """
        wrapping = stretched(passphrase, self.salt, self.cost)
        try:
            plain = opened(wrapping, self.wrapped, _binding(vault, role))
        except VaultError:
            raise VaultAccessError(f"this is not the pass-phrase of the {role}") from None
        return Keys(plain[:KEY_BYTES], plain[KEY_BYTES:])


def _binding(vault: str, role: Role) -> bytes:
    return bound("sidelight vault slot 1", vault, role)
