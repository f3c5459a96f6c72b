# SPDX-License-Identifier: AGPL-3.0-or-later
"""The second lock of arrival mode: Orthanc's storage writes no instance that was not admitted.

Orthanc stores the original when the received-instance callback is left out or fails, and the Python
plugin leaves it out when it gets no memory for the call. Here the same failure closes: Orthanc
refuses an instance whose file can't be written, whatever the reason, and without a call of
``create`` nothing is written at all.

What the callback hands back is admitted by digest just before. Orthanc writes up to two files of
it: the whole, and its head up to the pixels. Later it may write anew what it has read before (to
compress it, say). Nothing here calls Orthanc: its threads hold locks while they wait for Python.
"""

from __future__ import annotations

import hashlib
import threading
import zlib
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from plugin.arrival.storage_folder import StorageFolder

MOST_ADMITTED = 4096
"""Digests kept; many times more than Orthanc has threads that could be about to store one."""
MOST_RECENT = 64
_SIZE_BYTES = 8
_ZLIB = 0x78


class Content(IntEnum):
    """What a file is: Orthanc's OrthancPluginContentType."""

    USER = 0
    """An attachment that somebody put over REST."""
    DICOM = 1
    DICOM_AS_JSON = 2
    DICOM_UNTIL_PIXEL_DATA = 3


class NotAdmittedError(RuntimeError):
    """Orthanc was about to write an instance that arrival mode did not hand back."""


@dataclass
class StorageGuard:
    """Orthanc's storage area while arrival mode is on.

    Without ``admit`` being called it is closed to every instance. ``sealed`` is asked about files
    that are neither admitted nor read before: whether one bears a seal of this archive that holds.
    """

    folder: StorageFolder
    sealed: Callable[[bytes], bool] = lambda _file: False
    written: int = 0
    refused: int = 0
    bypassed: bool = False
    """Orthanc stored an instance in another place: this is not its storage area."""
    _admitted: OrderedDict[bytes, None] = field(default_factory=OrderedDict)
    _recent: deque[Path] = field(default_factory=lambda: deque(maxlen=MOST_RECENT))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def admit(self, file: bytes) -> None:
        """Let Orthanc write this file."""
        digest = _digest(file)
        with self._lock:
            self._admitted[digest] = None
            self._admitted.move_to_end(digest)
            while len(self._admitted) > MOST_ADMITTED:
                self._admitted.popitem(last=False)

    def create(self, uuid: str, kind: int, content: bytes) -> None:
        """Write a file that may be written.

        Raises:
            NotAdmittedError: it may not.
            StorageFolderError: it can't be written.
        """
        if kind != Content.USER and not self._may_be_written(kind, content):
            with self._lock:
                self.refused += 1
            raise NotAdmittedError("an instance that arrival mode did not admit is not written")
        self.folder.create(uuid, content)
        if kind != Content.USER:
            with self._lock:
                self.written += kind == Content.DICOM
                self._recent.append(self.folder.place(uuid))

    def read(self, uuid: str, kind: int) -> bytes:
        """A whole file.

        Raises:
            OSError: it is not there, or can't be read.
        """
        content = self.folder.read(uuid)
        if kind != Content.USER:
            with self._lock:
                self._recent.append(self.folder.place(uuid))
        return content

    def remove(self, uuid: str, _kind: int) -> None:
        """Remove a file."""
        self.folder.remove(uuid)

    def note_stored(self) -> bool:
        """Orthanc says that it has a new instance; False if that was not written here before."""
        self.bypassed = self.bypassed or self.written == 0
        return not self.bypassed

    def status(self) -> dict[str, object]:
        """Whether it guards, and how many instances it kept out since Orthanc's start."""
        return {"guarded": not self.bypassed, "kept_out": self.refused}

    def _may_be_written(self, kind: int, content: bytes) -> bool:
        if kind == Content.DICOM and self._is_admitted(content):
            return True
        plain = _plain(content)
        if kind == Content.DICOM and plain is not content and self._is_admitted(plain):
            return True
        if self._was_here(plain, whole=kind != Content.DICOM_UNTIL_PIXEL_DATA):
            return True
        return kind == Content.DICOM and self.sealed(plain)

    def _is_admitted(self, file: bytes) -> bool:
        digest = _digest(file)
        with self._lock:
            return digest in self._admitted

    def _was_here(self, plain: bytes, *, whole: bool) -> bool:
        """Whether a file that was written or read lately is the same, or begins like this one."""
        with self._lock:
            recent = list(self._recent)
        # The newest first: Orthanc writes an instance's head right behind the instance.
        return any(_begins(path, plain, whole=whole) for path in reversed(recent))


def _begins(path: Path, plain: bytes, *, whole: bool) -> bool:
    try:
        with path.open("rb") as stream:
            head = stream.read(_SIZE_BYTES + 2)
            stream.seek(0)
            if _is_compressed(head):
                found = _plain(stream.read())
                return found == plain if whole else found.startswith(plain)
            found = stream.read(len(plain) + 1)
    except OSError:
        return False  # removed meanwhile
    return found == plain if whole else found[: len(plain)] == plain


def _plain(content: bytes) -> bytes:
    """The file itself, where Orthanc compressed it (StorageCompression): size, then zlib."""
    if not _is_compressed(content):
        return content
    size = int.from_bytes(content[:_SIZE_BYTES], "little")
    inflating = zlib.decompressobj()
    try:
        found = inflating.decompress(content[_SIZE_BYTES:], size + 1)
    except (zlib.error, OverflowError):
        return content
    return found if len(found) == size and inflating.eof and not inflating.unused_data else content


def _is_compressed(head: bytes) -> bool:
    return len(head) > _SIZE_BYTES + 1 and head[_SIZE_BYTES] == _ZLIB


def _digest(file: bytes) -> bytes:
    return hashlib.sha256(file).digest()
