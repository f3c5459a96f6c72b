# SPDX-License-Identifier: Apache-2.0
"""The files to de-identify: one, those of a folder or file-set, the members of a ZIP archive."""

from __future__ import annotations

import io
import lzma
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, NamedTuple

from deid.errors import UnreadableSourceError

_DIRECTORY = "DICOMDIR"
_PREFIX_AT, _PREFIX, _ARCHIVE = 128, b"DICM", b"PK\x03\x04"
# An archive can be made that holds itself.
_DEEPEST = 4
_DAMAGED = (
    zipfile.BadZipFile,
    EOFError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    lzma.LZMAError,
    zlib.error,
)


class SourceFile(NamedTuple):
    """A file, or a member of an archive; names may identify and are shown to nobody.

    Attributes
    ----------
    path:
        On the disk.
    members:
        Places in the lists of archives, from the outermost inwards, none of a file that is no
        archive's member. Not names: an archive may have one twice.
    unreadable:
        Why what is there can't be looked into, such as a folder without the right to; ``""`` of a
        file.
    """

    path: Path
    members: tuple[int, ...] = ()
    unreadable: str = ""

    def read(self) -> bytes:
        """The content.

        Raises
        ------
        UnreadableSourceError
            If it can't be read, or the archive is damaged or encrypted.
        """
        if self.unreadable:
            raise UnreadableSourceError(self.unreadable)
        with _read_errors():
            if not self.members:
                return self.path.read_bytes()
            with zipfile.ZipFile(_opened(self.path, self.members[:-1])) as archive:
                return _read(archive, self.members[-1])


def sources(path: Path) -> Iterator[SourceFile]:
    """All files at a path, archives opened, also inside others; a DICOMDIR stands for its folder.

    Symbolic links are followed, each folder is visited once. What can't be looked into comes as a
    file that can't be read, so that nobody takes it for nothing.
    """
    if path.is_dir():
        files = _files_below(path)
    elif path.name.upper() == _DIRECTORY:
        files = _files_below(path.parent)
    else:
        files = [SourceFile(path)]
    for file in files:
        if file.path.name.upper() == _DIRECTORY:
            continue
        if not file.unreadable and _is_archive(file.path):
            yield from _members(file)
        else:
            yield file


def _files_below(folder: Path) -> list[SourceFile]:
    found: list[SourceFile] = []
    seen: set[tuple[int, int]] = set()

    def note(error: OSError) -> None:
        told = f"can't look into a folder: {error.strerror}"
        found.append(SourceFile(Path(error.filename or folder), unreadable=told))

    for place, folders, names in os.walk(folder, onerror=note, followlinks=True):
        try:
            status = Path(place).stat()
        except OSError as error:
            note(error)
            continue
        if (status.st_dev, status.st_ino) in seen:
            # Reached once more through a link; without end, where it leads to one of its parents.
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        files = (Path(place) / name for name in names)
        found += [SourceFile(file) for file in files if _is_file(file)]
    return sorted(found)


def _is_file(path: Path) -> bool:
    """Whether it is one, or what nobody can tell; no pipe, socket or device."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        # A link that leads nowhere, or a file that is hidden: whoever reads it says so.
        return True


def _is_archive(path: Path) -> bool:
    """Whether a file is a ZIP archive, or part of one; a DICOM file that ends like one is none."""
    try:
        with path.open("rb") as stream:
            start = stream.read(_PREFIX_AT + len(_PREFIX))
            is_dicom = start[_PREFIX_AT:] == _PREFIX
            return not is_dicom and (start.startswith(_ARCHIVE) or zipfile.is_zipfile(stream))
    except OSError:
        # Whoever reads it meets the same and says so.
        return False


def _members(archive: SourceFile) -> Iterator[SourceFile]:
    try:
        with _read_errors(), zipfile.ZipFile(_opened(*archive[:2])) as opened:
            listed = enumerate(opened.infolist())
            infos = sorted(((one.filename, at) for at, one in listed if not one.is_dir()))
            inner = {at for _, at in infos if _holds_archive(opened, at)}
    except UnreadableSourceError as error:
        yield archive._replace(unreadable=str(error))
        return
    for name, at in infos:
        member = archive._replace(members=(*archive.members, at))
        if name.rsplit("/", 1)[-1].upper() == _DIRECTORY:
            continue
        if at not in inner:
            yield member
        elif len(member.members) < _DEEPEST:
            yield from _members(member)
        else:
            yield member._replace(unreadable="archives in archives are nested too deep: unpack")


def _holds_archive(archive: zipfile.ZipFile, at: int) -> bool:
    try:
        with archive.open(archive.infolist()[at]) as stream:
            start = stream.read(_PREFIX_AT + len(_PREFIX))
    except _DAMAGED:
        # Encrypted or damaged: whoever reads it says so.
        return False
    return start.startswith(_ARCHIVE) and start[_PREFIX_AT:] != _PREFIX


def _opened(path: Path, members: tuple[int, ...]) -> Path | IO[bytes]:
    return io.BytesIO(_unpacked(path, members)) if members else path


@lru_cache(maxsize=1)
def _unpacked(path: Path, members: tuple[int, ...]) -> bytes:
    """An archive that is a member itself; its own members come one after another."""
    with zipfile.ZipFile(_opened(path, members[:-1])) as archive:
        return _read(archive, members[-1])


def _read(archive: zipfile.ZipFile, at: int) -> bytes:
    return archive.read(archive.infolist()[at])


@contextmanager
def _read_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnreadableSourceError(f"can't read the file: {error.strerror}") from None
    except _DAMAGED:
        # The cause is left out: its message quotes the member's name.
        raise UnreadableSourceError(
            "a member of the archive is damaged or encrypted: unpack it first"
        ) from None
