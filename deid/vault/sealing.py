# SPDX-License-Identifier: Apache-2.0
"""Authenticated encryption of what identifies: AES-256-GCM, and Argon2id for pass-phrases."""

from __future__ import annotations

import secrets
import unicodedata
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from deid.errors import VaultAccessError, VaultError

KEY_BYTES = 32
_NONCE_BYTES = 12
_SHORTEST = 12


class Cost(NamedTuple):
    """Cost of one guess at a pass-phrase: the second recommended option of RFC 9106 section 4.

    Attributes
    ----------
    memory:
        KiB.
    iterations:
        Passes over the memory.
    lanes:
        Parallelism.
    """

    memory: int = 64 * 1024
    iterations: int = 3
    lanes: int = 4


USUAL = Cost()


def cost_of(memory: object, iterations: object, lanes: object) -> Cost:
    """A cost that a file names; a file from elsewhere must not decide how much memory is used.

    Raises
    ------
    VaultError
        If it is none that this package writes.
    """
    told = (memory, iterations, lanes)
    numbers = [number for number in told if isinstance(number, int)]
    limits = [4 * usual for usual in USUAL]
    if len(numbers) != len(told) or not all(
        0 < number <= most for number, most in zip(numbers, limits, strict=True)
    ):
        raise VaultError("a cost of Argon2id that no vault has: restore the backup")
    cost = Cost(*numbers)
    # RFC 9106 section 3.1.
    if cost.memory < 8 * cost.lanes:
        raise VaultError("a cost of Argon2id that no vault has: restore the backup")
    return cost


def bound(*parts: str) -> bytes:
    """Associated data of several texts; the lengths keep ``a, bc`` apart from ``ab, c``."""
    encoded = [part.encode("utf-8", "surrogateescape") for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def seal(key: bytes, plain: bytes, associated: bytes) -> bytes:
    """Encrypt: nonce, cipher text and tag.

    Nonces are random; NIST SP 800-38D section 8.3 allows 2**32 of them for one key.
    """
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, associated)


def opened(key: bytes, sealed: bytes, associated: bytes) -> bytes:
    """Decrypt what ``seal`` made.

    Raises
    ------
    VaultError
        If the key is another, or anything was changed, the associated data included.
    """
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], associated)
    except (InvalidTag, ValueError, TypeError):
        raise VaultError(
            "an entry was changed, moved, or sealed with another key: restore the backup"
        ) from None


def stretched(passphrase: str, salt: bytes, cost: Cost) -> bytes:
    """The 32-byte key of a pass-phrase, by Argon2id (RFC 9106).

    Raises
    ------
    VaultAccessError
        If the pass-phrase has fewer than 12 characters.
    """
    text = unicodedata.normalize("NFC", passphrase)
    if len(text) < _SHORTEST:
        raise VaultAccessError(f"a pass-phrase has at least {_SHORTEST} characters")
    derivation = Argon2id(
        salt=salt,
        length=KEY_BYTES,
        iterations=cost.iterations,
        lanes=cost.lanes,
        memory_cost=cost.memory,
    )
    return derivation.derive(text.encode())
