# SPDX-License-Identifier: AGPL-3.0-or-later
"""Refused arrivals, kept encrypted on this node so that an admin can repair and send them again.

The sender was told of a failure all the same, and nothing of them is in Orthanc. Each is one file
named by a keyed digest of its content: sent again it takes no more room. What it is, and why it was
refused, is sealed too (AES-256-GCM under a sub-key of the archive's key, bound to the name).
"""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from deid import DeidentificationKey
from deid.errors import VaultError
from deid.vault.sealing import bound, opened, seal

FOLDER = "arrival-quarantine"
_DOMAIN = "arrival quarantine"
_MAGIC = b"SLQ1"
_NAME = re.compile(r"[0-9a-f]{32}", re.ASCII)
_SUFFIX = ".held"
_HEAD = len(_MAGIC) + 4


class HeldError(RuntimeError):
    """An arrival can't be kept or read; says why, without anything of a patient."""


class HeldArrival(BaseModel):
    """What is known of one refused arrival."""

    model_config = ConfigDict(frozen=True)

    name: str
    reason: str
    """Name of the error."""
    size: int
    """Bytes of the file as it came."""
    refused_at: str
    """UTC, ISO 8601."""


@dataclass(frozen=True)
class HeldArrivals:
    """The encrypted quarantine of one node.

    Args:
        folder: made when the first file is kept.
        key: of the archive.
        maximum_bytes: of all files together; what would exceed it is not kept.
    """

    folder: Path
    key: DeidentificationKey
    maximum_bytes: int = 1 << 30

    def keep(self, received: bytes, reason: str) -> HeldArrival:
        """Keep a file, whole on the disk when this returns.

        Raises:
            HeldError: there is no room, or it can't be written.
        """
        name = self._name(received)
        entry = HeldArrival(
            name=name,
            reason=reason,
            size=len(received),
            refused_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        about = self._seal(name, "about", entry.model_dump_json().encode())
        content = self._seal(name, "content", received)
        whole = b"".join([_MAGIC, len(about).to_bytes(4, "big"), about, content])
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._used(but=name) + len(whole) > self.maximum_bytes:
                raise HeldError("the quarantine of arrivals is full: release or discard some")
            self._write(name, whole)
        except OSError as error:
            raise HeldError(f"the quarantine of arrivals: {error.strerror}") from None
        return entry

    def entries(self) -> Iterator[HeldArrival]:
        """What is kept, the oldest first.

        Raises:
            HeldError: a file can't be read, was changed, or was kept under another key.
        """
        for path in sorted(self.folder.glob(f"*{_SUFFIX}"), key=lambda one: one.stat().st_mtime):
            yield self._about(path.stem)

    def released(self, name: str) -> bytes:
        """The file as it came.

        Raises:
            HeldError: as ``entries``, or there is none of this name.
        """
        whole = self._read(name)
        start = _HEAD + int.from_bytes(whole[len(_MAGIC) : _HEAD], "big")
        return self._open(name, "content", whole[start:])

    def discard(self, name: str) -> None:
        """Remove a file for good.

        Raises:
            HeldError: there is none of this name, or it can't be removed.
        """
        self._read(name)
        try:
            self._place(name).unlink()
        except OSError as error:
            raise HeldError(f"can't remove it: {error.strerror}") from None

    def _about(self, name: str) -> HeldArrival:
        whole = self._read(name)
        length = int.from_bytes(whole[len(_MAGIC) : _HEAD], "big")
        try:
            about = self._open(name, "about", whole[_HEAD : _HEAD + length])
            return HeldArrival.model_validate_json(about)
        except ValidationError:
            raise HeldError(f"{name} was kept by another version of Sidelight") from None

    def _read(self, name: str) -> bytes:
        if not _NAME.fullmatch(name):
            raise HeldError("no such arrival is kept: see the list")
        try:
            whole = self._place(name).read_bytes()
        except FileNotFoundError:
            raise HeldError("no such arrival is kept: see the list") from None
        except OSError as error:
            raise HeldError(f"{name} can't be read: {error.strerror}") from None
        if not whole.startswith(_MAGIC):
            raise HeldError(f"{name} is no kept arrival")
        return whole

    def _write(self, name: str, whole: bytes) -> None:
        partial = self.folder / f".{name}.{os.getpid()}"
        try:
            with os.fdopen(
                os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb"
            ) as stream:
                stream.write(whole)
                stream.flush()
                os.fsync(stream.fileno())
            partial.rename(self._place(name))
        except OSError:
            with suppress(OSError):
                partial.unlink()
            raise

    def _used(self, but: str) -> int:
        return sum(
            path.stat().st_size for path in self.folder.glob(f"*{_SUFFIX}") if path.stem != but
        )

    def _place(self, name: str) -> Path:
        return self.folder / f"{name}{_SUFFIX}"

    def _name(self, received: bytes) -> str:
        key = self.key.derive(f"{_DOMAIN} names")
        return hmac.digest(key, received, "sha256")[:16].hex()

    def _seal(self, name: str, part: str, plain: bytes) -> bytes:
        return seal(self.key.derive(_DOMAIN), plain, bound(name, part))

    def _open(self, name: str, part: str, sealed: bytes) -> bytes:
        try:
            return opened(self.key.derive(_DOMAIN), sealed, bound(name, part))
        except VaultError:
            raise HeldError(f"{name} was changed, or kept under another key") from None
