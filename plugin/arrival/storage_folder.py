# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files in Orthanc's storage directory, laid out as Orthanc's own file system storage lays them.

Orthanc without Sidelight reads what was written here, and the other way round: ``ab/cd/abcd…``
below StorageDirectory, one file per attachment (FilesystemStorage of Orthanc 1.10 and 1.12).
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_ATTEMPTS = 3


class StorageFolderError(RuntimeError):
    """A file can't be written; says why, and names no path."""


@dataclass(frozen=True)
class StorageFolder:
    """Orthanc's StorageDirectory.

    Args:
        root: the directory.
        sync: whether a file is on the disk when ``create`` returns (Orthanc's SyncStorageArea).
    """

    root: Path
    sync: bool = True

    def create(self, uuid: str, content: bytes) -> None:
        """Write a new file, whole or not at all.

        Raises:
            StorageFolderError: it is there, or can't be written.
        """
        path = self.place(uuid)
        try:
            descriptor = _opened(path)
        except OSError as error:
            raise StorageFolderError(f"no new file in the storage: {error.strerror}") from None
        try:
            _write(descriptor, content, self.sync)
        except OSError as error:
            with suppress(OSError):
                path.unlink()
            raise StorageFolderError(f"can't write to the storage: {error.strerror}") from None
        except BaseException:
            # No memory, say: half a file must not stay.
            with suppress(OSError):
                path.unlink()
            raise

    def read(self, uuid: str) -> bytes:
        """A whole file.

        Raises:
            OSError: it is not there, or can't be read.
        """
        return self.place(uuid).read_bytes()

    def remove(self, uuid: str) -> None:
        """Remove a file and the folders that it leaves empty; what is gone is no error."""
        path = self.place(uuid)
        with suppress(OSError):
            path.unlink()
        with suppress(OSError):
            path.parent.rmdir()
            path.parent.parent.rmdir()

    def place(self, uuid: str) -> Path:
        """Where a file lies.

        Raises:
            StorageFolderError: that is no identifier of Orthanc's.
        """
        if not _UUID.fullmatch(uuid):
            raise StorageFolderError("no identifier of a file in Orthanc's storage")
        return self.root / uuid[:2] / uuid[2:4] / uuid


def _opened(path: Path) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    for _ in range(_ATTEMPTS):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            # Rights as Orthanc gives them: those that its umask leaves.
            return os.open(path, flags, 0o666)
        except FileNotFoundError:
            continue  # another thread removed its last file, and the folder with it, just now
    return os.open(path, flags, 0o666)


def _write(descriptor: int, content: bytes, sync: bool) -> None:
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
        if sync:
            os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
