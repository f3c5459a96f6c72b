# SPDX-License-Identifier: Apache-2.0
"""From a file, its bytes or a pydicom data set to raw elements; values are not converted."""

from __future__ import annotations

import io
import os
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_partial
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from deid.elements import UNDEFINED_LENGTH, Element
from deid.errors import (
    MissingSopClassError,
    NotDicomError,
    TruncatedFileError,
    UnreadableSourceError,
    UnsupportedObjectError,
    UnsupportedTransferSyntaxError,
)
from deid.identifiers import text_of
from deid.sequences import MALFORMED

Source = bytes | bytearray | memoryview | Dataset | str | os.PathLike[str]

PIXEL_DATA = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
PIXEL_GROUP = 0x7FE00000
# Syntaxes newer than pydicom's dictionary pass: they all are explicit VR little endian.
_STANDARD_SYNTAX = re.compile(r"1\.2\.840\.10008\.1\.2(?:\.\d{1,3}){0,4}", re.ASCII)
_DIRECTORY = "1.2.840.10008.1.3.10"


@dataclass(frozen=True)
class Original:
    """One instance as it came, with identifiers.

    Attributes
    ----------
    header:
        The data set; what pydicom has not converted yet is raw.
    pixels:
        The elements of group 7FE0, untouched; empty when the header alone was read.
    sop_class, sop_instance:
        SOP Class UID, and SOP Instance UID or ``""`` where the file has none.
    transfer_syntax:
        Of the file, and of what is made from it.
    has_pixels:
        Whether pixel data was asked for.
    """

    header: Dataset
    pixels: tuple[Element, ...]
    sop_class: str
    sop_instance: str
    transfer_syntax: UID
    has_pixels: bool


def read(source: Source, pixels: bool = True) -> Original:
    """Read an instance without trusting it.

    Raises
    ------
    DeidentificationError
        One of its subclasses, naming what is wrong.
    """
    content = _content(source)
    watch = _Watch(pixels)
    header = _parsed(content, watch)
    if watch.last is not None and watch.last not in header:
        raise TruncatedFileError("the file ends inside a data element: send it again")
    file_meta = getattr(header, "file_meta", None) or Dataset()
    sop_class = text_of(header, 0x00080016) or text_of(file_meta, 0x00020002)
    if sop_class == _DIRECTORY:
        raise UnsupportedObjectError("a DICOMDIR is an index of files: de-identify the files")
    if not sop_class and bytes(content[128:132]) != b"DICM":
        raise NotDicomError("neither the prefix DICM nor a SOP Class: no DICOM file")
    if not sop_class:
        raise MissingSopClassError("the object names no SOP Class (0008,0016): it can't be judged")
    _require_whole(header)
    return Original(
        header=header,
        pixels=_pixel_elements(header) if pixels else (),
        sop_class=sop_class,
        sop_instance=text_of(header, 0x00080018) or text_of(file_meta, 0x00020003),
        transfer_syntax=_transfer_syntax(header, file_meta),
        has_pixels=pixels,
    )


class _Watch:
    """Ends reading before (or after) the pixel data, so that no trailing byte is looked at."""

    def __init__(self, pixels: bool) -> None:
        self._pixels = pixels
        self._done = False
        self.last: int | None = None

    def __call__(self, tag: int, vr: str | None, length: int) -> bool:  # noqa: ARG002
        number = int(tag)
        if self._done or (number >= PIXEL_GROUP and not self._pixels):
            return True
        self._done = number in PIXEL_DATA
        self.last = number
        return False


def _content(source: Source) -> bytes | bytearray | memoryview:
    if isinstance(source, (bytes, bytearray, memoryview)):
        return source
    if isinstance(source, Dataset):
        return _serialized(source)
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise UnreadableSourceError(f"can't read the file: {error.strerror}") from None


def _serialized(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    file_meta = getattr(dataset, "file_meta", None)
    options = {}
    if file_meta is None or "TransferSyntaxUID" not in file_meta:
        implicit, little_endian = dataset.original_encoding
        options = {"implicit_vr": bool(implicit), "little_endian": little_endian is not False}
    try:
        pydicom.dcmwrite(buffer, dataset, enforce_file_format=False, **options)
    except MALFORMED as error:
        raise NotDicomError(
            f"pydicom can't encode the data set ({type(error).__name__}): correct it first"
        ) from None
    return buffer.getvalue()


def _parsed(content: bytes | bytearray | memoryview, watch: _Watch) -> Dataset:
    if len(content) < 8:
        raise NotDicomError("too short for a DICOM file")
    try:
        # Without the prefix "DICM" it may still be an old file or a bare data set: what is no
        # DICOM then has no SOP Class.
        return read_partial(io.BytesIO(content), stop_when=watch, force=True)
    except MALFORMED as error:
        # The cause is left out: pydicom's messages quote values.
        if isinstance(error, (EOFError, struct.error, zlib.error)):
            raise TruncatedFileError("the file ends too early: send it again") from None
        raise NotDicomError(f"no readable DICOM file ({type(error).__name__})") from None


def _require_whole(header: Dataset) -> None:
    element = next(reversed(tuple(header.values())), None)
    if not isinstance(element, RawDataElement) or element.length == UNDEFINED_LENGTH:
        return
    if len(element.value or b"") < element.length:
        raise TruncatedFileError("the file ends inside a data element: send it again")


def _pixel_elements(header: Dataset) -> tuple[Element, ...]:
    elements: list[Element] = []
    for tag, raw in header.items():
        if int(tag) >> 16 == PIXEL_GROUP >> 16 and isinstance(raw, RawDataElement):
            encapsulated = raw.length == UNDEFINED_LENGTH
            elements.append(Element(int(tag), raw.VR or "", raw.value or b"", encapsulated))
    return tuple(sorted(elements))


def _transfer_syntax(header: Dataset, file_meta: Dataset) -> UID:
    implicit, little_endian = header.original_encoding
    if little_endian is False:
        found = ExplicitVRBigEndian
    else:
        found = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    named = UID(text_of(file_meta, 0x00020010))
    if not named:
        return found
    if _STANDARD_SYNTAX.fullmatch(named) is None:
        raise UnsupportedTransferSyntaxError(
            "the transfer syntax (0002,0010) is private or unknown: convert the file first"
        )
    if named in (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian):
        return found
    if little_endian is False:
        raise UnsupportedTransferSyntaxError("compressed data must be little endian")
    return named
