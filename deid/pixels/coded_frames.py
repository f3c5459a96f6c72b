# SPDX-License-Identifier: Apache-2.0
"""Frames in codings that pydicom leaves to others.

Pixels of one bit in RLE Lossless (PS3.5 annex G), Deflated Image Frame Compression (section
A.4.13), JPEG of 12 bits (ISO/IEC 10918-1 process 4), and the two progressive codings that PS3.5
retired and archives still hold.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import gdcm
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels.utils import pixel_array
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, JPEGExtended12Bit

from deid.frame_codings import DEFLATED_FRAMES, RLE

_SPECTRAL, _PROGRESSIVE = "1.2.840.10008.1.2.4.53", "1.2.840.10008.1.2.4.55"
_RETIRED: Final = frozenset((_SPECTRAL, _PROGRESSIVE))
_RLE_HEAD = 64
_RAW = -15
"""Window bits of a deflated stream that has no header of zlib's (RFC 1951)."""


def coded_frames(dataset: Dataset) -> NDArray[Any] | None:
    """Stored values of all frames, shaped as ``pydicom.pixels.pixel_array`` shapes them.

    Parameters
    ----------
    dataset:
        With encapsulated pixel data; it is altered.

    Returns
    -------
    array or None
        ``None`` for codings that pydicom decodes itself.

    Raises
    ------
    ValueError, RuntimeError, zlib.error
        If a frame is not what the transfer syntax says.
    """
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    bits = int(dataset.get("BitsAllocated") or 0)
    if syntax == DEFLATED_FRAMES:
        size = _size(dataset)
        return _native(dataset, (_inflated(frame, size) for frame in _frames(dataset)))
    if syntax == RLE and bits == 1:
        unpacked = _unpacker(dataset)
        return _native(dataset, map(unpacked, _frames(dataset)))
    if syntax in _RETIRED and bits == 8:
        # Decoders of the baseline process read these streams, too.
        dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
        return np.asarray(pixel_array(dataset))
    if bits == 16 and syntax in (*_RETIRED, JPEGExtended12Bit):
        return _of_12_bits(dataset, list(_frames(dataset)))
    return None


def _frames(dataset: Dataset) -> Iterable[bytes]:
    count = int(dataset.get("NumberOfFrames") or 1)
    return generate_frames(dataset.PixelData, number_of_frames=count)


def _size(dataset: Dataset) -> int:
    """Bytes of an uncompressed frame."""
    pixels = int(dataset.Rows) * int(dataset.Columns) * int(dataset.get("SamplesPerPixel") or 1)
    return -(-pixels * int(dataset.BitsAllocated) // 8)


def _inflated(frame: bytes, size: int) -> bytes:
    # No more than the header speaks of: a few bytes may inflate to gigabytes.
    made = zlib.decompressobj(_RAW).decompress(frame, max(1, size))
    if len(made) != size:
        raise ValueError("a frame ends too early")
    return made


def _unpacker(dataset: Dataset) -> Callable[[bytes], bytes]:
    """Undoes RLE of frames whose pixels are packed, eight in a byte."""
    size = _size(dataset)

    def unpacked(frame: bytes) -> bytes:
        return Image.frombytes("L", (size, 1), frame[_RLE_HEAD:], "packbits", "L").tobytes()

    return unpacked


def _native(dataset: Dataset, frames: Iterable[bytes]) -> NDArray[Any]:
    """Decode uncompressed frames as if the file had them so."""
    if int(dataset.BitsAllocated) == 1:
        # Each coded frame starts with a byte of its own, native ones follow bit by bit.
        pixels = int(dataset.Rows) * int(dataset.Columns)
        bits = [
            np.unpackbits(np.frombuffer(frame, np.uint8), bitorder="little")[:pixels]
            for frame in frames
        ]
        if any(len(frame) != pixels for frame in bits):
            raise ValueError("a frame ends too early")
        whole = np.packbits(np.concatenate(bits), bitorder="little").tobytes()
    else:
        whole = b"".join(frames)
    dataset.PixelData = whole + b"\0" * (len(whole) % 2)
    dataset["PixelData"].is_undefined_length = False
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return np.asarray(pixel_array(dataset))


def _of_12_bits(dataset: Dataset, frames: Sequence[bytes]) -> NDArray[Any]:
    """Grey frames ``(frames, rows, columns)`` of JPEG with 12 bits, which GDCM decodes by itself.

    Its library says once per call on standard error that it first tried 8 bits.
    """
    if int(dataset.get("SamplesPerPixel") or 1) != 1:
        raise ValueError("no decoder for colours of 12 bits")
    fragments = gdcm.SequenceOfFragments.New()
    for frame in frames:
        fragment = gdcm.Fragment()
        fragment.SetByteStringValue(frame)
        fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    shape = len(frames), int(dataset.Rows), int(dataset.Columns)
    image = gdcm.Image()
    image.SetNumberOfDimensions(len(shape))
    image.SetDimensions(shape[::-1])
    image.SetDataElement(element)
    kind, coding = gdcm.PhotometricInterpretation, gdcm.TransferSyntax
    image.SetPhotometricInterpretation(kind(kind.GetPIType("MONOCHROME2")))
    image.SetTransferSyntax(coding(coding.GetTSType(str(JPEGExtended12Bit))))
    signed = int(dataset.get("PixelRepresentation") or 0)
    stored = int(dataset.get("BitsStored") or 12)
    image.SetPixelFormat(gdcm.PixelFormat(1, 16, stored, stored - 1, signed))
    # GDCM hands its bytes over as text.
    decoded = image.GetBuffer().encode("utf-8", "surrogateescape")
    return np.frombuffer(decoded, f"<{'ui'[signed]}2").reshape(shape)
