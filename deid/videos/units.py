# SPDX-License-Identifier: Apache-2.0
"""Takes from coded video what is no picture: user data, time codes, filler, what nobody defines.

Nothing moves: what goes becomes zero bytes where the syntax has room for them (between start
codes), or filler of the same length where lengths are told. Coded pictures stay bit by bit.

- MPEG-2 video (ISO/IEC 13818-2, 6.2): user data, copyright extension, reserved codes; the time of
  day in the header of a group of pictures becomes zero;
- H.264 (ISO/IEC 14496-10, 7.3) and HEVC (ISO/IEC 23008-2, 7.3): supplemental enhancement
  information but for recovery points and buffering, auxiliary pictures, reserved and unspecified
  units.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from deid.videos.errors import StreamError
from deid.videos.syntaxes import Codec

_START = b"\0\0\1"
_PICTURE, _SEQUENCE, _EXTENSION, _END, _GROUP = 0x00, 0xB3, 0xB5, 0xB7, 0xB8
_MPEG_2_KEPT = frozenset((_PICTURE, *range(0x01, 0xB0), _SEQUENCE, _EXTENSION, _END, _GROUP))
_EXTENSIONS_KEPT = frozenset((1, 2, 3, 7, 8))
"""Sequence, sequence display, quantization matrix, picture display, picture coding."""
_H_264_KEPT = frozenset((1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 13, 14, 15, 20))
_HEVC_KEPT = frozenset((*range(10), *range(16, 22), *range(32, 38)))
_SEI = {Codec.H_264: frozenset({6}), Codec.HEVC: frozenset({39, 40})}
_MESSAGES_KEPT = {Codec.H_264: frozenset({0, 6, 45}), Codec.HEVC: frozenset({0, 6, 45, 129})}
"""Buffering period, recovery point, frame packing, active parameter sets."""
_FILLER = {Codec.H_264: b"\x0c", Codec.HEVC: b"\x4c\x01"}
_HEADER = {Codec.H_264: 1, Codec.HEVC: 2}
_STARTS = re.compile(b"\0\0\1", re.DOTALL)


def clean_start_codes(stream: bytearray, codec: Codec) -> bool:
    """Clean a stream in which start codes part the units; whether anything was changed.

    Raises
    ------
    StreamError
        If it has no picture of the codec.
    """
    keeps: Callable[[bytes], bool] = _keeps_mpeg_2 if codec is Codec.MPEG_2 else _keeper(codec)
    changed = pictures = sequences = 0
    for start, end in _units(stream):
        unit = bytes(stream[start + 3 : end])
        if not keeps(unit):
            stream[start:end] = bytes(end - start)
            changed += 1
        elif codec is Codec.MPEG_2 and unit[0] == _GROUP:
            changed += _without_time(stream, start + 4)
        else:
            pictures += is_picture(unit, codec)
            sequences += _is_sequence(unit, codec)
    if not pictures or not sequences:
        raise StreamError("the stream has no picture of the codec that the transfer syntax names")
    return changed > 0


def clean_sample(sample: bytearray, codec: Codec, length_size: int) -> int:
    """Clean a sample of an MP4 file, in which each unit follows its length (ISO/IEC 14496-15).

    Returns how many of its units belong to a picture.
    """
    at = pictures = 0
    keeps = _keeper(codec)
    while at + length_size <= len(sample):
        length = int.from_bytes(sample[at : at + length_size], "big")
        start, at = at + length_size, at + length_size + length
        if at > len(sample) or length == 0:
            raise StreamError("a unit ends beyond its sample")
        unit = bytes(sample[start:at])
        if keeps(unit):
            pictures += is_picture(unit, codec)
        else:
            sample[start:at] = filler(codec, length)
    if at != len(sample):
        raise StreamError("bytes are left behind the units of a sample")
    return pictures


def filler(codec: Codec, length: int) -> bytes:
    """A unit of filler data of a length (7.3.2.7 of H.264, 7.3.2.8 of HEVC)."""
    head = _FILLER[codec]
    if length <= len(head):
        return head[:length]
    return head + b"\xff" * (length - len(head) - 1) + b"\x80"


def is_picture(unit: bytes, codec: Codec) -> bool:
    """Whether a unit codes part of a picture."""
    if codec is Codec.MPEG_2:
        return unit[0] == _PICTURE
    kind = _kind(unit, codec)
    return 1 <= kind <= 5 if codec is Codec.H_264 else kind < 32


def _is_sequence(unit: bytes, codec: Codec) -> bool:
    """Whether it says how a sequence is coded; without one nothing can be decoded."""
    if codec is Codec.MPEG_2:
        return unit[0] == _SEQUENCE
    return _kind(unit, codec) == (7 if codec is Codec.H_264 else 33)


def _units(stream: bytearray) -> Iterator[tuple[int, int]]:
    """Where units begin, with their start codes, and end."""
    starts = [match.start() for match in _STARTS.finditer(bytes(stream))]
    if not starts:
        raise StreamError("the stream has no start code")
    if any(stream[: starts[0]]):
        raise StreamError("bytes stand before the first start code")
    yield from zip(starts, [*starts[1:], len(stream)], strict=True)


def _keeps_mpeg_2(unit: bytes) -> bool:
    if not unit or unit[0] not in _MPEG_2_KEPT:
        return False
    return unit[0] != _EXTENSION or (len(unit) > 1 and unit[1] >> 4 in _EXTENSIONS_KEPT)


def _without_time(stream: bytearray, at: int) -> bool:
    """Set the time code of a group of pictures to zero; its marker bit stays (6.2.2.6)."""
    if len(stream) < at + 4:
        raise StreamError("a group of pictures ends too early")
    before = bytes(stream[at : at + 4])
    stream[at : at + 4] = bytes((0x00, 0x08, 0x00, before[3] & 0x7F))
    return bytes(stream[at : at + 4]) != before


def _keeper(codec: Codec) -> Callable[[bytes], bool]:
    kept = _H_264_KEPT if codec is Codec.H_264 else _HEVC_KEPT

    def keeps(unit: bytes) -> bool:
        unit = unit.rstrip(b"\0")
        if len(unit) < _HEADER[codec] or unit[0] & 0x80:
            return False
        if codec is Codec.HEVC and (unit[0] & 1 or unit[1] >> 3):
            # Another layer: a depth map, an alpha channel, a picture that nobody shows.
            return False
        kind = _kind(unit, codec)
        if kind in _SEI[codec]:
            return _MESSAGES_KEPT[codec].issuperset(_messages(unit[_HEADER[codec] :]))
        return kind in kept

    return keeps


def _kind(unit: bytes, codec: Codec) -> int:
    return unit[0] & 0x1F if codec is Codec.H_264 else unit[0] >> 1 & 0x3F


def _messages(payload: bytes) -> list[int]:
    """Types of the messages of supplemental enhancement information; -1 where one is cut off."""
    data = payload.replace(b"\0\0\3", b"\0\0").rstrip(b"\0")
    kinds: list[int] = []
    at = 0
    while at < len(data) - 1:
        kind, at = _number(data, at)
        size, at = _number(data, at)
        at += size
        kinds.append(kind if at < len(data) else -1)
    return kinds or [-1]


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number of 255s and a last byte, and where it ends."""
    value = 0
    while at < len(data) and data[at] == 0xFF:
        value, at = value + 255, at + 1
    return value + (data[at] if at < len(data) else 0), at + 1
