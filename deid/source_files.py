# SPDX-License-Identifier: Apache-2.0
"""The files to de-identify: one, those of a folder or file-set, the members of a ZIP archive."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from deid.errors import UnreadableSourceError


class SourceFile(NamedTuple):
    """A file, or a member of an archive; names may identify and are shown to nobody."""

    path: Path
    member: str = ""

    def read(self) -> bytes:
        """The content.

        Raises
        ------
        UnreadableSourceError
            If it can't be read, or the archive is damaged or encrypted.
        """
        try:
            if not self.member:
                return self.path.read_bytes()
            with zipfile.ZipFile(self.path) as archive:
                return archive.read(self.member)
        except OSError as error:
            raise UnreadableSourceError(f"can't read the file: {error.strerror}") from None
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, zlib.error):
            # The cause is left out: its message quotes the member's name.
            raise UnreadableSourceError(
                "a member of the archive is damaged or encrypted: unpack it first"
            ) from None


def sources(path: Path) -> Iterator[SourceFile]:
    """All files at a path, archives inside a folder opened; a DICOMDIR stands for its folder."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
    elif path.name.upper() == "DICOMDIR":
        files = sorted(file for file in path.parent.rglob("*") if file.is_file())
    else:
        files = [path]
    for file in files:
        if file.name.upper() == "DICOMDIR":
            continue
        if zipfile.is_zipfile(file):
            yield from _members(file)
        else:
            yield SourceFile(file)


def _members(path: Path) -> Iterator[SourceFile]:
    with zipfile.ZipFile(path) as archive:
        names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
    for name in sorted(names):
        if name.rsplit("/", 1)[-1].upper() != "DICOMDIR":
            yield SourceFile(path, name)
