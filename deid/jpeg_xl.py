# SPDX-License-Identifier: Apache-2.0
"""JPEG XL containers (ISO/IEC 18181-2) without what is no image: EXIF, XML, JPEG's own markers."""

from __future__ import annotations

import struct
from collections.abc import Iterator

SYNTAXES = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (110, 111, 112))
_CODESTREAM = b"\xff\x0a"
_CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
# Signature, file type, level, index and the codestream in one or in parts.
_KEPT = frozenset({b"JXL ", b"ftyp", b"jxll", b"jxli", b"jxlc", b"jxlp"})


def jpeg_xl(frame: bytes) -> bytes:
    """A frame of JPEG XL; itself where nothing is to be taken.

    Parameters
    ----------
    frame:
        A codestream, or a container with one.

    Raises
    ------
    ValueError, struct.error
        If it is neither.
    """
    if frame.startswith(_CODESTREAM):
        return frame
    if not frame.startswith(_CONTAINER):
        raise ValueError("no JPEG XL")
    boxes = list(_boxes(frame))
    kept = b"".join(box for kind, box in boxes if kind in _KEPT)
    return frame if kept == frame.rstrip(b"\0") or kept == frame else kept


def _boxes(frame: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and bytes of each box; one byte of padding is none."""
    at = 0
    while at + 8 <= len(frame):
        length, kind = struct.unpack_from(">I4s", frame, at)
        if length == 1:
            (length,) = struct.unpack_from(">Q", frame, at + 8)
        end = at + length if length else len(frame)
        if end <= at or end > len(frame):
            raise ValueError("a box ends beyond the frame")
        yield kind, frame[at:end]
        at = end
