# SPDX-License-Identifier: Apache-2.0
"""MPEG program streams (ISO/IEC 13818-1, 2.5; MPEG-1: 11172-1): one video goes on.

Packets of sound, private data and of what nobody knows become padding of the same length.
"""

from __future__ import annotations

from deid.videos.elementary import Piece, clean_pes_header
from deid.videos.errors import StreamError

_PREFIX = b"\0\0\1"
_END, _PACK, _SYSTEM, _PADDING = 0xB9, 0xBA, 0xBB, 0xBE
_VIDEOS = range(0xE0, 0xF0)
_MOST_STUFFING = 16


def is_program(stream: bytes | bytearray) -> bool:
    """Whether a pack header stands first."""
    return bytes(stream[:4]) == _PREFIX + bytes((_PACK,))


def clean_program(stream: bytearray) -> list[Piece]:
    """Clean the packets in place, and say where the coded video lies in them.

    Raises
    ------
    StreamError
        If packets are damaged, or there are two videos.
    """
    pieces: list[Piece] = []
    at, video = 0, None
    whole = len(stream.rstrip(b"\0"))
    while at + 4 <= whole:
        if stream[at : at + 3] != _PREFIX:
            raise StreamError("a packet of the program stream has no start code")
        kind = stream[at + 3]
        if kind == _END:
            stream[at + 4 :] = bytes(len(stream) - at - 4)
            break
        if kind == _PACK:
            at = _after_pack(stream, at)
            continue
        end = at + 6 + int.from_bytes(stream[at + 4 : at + 6], "big")
        if end > len(stream):
            raise StreamError("a packet of the program stream is cut off")
        if kind in _VIDEOS:
            video = kind if video is None else video
            if kind != video:
                raise StreamError("the program stream has two videos")
            start = _after_header(stream, at, end)
            pieces.append(Piece(start, end))
        elif kind != _SYSTEM:
            stream[at + 3] = _PADDING
            stream[at + 6 : end] = b"\xff" * (end - at - 6)
        at = end
    return pieces


def _after_pack(stream: bytearray, at: int) -> int:
    """Behind a pack header; its stuffing is made anew."""
    if stream[at + 4] & 0xF0 == 0x20:
        return at + 12
    if stream[at + 4] & 0xC0 != 0x40 or at + 14 > len(stream):
        raise StreamError("a pack header can't be read")
    end = at + 14 + (stream[at + 13] & 7)
    stream[at + 14 : end] = b"\xff" * (end - at - 14)
    return end


def _after_header(stream: bytearray, at: int, end: int) -> int:
    """Behind the header of a packet of MPEG-2, or of MPEG-1 (11172-1, 2.4.3.3)."""
    start = at + 6
    if stream[start] & 0xC0 == 0x80:
        return clean_pes_header(stream, at, end)
    first = start
    while start < end and stream[start] == 0xFF:
        start += 1
    if start - first > _MOST_STUFFING or start + 2 > end:
        raise StreamError("the header of a packet can't be read")
    if stream[start] & 0xC0 == 0x40:
        start += 2
    sizes = {0x20: 5, 0x30: 10, 0x00: 1}
    size = sizes.get(stream[start] & 0xF0)
    if size is None or start + size > end or (size == 1 and stream[start] != 0x0F):
        raise StreamError("the header of a packet can't be read")
    return start + size
