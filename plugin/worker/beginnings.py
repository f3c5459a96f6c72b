# SPDX-License-Identifier: AGPL-3.0-or-later
"""Large files as far as their pixel data: what a scan shows, and who wants it, is told by that.

Orthanc sends a file from its beginning to its end. What comes after the header is received and
forgotten piece by piece: Orthanc logs an error where somebody hangs up.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from typing import NamedTuple, Protocol

import pydicom
from pydicom.dataset import Dataset

from deid import (
    BurnedInAnnotationError,
    DeidentificationError,
    DeidentifiedScan,
    Deidentifier,
)
from plugin.archive import ArchiveError
from plugin.results.header import integer
from plugin.worker.sop_classes import is_secondary_capture

LARGE = 32 << 20
"""Bytes from which on a file is not kept as a whole: more than a radiograph has, and less than a
long loop."""


class FileShelf(Protocol):
    """What is needed of Orthanc; see ``plugin.archive.Archive``."""

    def file_pieces(self, instance: str, /) -> AbstractContextManager[tuple[int, Iterator[bytes]]]:
        """How long the DICOM file is, and its bytes piece by piece."""


class Beginning(NamedTuple):
    """A PS3.10 file, or what of it lies before its pixel data."""

    content: bytes
    is_whole: bool


def beginning(shelf: FileShelf, instance: str) -> Beginning:
    """A file of Orthanc's, without its pixel data where it is large.

    Raises:
        ArchiveError: it did not arrive as a whole; a part would pass for another file.
    """
    with shelf.file_pieces(instance) as (length, pieces):
        if length <= LARGE:
            return Beginning(b"".join(pieces), is_whole=True)
        file = _Received(pieces)
        try:
            pydicom.dcmread(file, stop_before_pixels=True, force=True)
        except ArchiveError:
            raise
        except Exception:  # noqa: BLE001
            # Whatever a broken file provokes: who reads all of it says what is wrong.
            return Beginning(file.all(), is_whole=True)
        header = file.so_far()
        for _ in pieces:
            pass
    return Beginning(header, is_whole=len(header) == length)


def has_frames(header: Dataset | None) -> bool:
    """Whether an object has several frames: pixel models for anatomy know slices and films."""
    return header is not None and (integer(header, "NumberOfFrames") or 1) > 1


def told_by(
    header: bytes, sop_class: str, deidentifier: Deidentifier, of_headers: Deidentifier
) -> DeidentifiedScan | None:
    """A de-identified header; None where all of the file decides about it.

    Args:
        header: of a file, as far as its pixel data.
        sop_class: of the instance.
        deidentifier: of files with pixels, by the site's policy.
        of_headers: the same of headers alone; says what an image shows whose text may not leave.
    """
    if is_secondary_capture(sop_class):
        return None  # a form that was scanned is known by its pixels
    with suppress(DeidentificationError):
        try:
            return deidentifier.deidentify_header(header)
        except BurnedInAnnotationError:
            return of_headers.deidentify_header(header)
    return None


class _Received:
    """A file to read from while it arrives; what was not asked for is not kept."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._kept = io.BytesIO()
        self._end = 0

    def read(self, size: int = -1) -> bytes:
        """As of any file."""
        at = self._kept.tell()
        if size < 0 or at + size > self._end:
            self._receive(None if size < 0 else at + size)
        return self._kept.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of any file; from its end, all of it is received first."""
        if whence == io.SEEK_END:
            self._receive(None)
        return self._kept.seek(offset, whence)

    def tell(self) -> int:
        """As of any file."""
        return self._kept.tell()

    def so_far(self) -> bytes:
        """All before the place that was read up to."""
        return self._kept.getvalue()[: self._kept.tell()]

    def all(self) -> bytes:
        """The whole file."""
        self._receive(None)
        return self._kept.getvalue()

    def _receive(self, until: int | None) -> None:
        at = self._kept.tell()
        self._kept.seek(self._end)
        while until is None or self._end < until:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._end += self._kept.write(piece)
        self._kept.seek(at)
