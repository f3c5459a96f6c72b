# SPDX-License-Identifier: Apache-2.0
"""Where a frame ends in codings without markers: what lies behind is no image.

RLE Lossless (PS3.5 annex G), Encapsulated Uncompressed (section A.4.11) and Deflated Image Frame
Compression (section A.4.13).
"""

from __future__ import annotations

import struct
import zlib
from itertools import pairwise

_SEGMENTS = 15
_HEAD = 64
_PIECE = 1 << 20
RLE = "1.2.840.10008.1.2.5"
UNCOMPRESSED = "1.2.840.10008.1.2.1.98"
DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"


def rle_frame(frame: bytes, pixels: int) -> bytes:
    """A frame of RLE Lossless with its segments and nothing between or behind them.

    Parameters
    ----------
    frame:
        Header of 64 bytes and segments.
    pixels:
        What each segment decodes to: rows times columns, or an eighth of that for pixels of a bit.

    Returns
    -------
    bytes
        The frame itself where nothing is to be taken.

    Raises
    ------
    ValueError, struct.error, IndexError
        If it is no such frame.
    """
    count, *offsets = struct.unpack_from("<16I", frame)
    if not 1 <= count <= _SEGMENTS:
        raise ValueError("no RLE header")
    bounds = [*offsets[:count], len(frame)]
    if bounds != sorted(bounds) or bounds[0] < _HEAD:
        raise ValueError("segments out of order")
    segments, excess = [], frame[_HEAD : bounds[0]]
    for start, end in pairwise(bounds):
        length = _decoded_from(frame, start, end, pixels)
        segment = frame[start : start + length]
        segments.append(segment + b"\0" * (length & 1))
        behind = frame[start + length : end]
        excess += b"" if behind in (b"", b"\0") else behind
    if not excess and not any(offsets[count:]):
        return frame
    places, at = [], _HEAD
    for segment in segments:
        places.append(at)
        at += len(segment)
    head = struct.pack("<16I", count, *places, *[0] * (_SEGMENTS - count))
    return head + b"".join(segments)


def _decoded_from(frame: bytes, at: int, end: int, pixels: int) -> int:
    """How many bytes of a segment it takes to make so many (PackBits)."""
    start, made = at, 0
    while made < pixels and at < end:
        code = frame[at]
        if code < 128:
            made += code + 1
            at += code + 2
        elif code > 128:
            made += 257 - code
            at += 2
        else:
            at += 1
    if at > end or made < pixels:
        raise ValueError("a segment ends too early")
    return at - start


def uncompressed_frame(frame: bytes, size: int) -> bytes:
    """A frame of Encapsulated Uncompressed, of ``size`` bytes.

    Raises
    ------
    ValueError
        If it is shorter.
    """
    if len(frame) < size:
        raise ValueError("a frame ends too early")
    return frame if len(frame) - size < 2 else frame[:size]


def deflated_frame(frame: bytes) -> bytes:
    """A deflated frame without what follows its stream.

    Raises
    ------
    ValueError
        If it is none.
    """
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        # In pieces: what a frame inflates to is of no interest here.
        inflater.decompress(frame, _PIECE)
        while not inflater.eof and inflater.unconsumed_tail:
            inflater.decompress(inflater.unconsumed_tail, _PIECE)
    except zlib.error:
        raise ValueError("no deflated frame") from None
    if not inflater.eof:
        raise ValueError("a frame ends too early")
    excess = len(inflater.unused_data)
    return frame if excess < 2 and not inflater.unused_data.strip(b"\0") else frame[:-excess]
