# SPDX-License-Identifier: Apache-2.0
"""Takes from compressed images what is no image: comments, application data, boxes, bytes behind.

A JPEG file brought into DICOM keeps its comments, EXIF and thumbnails inside the codestream, where
no rule for elements sees them. Markers are removed and the rest is left byte by byte, so that
decoded pixels are the same:

- JPEG (ITU-T T.81) and JPEG-LS (T.87): COM, reserved markers, and APPn but for what decoders read
  (JFIF without thumbnail, Adobe's colour transform, HP's of JPEG-LS), and what follows the end of
  the image;
- JPEG 2000 (T.800) and HTJ2K: COM of main and tile-part headers; a whole JP2 file becomes its
  codestream;
- JPEG XL: all boxes but those of the codestream;
- RLE Lossless, Encapsulated Uncompressed and Deflated Image Frames: what lies behind a frame;
- all: a Basic Offset Table that says anything but where fragments begin.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

from deid.errors import PixelsNotReadableError
from deid.fragments import encapsulated, is_offset_table, items_of
from deid.frame_codings import (
    DEFLATED_FRAMES,
    RLE,
    UNCOMPRESSED,
    deflated_frame,
    rle_frame,
    uncompressed_frame,
)
from deid.jpeg_xl import SYNTAXES as JPEG_XL
from deid.jpeg_xl import jpeg_xl

_JPEG = tuple(f"1.2.840.10008.1.2.4.{n}" for n in (*range(50, 67), 70, 80, 81))
_JPEG_2000 = tuple(f"1.2.840.10008.1.2.4.{n}" for n in (90, 91, 92, 93, 201, 202, 203))
KNOWN = frozenset((*_JPEG, *_JPEG_2000))
"""Transfer syntaxes whose codestreams are cleaned."""

_SOI, _EOI, _SOS, _COM = 0xD8, 0xD9, 0xDA, 0xFE
_STANDALONE = frozenset((0x01, *range(0xD0, 0xD8)))
# Frames, tables, scans and restarts; extensions and what is reserved may be anything.
_CODING = frozenset((*range(0xC0, 0xC8), *range(0xC9, 0xD8), _SOS, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF))
_CODING |= {0xF7, 0xF8}  # JPEG-LS
_ADOBE, _JFIF, _HP = b"Adobe", b"JFIF\0", b"mrfx"
_SOC, _SOT, _SOD, _J2K_EOC, _TLM = 0xFF4F, 0xFF90, 0xFF93, 0xFFD9, 0xFF55
# Marker segments of T.800, T.801 and T.814 that decoders read; COM is none.
_J2K_CODING = frozenset(
    (*range(0xFF50, 0xFF54), _TLM, 0xFF56, 0xFF57, 0xFF58, 0xFF59, 0xFF5C, 0xFF5D, 0xFF5E, 0xFF5F,
     0xFF60, 0xFF61, 0xFF63, *range(0xFF70, 0xFF79))
)  # fmt: skip
_JP2 = b"\0\0\0\x0cjP  \r\n\x87\n"
_MALFORMED = (
    "the compressed image's markers can't be read, so comments in it can't be taken out: look at "
    "the image, or decompress it first"
)


class Frames(NamedTuple):
    """What the header says of the frames.

    Attributes
    ----------
    number:
        Number of Frames.
    plane:
        Bytes of one byte of each pixel: rows times columns, an eighth of that for pixels of a bit.
    size:
        Bytes of a native frame.
    """

    number: int
    plane: int
    size: int


def cleaned_fragments(value: bytes | memoryview, syntax: str, frames: Frames) -> bytes | None:
    """Encapsulated pixel data (PS3.5 section A.4) without what is no image.

    Parameters
    ----------
    value:
        Items: the Basic Offset Table, then fragments.
    syntax:
        UID of the transfer syntax.
    frames:
        As the header has them.

    Returns
    -------
    bytes or None
        New items with one fragment per frame and an empty Basic Offset Table; None where nothing
        is to be taken. Of a syntax of which nothing is known the fragments stay as they are.

    Raises
    ------
    PixelsNotReadableError
        Items, or markers in them, can't be read.
    """
    try:
        table, *fragments = items_of(bytes(value))
        streams, kept = fragments, fragments
        clean = _cleaner(syntax, frames)
        if clean is not None:
            streams = _streams(fragments, frames.number)
            kept = [clean(stream) for stream in streams]
    except (IndexError, struct.error, ValueError) as error:
        raise PixelsNotReadableError(_MALFORMED) from error
    if not all(_same(new, old) for new, old in zip(kept, streams, strict=True)):
        return encapsulated([b"", *kept])
    return None if is_offset_table(table, fragments) else encapsulated([b"", *fragments])


def _cleaner(syntax: str, frames: Frames) -> Callable[[bytes], bytes] | None:
    """What takes from one frame of a syntax what is no image."""
    if syntax in _JPEG:
        return _jpeg
    if syntax in _JPEG_2000:
        return _jpeg_2000
    if syntax in JPEG_XL:
        return jpeg_xl
    if syntax == RLE:
        return lambda frame: rle_frame(frame, frames.plane)
    if syntax == UNCOMPRESSED:
        return lambda frame: uncompressed_frame(frame, frames.size)
    return deflated_frame if syntax == DEFLATED_FRAMES else None


def _streams(fragments: list[bytes], frames: int) -> list[bytes]:
    """One codestream per frame; a frame may be spread over several fragments."""
    if len(fragments) == frames:
        return fragments
    if frames == 1:
        return [b"".join(fragments)]
    starts = (b"\xff\xd8", b"\xff\x4f", _JP2)
    grouped: list[list[bytes]] = []
    for fragment in fragments:
        if fragment.startswith(starts) or not grouped:
            grouped.append([])
        grouped[-1].append(fragment)
    if len(grouped) != frames:
        raise ValueError("fragments and frames do not fit")
    return [b"".join(group) for group in grouped]


def _same(new: bytes, old: bytes) -> bool:
    """Whether only the padding of a fragment differs."""
    return new == old or (len(old) - len(new) == 1 and old == new + b"\0")


def _jpeg(stream: bytes) -> bytes:
    if stream[:2] != bytes((0xFF, _SOI)):
        raise ValueError("no start of image")
    kept, at = [stream[:2]], 2
    while True:
        start = at
        while stream[at] == 0xFF and stream[at + 1] == 0xFF:
            at += 1  # fill bytes
        if stream[at] != 0xFF:
            raise ValueError("no marker")
        marker = stream[at + 1]
        if marker == _EOI:
            kept.append(stream[at : at + 2])
            return b"".join(kept)
        if marker in _STANDALONE:
            end = at + 2
        else:
            end = at + 2 + struct.unpack_from(">H", stream, at + 2)[0]
        segment = stream[at:end]
        if end > len(stream):
            raise ValueError("a segment ends beyond the stream")
        if marker == _SOS:
            end = _entropy_coded(stream, end)
            segment = stream[at:end]
        if _is_image(marker, segment[4:]):
            kept.append(stream[start:at] + segment)
        at = end


def _entropy_coded(stream: bytes, at: int) -> int:
    """Where the marker after a scan stands. In JPEG-LS a byte after FF begins with a 0 bit."""
    while True:
        at = stream.index(b"\xff", at)
        following = stream[at + 1]
        if following >= 0xC0 and following not in _STANDALONE and following != 0xFF:
            return at
        at += 1 if following == 0xFF else 2


def _is_image(marker: int, payload: bytes) -> bool:
    if not 0xE0 <= marker <= 0xEF:
        return marker in _CODING
    if marker == 0xE0:
        # Version, units, densities, and a thumbnail of 0 x 0.
        return payload.startswith(_JFIF) and len(payload) == 14 and payload[-2:] == b"\0\0"
    if marker == 0xEE:
        return payload.startswith(_ADOBE) and len(payload) == 12
    return marker == 0xE8 and payload.startswith(_HP) and len(payload) == 5


def _jpeg_2000(stream: bytes) -> bytes:
    if stream.startswith(_JP2):
        stream = _codestream_box(stream)
    if struct.unpack_from(">H", stream)[0] != _SOC:
        raise ValueError("no start of codestream")
    header, at = _segments(stream, 2, _SOT)
    parts: list[bytes] = []
    shortened = False
    while struct.unpack_from(">H", stream, at)[0] == _SOT:
        part, at, shorter = _tile_part(stream, at)
        parts.append(part)
        shortened = shortened or shorter
    if struct.unpack_from(">H", stream, at)[0] != _J2K_EOC:
        raise ValueError("no end of codestream")
    # Lengths of tile-parts are told twice; the optional table would be wrong now.
    main = b"".join(s for s in header if not (shortened and s[:2] == struct.pack(">H", _TLM)))
    return b"".join((stream[:2], main, *parts, stream[at : at + 2]))


def _segments(stream: bytes, at: int, end: int) -> tuple[list[bytes], int]:
    """Marker segments but for comments, up to the marker ``end``, and where that stands."""
    kept = []
    while (marker := struct.unpack_from(">H", stream, at)[0]) != end:
        if marker < 0xFF00:
            raise ValueError("no marker")
        after = at + 2 + struct.unpack_from(">H", stream, at + 2)[0]
        if marker in _J2K_CODING:
            kept.append(stream[at:after])
        at = after
    return kept, at


def _tile_part(stream: bytes, at: int) -> tuple[bytes, int, bool]:
    """A tile-part without comments, where the next one begins, and whether it became shorter."""
    length = struct.unpack_from(">I", stream, at + 6)[0]
    # 0: the last one, up to the end of the codestream (T.800 A.4.2).
    end = at + length if length else stream.rindex(b"\xff\xd9")
    kept, data = _segments(stream, at + 12, _SOD)
    if not at < data < end <= len(stream):
        raise ValueError("a tile-part ends beyond the stream")
    content = b"".join(kept) + stream[data:end]
    removed = (end - at) - (12 + len(content))
    sot = bytearray(stream[at : at + 12])
    if length:
        struct.pack_into(">I", sot, 6, length - removed)
    return bytes(sot) + content, end, removed > 0


def _codestream_box(file: bytes) -> bytes:
    """The contiguous codestream of a JP2 file (T.800 annex I)."""
    at = 0
    while at < len(file):
        length, kind = struct.unpack_from(">I4s", file, at)
        head = 8
        if length == 1:
            length, head = struct.unpack_from(">Q", file, at + 8)[0], 16
        end = at + length if length else len(file)
        if kind == b"jp2c":
            return file[at + head : end]
        if end <= at:
            break
        at = end
    raise ValueError("no codestream")
