# SPDX-License-Identifier: Apache-2.0
"""Coded video in pieces of a container, and its packets' headers (ISO/IEC 13818-1, 2.4.3.6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from deid.videos.errors import StreamError

_PREFIX = b"\0\0\1"
_FIXED = 9
"""Bytes of the header of a packet before its optional fields."""
_TIMES = {0x00: 0, 0x80: 5, 0xC0: 10}


class Piece(NamedTuple):
    """Bytes of a container that hold coded video: the first, and the one after the last."""

    start: int
    end: int


def gathered(stream: bytearray, pieces: Sequence[Piece]) -> bytearray:
    """The coded video without its container."""
    return bytearray().join(stream[piece.start : piece.end] for piece in pieces)


def scatter(video: bytearray, stream: bytearray, pieces: Sequence[Piece]) -> None:
    """Put the video, as long as it was, back into its container."""
    at = 0
    for start, end in pieces:
        stream[start:end] = video[at : at + end - start]
        at += end - start


def clean_pes_header(stream: bytearray, at: int, end: int) -> int:
    """Keep of a packet's header when it is shown; answers where its payload begins.

    Raises
    ------
    StreamError
        If it is no header of a video, or is not whole.
    """
    if end - at < _FIXED or stream[at : at + 3] != _PREFIX or not 0xE0 <= stream[at + 3] <= 0xEF:
        raise StreamError("a packet of the video has no header")
    if stream[at + 6] & 0xC0 != 0x80 or stream[at + 6] & 0x30:
        raise StreamError("a packet of the video is scrambled, or of MPEG-1")
    start = at + _FIXED + stream[at + 8]
    times = _TIMES.get(stream[at + 7] & 0xC0)
    if times is None or start > end or at + _FIXED + times > start:
        raise StreamError("the header of a packet ends too early")
    stream[at + 6] &= 0x84  # its marker, and whether a picture begins with its payload
    stream[at + 7] &= 0xC0
    kept = at + _FIXED + times
    stream[kept:start] = b"\xff" * (start - kept)
    return start
