# SPDX-License-Identifier: Apache-2.0
"""From a file, its bytes or a pydicom data set to raw elements."""

from __future__ import annotations

import io
import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from deid.elements import Element
from deid.errors import (
    DeidentificationError,
    MissingSopClassError,
    NotDicomError,
    TruncatedFileError,
    UnreadableSourceError,
    UnsupportedObjectError,
    UnsupportedTransferSyntaxError,
)
from deid.parsing import MalformedError, RawDataSet, looks_explicit, parsed

if TYPE_CHECKING:
    from deid.text import KnownTerms


Source = bytes | bytearray | memoryview | Dataset | str | os.PathLike[str]

PIXEL_GROUP = 0x7FE00000
FLOAT_PIXEL_DATA, DOUBLE_FLOAT_PIXEL_DATA, PIXEL_DATA = 0x7FE00008, 0x7FE00009, 0x7FE00010
PIXELS = frozenset({FLOAT_PIXEL_DATA, DOUBLE_FLOAT_PIXEL_DATA, PIXEL_DATA})
"""Attributes that hold pixels, of which an image has one."""
# Basic Voice Audio and General Audio Waveform Storage (PS3.4 section B.5).
_AUDIO = frozenset(f"1.2.840.10008.5.1.4.1.1.9.4.{number}" for number in (1, 2))
_PREFIX_AT, _PREFIX = 128, b"DICM"
_PLAIN = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)
# Syntaxes of any edition pass: those not of PS3.5 annex A.1 to A.3 are explicit little endian.
_STANDARD_SYNTAX = re.compile(r"1\.2\.840\.10008\.1\.2(?:\.\d{1,3}){0,4}", re.ASCII)
_UID = re.compile(r"\d{1,64}(?:\.\d{1,64})+", re.ASCII)
_STUDY = 0x0020000D
_DIRECTORY = "1.2.840.10008.1.3.10"
_LARGEST_INFLATED = 1 << 31


@dataclass(frozen=True)
class Original:
    """One instance as it came, with identifiers.

    Attributes
    ----------
    header:
        The data set without its pixel data.
    pixels:
        The elements of group 7FE0, untouched; empty when the header alone was read.
    sop_class, sop_instance:
        SOP Class UID, and SOP Instance UID or ``""`` where the file has none.
    transfer_syntax:
        UID of the transfer syntax of the file, and of what is made from it.
    has_pixels:
        Whether pixel data was asked for.
    revealed:
        What other texts than the header say of people: reports of the study, lines in the pixels.
    """

    header: RawDataSet
    pixels: tuple[Element, ...]
    sop_class: str
    sop_instance: str
    transfer_syntax: str
    has_pixels: bool
    revealed: KnownTerms | None = None


def read(source: Source, pixels: bool = True) -> Original:
    """Read an instance without trusting it.

    Raises
    ------
    DeidentificationError
        One of its subclasses, naming what is wrong.
    """
    content = _content(source)
    has_prefix = content[_PREFIX_AT : _PREFIX_AT + 4] == _PREFIX
    start = _PREFIX_AT + 4 if has_prefix else 0
    try:
        file_meta, start = parsed(content, start, (False, True), lambda tag: tag >> 16 != 0x0002)
        _, start = parsed(content, start, (True, True), lambda tag: tag >> 16 != 0x0000)
        syntax = file_meta.text(0x00020010)
        content, start = _inflated(content, start, syntax)
        encoding = _encoding(content, start, syntax)
        header, _ = parsed(content, start, encoding, _Watch(pixels), PIXEL_GROUP)
    except MalformedError as error:
        raise NotDicomError(f"no readable DICOM file: {error}") from None
    except TruncatedFileError:
        if has_prefix:
            raise
        raise NotDicomError("neither the prefix DICM nor a data set: no DICOM file") from None
    return _judged(header, file_meta, _syntax(syntax, encoding), (has_prefix, pixels))


def study_of(content: bytes) -> str:
    """Original Study Instance UID of a file, ``""`` where it has none or can't be read."""
    try:
        return read(content, pixels=False).header.text(_STUDY)
    except DeidentificationError:
        # Whoever de-identifies it will meet the same and say so.
        return ""


def _judged(
    header: RawDataSet, file_meta: RawDataSet, syntax: str, flags: tuple[bool, bool]
) -> Original:
    has_prefix, pixels = flags
    sop_class = _uid_of(header, 0x00080016) or _uid_of(file_meta, 0x00020002)
    if sop_class == _DIRECTORY:
        raise UnsupportedObjectError("a DICOMDIR is an index of files: de-identify the files")
    if sop_class in _AUDIO:
        raise UnsupportedObjectError(
            "an audio recording may speak of anybody and in anybody's voice: leave it out"
        )
    if not sop_class and not has_prefix:
        raise NotDicomError("neither the prefix DICM nor a SOP Class: no DICOM file")
    if not sop_class:
        raise MissingSopClassError("the object names no SOP Class (0008,0016): it can't be judged")
    tags = sorted(tag for tag in header if tag >> 16 == PIXEL_GROUP >> 16)
    elements = ((tag, header.pop(tag)) for tag in tags)
    return Original(
        header=header,
        pixels=tuple(Element(tag, e.vr or "", e.value, e.encapsulated) for tag, e in elements),
        sop_class=sop_class,
        sop_instance=_uid_of(header, 0x00080018) or _uid_of(file_meta, 0x00020003),
        transfer_syntax=syntax,
        has_pixels=pixels,
    )


class _Watch:
    """Ends reading before (or after) the pixel data, so that no trailing byte is looked at.

    Where one kind of pixels follows another, in whatever order, all are read: that they are too
    many is not for the reader to settle.
    """

    def __init__(self, pixels: bool) -> None:
        self._pixels = pixels
        self._seen: set[int] = set()

    def __call__(self, tag: int) -> bool:
        if tag < PIXEL_GROUP:
            return bool(self._seen)
        if not self._pixels or (self._seen and tag not in PIXELS - self._seen):
            return True
        if tag in PIXELS:
            self._seen.add(tag)
        return False


def _content(source: Source) -> bytes:
    if isinstance(source, bytes):
        return source
    if isinstance(source, (bytearray, memoryview)):
        return bytes(source)
    if isinstance(source, Dataset):
        return _serialized(source)
    try:
        return Path(source).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no path"
        raise UnreadableSourceError(f"can't read the file: {reason}") from None


def _serialized(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    file_meta = getattr(dataset, "file_meta", None)
    options = {}
    if file_meta is None or "TransferSyntaxUID" not in file_meta:
        implicit, little_endian = dataset.original_encoding
        options = {"implicit_vr": bool(implicit), "little_endian": little_endian is not False}
    try:
        pydicom.dcmwrite(buffer, dataset, enforce_file_format=False, **options)
    except (AttributeError, KeyError, TypeError, ValueError, OSError, NotImplementedError) as error:
        # The cause is left out: pydicom's messages quote values.
        raise NotDicomError(
            f"pydicom can't encode the data set ({type(error).__name__}): correct it first"
        ) from None
    return buffer.getvalue()


def _inflated(content: bytes, start: int, syntax: str) -> tuple[bytes, int]:
    if syntax != DeflatedExplicitVRLittleEndian:
        return content, start
    try:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        plain = inflater.decompress(memoryview(content)[start:], _LARGEST_INFLATED)
    except zlib.error:
        raise TruncatedFileError("the deflated data set is damaged: send it again") from None
    if not inflater.eof:
        raise TruncatedFileError("the deflated data set ends too early: send it again")
    return plain, 0


def _encoding(content: bytes, start: int, syntax: str) -> tuple[bool, bool]:
    """Implicit VR, little endian: what the file is, whatever its transfer syntax says."""
    explicit = looks_explicit(content, start)
    if syntax:
        return not explicit, syntax != ExplicitVRBigEndian
    # Groups below 0400 that begin with zero bytes are big endian (PS3.5 section 7.3).
    big_endian = explicit and content[start : start + 1] == b"\0"
    return not explicit, not big_endian


def _syntax(named: str, encoding: tuple[bool, bool]) -> str:
    implicit, little_endian = encoding
    if not little_endian:
        found = ExplicitVRBigEndian
    else:
        found = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    if not named or named in _PLAIN:
        return str(found)
    if _STANDARD_SYNTAX.fullmatch(named) is None:
        raise UnsupportedTransferSyntaxError(
            "the transfer syntax (0002,0010) is private or unknown: convert the file first"
        )
    return named


def _uid_of(dataset: RawDataSet, tag: int) -> str:
    text = dataset.text(tag)
    return text if _UID.fullmatch(text) else ""
