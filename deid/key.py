# SPDX-License-Identifier: Apache-2.0
"""The secret that all pseudonyms hang on."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import secrets
import tempfile
from pathlib import Path

from deid.errors import KeyFileError

KEY_BYTES = 32
# Of 32 random bytes fewer differ once in 10**40.
_FEWEST_VALUES = 8
IN_ENVIRONMENT = "env:"
"""What a path begins with that names a variable of the environment, and no file."""


class DeidentificationKey:
    """A secret of at least 256 bits; sub-keys for each domain are derived from it.

    Whoever holds it can link pseudonyms to identifiers by trying them out; without it even a full
    list of record numbers is of no use. It never shows in ``repr`` and can't be pickled.
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        if len(secret) < KEY_BYTES:
            raise KeyFileError(f"the key must have at least {KEY_BYTES} bytes: create a new one")
        self._secret = bytes(secret)

    @classmethod
    def generate(cls) -> DeidentificationKey:
        """Draw a new key."""
        return cls(secrets.token_bytes(KEY_BYTES))

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], create: bool = True) -> DeidentificationKey:
        """Read the key from a file that only its owner can read, or from the environment.

        Parameters
        ----------
        path:
            The file; its content as it is, at least 32 bytes, is the key. ``env:NAME`` is the
            variable ``NAME``, which has it in base64 or hexadecimal; it is never made.
        create:
            Draw a key and write it with mode 0600 where there is no file yet. Of several
            processes that do so at once one wins, and all of them get its key.

        Raises
        ------
        KeyFileError
            If the file is missing, unreadable, too short, or open to group or others; if the
            variable is missing, or is neither base64 nor hexadecimal of 32 bytes; if either holds
            a few bytes over and over.
        """
        if os.fspath(path).startswith(IN_ENVIRONMENT):
            variable = os.fspath(path).removeprefix(IN_ENVIRONMENT)
            return cls(_random(_from_environment(variable), variable))
        file = Path(path)
        try:
            if create and not file.exists():
                _create(file)
            with file.open("rb") as stream:
                mode = os.fstat(stream.fileno()).st_mode
                secret = stream.read()
        except OSError as error:
            raise KeyFileError(
                f"can't read or create the key file {file}: {error.strerror or error}"
            ) from error
        if mode & 0o077:
            raise KeyFileError(
                f"the key file {file} is open to group or others: chmod 600 it, or, if they "
                "have read it, replace it"
            )
        if len(secret) < KEY_BYTES:
            raise KeyFileError(
                f"the key file {file} holds fewer than {KEY_BYTES} bytes: restore it from its "
                "backup, or, where nothing was made with it, remove it"
            )
        return cls(_random(secret, f"the key file {file}"))

    def derive(self, domain: str) -> bytes:
        """The 32-byte sub-key of one domain, such as ``"uid"``: HMAC-SHA256 of its name."""
        return hmac.digest(self._secret, b"sidelight deid 1 " + domain.encode(), "sha256")

    def __repr__(self) -> str:
        return "DeidentificationKey(...)"

    def __reduce__(self) -> str:
        raise TypeError("a DeidentificationKey is read from its file, never pickled")


def _random(secret: bytes, holder: str) -> bytes:
    """The secret, unless anybody could guess it: zeros, such as a crash leaves, or a pattern."""
    if len(set(secret)) < _FEWEST_VALUES:
        raise KeyFileError(
            f"{holder} holds a few bytes over and over, which is no secret: restore the key from "
            "its backup, or draw a new one"
        )
    return secret


def _from_environment(variable: str) -> bytes:
    text = os.environ.get(variable, "").strip()
    if not text:
        raise KeyFileError(f"the environment has no key in {variable}: set it, or name a file")
    try:
        # 64 hexadecimal digits are base64 of 48 bytes too: what can be read as the former is.
        return bytes.fromhex(text)
    except ValueError:
        pass
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise KeyFileError(
            f"{variable} holds no key: it must be base64 or hexadecimal of at least "
            f"{KEY_BYTES} bytes, as `openssl rand -base64 {KEY_BYTES}` writes it"
        ) from None


def _create(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(secrets.token_bytes(KEY_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        try:
            # A link, not a rename: it fails where another process was first, and the file it
            # shows to others is complete from its first moment on.
            file.hardlink_to(temporary)
        except FileExistsError:
            return
    finally:
        temporary.unlink(missing_ok=True)
