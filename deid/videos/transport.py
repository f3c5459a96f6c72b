# SPDX-License-Identifier: Apache-2.0
"""MPEG-2 transport streams (ISO/IEC 13818-1, 2.4): one video goes on, all else becomes nothing.

Packets stay where they are. Those of sound, service names, captions and of what nobody knows become
null packets; the two tables are made anew for the one video; of headers times of presentation stay.
"""

from __future__ import annotations

from typing import NamedTuple

from deid.videos.elementary import Piece, clean_pes_header
from deid.videos.errors import StreamError
from deid.videos.syntaxes import Codec

PACKET = 188
_SYNC, _NULL = 0x47, 0x1FFF
_TYPES = {0x01: Codec.MPEG_2, 0x02: Codec.MPEG_2, 0x1B: Codec.H_264, 0x24: Codec.HEVC}
_STREAM_TYPE = {Codec.MPEG_2: 0x02, Codec.H_264: 0x1B, Codec.HEVC: 0x24}
_PCR, _KEPT_FLAGS = 0x10, 0xF0


class _Program(NamedTuple):
    table: int
    video: int
    clock: int
    codec: Codec


def is_transport(stream: bytes | bytearray) -> bool:
    """Whether packets of 188 bytes begin with the sync byte."""
    first = range(0, min(len(stream), 5 * PACKET) - PACKET + 1, PACKET)
    return len(first) > 0 and all(stream[at] == _SYNC for at in first)


def clean_transport(stream: bytearray, codec: Codec) -> list[Piece]:
    """Clean the packets in place, and say where the coded video lies in them.

    Raises
    ------
    StreamError
        If there is not one program with one video of the codec, or packets are damaged or
        scrambled.
    """
    end = len(stream) - len(stream) % PACKET
    stream[end:] = bytes(len(stream) - end)
    packets = range(0, end, PACKET)
    if any(stream[at] != _SYNC for at in packets):
        raise StreamError("a packet of the transport stream has no sync byte")
    program = _program(stream, packets, codec)
    pieces: list[Piece] = []
    for at in packets:
        number = _pid(stream, at)
        if number == program.video:
            pieces += _clean_video(stream, at)
        elif number in (0, program.table):
            _put_table(stream, at, program)
        elif number == program.clock:
            _clean_clock(stream, at)
        else:
            _make_null(stream, at)
    return pieces


def _pid(stream: bytearray, at: int) -> int:
    return (stream[at + 1] & 0x1F) << 8 | stream[at + 2]


def _begins(stream: bytearray, at: int) -> bool:
    return bool(stream[at + 1] & 0x40)


def _payload(stream: bytearray, at: int) -> int:
    """Where the payload of a packet begins; its end where it has none."""
    if stream[at + 3] & 0xC0:
        raise StreamError("the transport stream is scrambled")
    control = stream[at + 3] >> 4 & 3
    if control == 1:
        return at + 4
    start = at + 5 + stream[at + 4]
    if start > at + PACKET or control == 0:
        raise StreamError("an adaptation field ends beyond its packet")
    return start if control == 3 else at + PACKET


def _section(stream: bytearray, at: int) -> bytes:
    """The first section of a packet that begins one, without its checksum."""
    start = _payload(stream, at)
    start += 1 + stream[start]
    size = (stream[start + 1] & 0x0F) << 8 | stream[start + 2]
    if start + 3 + size > at + PACKET or size < 9:
        raise StreamError("a table of the transport stream is spread over packets")
    return bytes(stream[start : start + size - 1])


def _program(stream: bytearray, packets: range, codec: Codec) -> _Program:
    tables = {
        (entry[2] & 0x1F) << 8 | entry[3]
        for at in packets
        if _pid(stream, at) == 0 and _begins(stream, at)
        for entry in _entries(_section(stream, at)[8:])
        if entry[0] or entry[1]
    }
    if len(tables) != 1:
        raise StreamError("the transport stream has not one program")
    table = tables.pop()
    found = {
        video
        for at in packets
        if _pid(stream, at) == table and _begins(stream, at)
        for video in _videos(_section(stream, at))
    }
    if len(found) != 1:
        raise StreamError("the program has not one video")
    kind, video, clock = found.pop()
    if _TYPES[kind] is not codec:
        raise StreamError("the video is coded otherwise than the transfer syntax says")
    return _Program(table, video, clock, codec)


def _entries(section: bytes) -> list[bytes]:
    return [section[at : at + 4] for at in range(0, len(section) - 3, 4)]


def _videos(section: bytes) -> list[tuple[int, int, int]]:
    """Type and packet number of each video of a program map, and that of its clock."""
    clock = (section[8] & 0x1F) << 8 | section[9]
    at = 12 + ((section[10] & 0x0F) << 8 | section[11])
    found = []
    while at + 5 <= len(section):
        kind, number = section[at], (section[at + 1] & 0x1F) << 8 | section[at + 2]
        at += 5 + ((section[at + 3] & 0x0F) << 8 | section[at + 4])
        if kind in _TYPES:
            found.append((kind, number, clock))
    return found


def _put_table(stream: bytearray, at: int, program: _Program) -> None:
    """One program, one video, no descriptor."""
    number = _pid(stream, at)
    if not _begins(stream, at):
        _make_null(stream, at)
        return
    if number == 0:
        body = bytes((0, 1, 0xC1, 0, 0, 0, 1)) + _as_pid(program.table)
        section = bytes((0x00, 0xB0, len(body) + 4)) + body
    else:
        body = bytes((0, 1, 0xC1, 0, 0)) + _as_pid(program.clock) + b"\xf0\0"
        body += bytes((_STREAM_TYPE[program.codec],)) + _as_pid(program.video) + b"\xf0\0"
        section = bytes((0x02, 0xB0, len(body) + 4)) + body
    section += _checksum(section).to_bytes(4, "big")
    head = bytes(stream[at : at + 3]) + bytes((0x10 | stream[at + 3] & 0x0F, 0))
    stream[at : at + PACKET] = (head + section).ljust(PACKET, b"\xff")


def _as_pid(number: int) -> bytes:
    return (0xE000 | number).to_bytes(2, "big")


def _checksum(section: bytes) -> int:
    """CRC-32 of annex A."""
    value = 0xFFFFFFFF
    for byte in section:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value


def _make_null(stream: bytearray, at: int) -> None:
    head = bytes((_SYNC, _NULL >> 8, _NULL & 0xFF, 0x10))
    stream[at : at + PACKET] = head.ljust(PACKET, b"\xff")


def _clean_adaptation(stream: bytearray, at: int) -> None:
    """Keep clock and random access; private data and what else may follow becomes stuffing."""
    if not stream[at + 3] & 0x20 or not stream[at + 4]:
        return
    end = at + 5 + stream[at + 4]
    flags = stream[at + 5] & _KEPT_FLAGS
    stream[at + 5] = flags
    kept = at + 6 + (6 if flags & _PCR else 0)
    if kept > end or end > at + PACKET:
        raise StreamError("an adaptation field ends too early")
    stream[kept:end] = b"\xff" * (end - kept)


def _clean_clock(stream: bytearray, at: int) -> None:
    """A packet that only tells the time: its payload becomes stuffing."""
    if not stream[at + 3] & 0x20 or stream[at + 4] < 7 or not stream[at + 5] & _PCR:
        _make_null(stream, at)
        return
    _clean_adaptation(stream, at)
    end = at + 5 + stream[at + 4]
    stream[end : at + PACKET] = b"\xff" * (at + PACKET - end)
    stream[at + 1] &= 0x1F
    stream[at + 3] = 0x20 | stream[at + 3] & 0x0F
    stream[at + 4] = PACKET - 5


def _clean_video(stream: bytearray, at: int) -> list[Piece]:
    start, end = _payload(stream, at), at + PACKET
    _clean_adaptation(stream, at)
    if start >= end:
        return []
    if _begins(stream, at):
        start = clean_pes_header(stream, start, end)
    return [Piece(start, end)] if start < end else []
