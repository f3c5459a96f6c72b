# SPDX-License-Identifier: Apache-2.0
"""MP4 files (ISO/IEC 14496-12): the samples of one video go on, all else becomes free space.

Nothing moves, so no table of places has to change. Boxes that are not on the list become ``free``
and zero: user data, metadata, other tracks with their sound, subtitles and time codes. Times of
creation become zero, names empty. What lies in the file outside of the video's samples is zero.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from deid.videos.errors import StreamError
from deid.videos.sample_tables import SampleTables
from deid.videos.syntaxes import Codec
from deid.videos.units import clean_sample

_CONTAINERS = {
    b"moov": frozenset({b"mvhd", b"trak"}),
    b"trak": frozenset({b"tkhd", b"edts", b"mdia"}),
    b"edts": frozenset({b"elst"}),
    b"mdia": frozenset({b"mdhd", b"hdlr", b"minf"}),
    b"minf": frozenset({b"vmhd", b"dinf", b"stbl"}),
    b"dinf": frozenset({b"dref"}),
    b"stbl": frozenset(
        {b"stsd", b"stts", b"ctts", b"stss", b"stsc", b"stsz", b"stco", b"co64", b"sdtp", b"cslg"}
    ),
}
"""The boxes that stay, by the box that they are in."""
_TOP = frozenset({b"ftyp", b"moov", b"mdat"})
_BRANDS = frozenset(
    {b"isom", b"iso2", b"iso3", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"hvc1"}
)
_ENTRIES = {b"avc1": Codec.H_264, b"avc3": Codec.H_264, b"hvc1": Codec.HEVC, b"hev1": Codec.HEVC}
_ENTRY_HEAD = 86
"""Bytes of a visual sample entry before its boxes (12.1.3)."""
_ENTRY_BOXES = frozenset({b"avcC", b"hvcC", b"pasp", b"btrt", b"clap", b"fiel"})
_UNDETERMINED = b"\x55\xc4"
"""The language ``und``."""
_PARAMETER_SETS = frozenset({32, 33, 34})


class _Box(NamedTuple):
    kind: bytes
    start: int
    body: int
    end: int


def is_mp4(stream: bytes | bytearray) -> bool:
    """Whether it begins as an MP4 file does."""
    return bytes(stream[4:8]) in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide")


def clean_mp4(stream: bytearray, codec: Codec) -> None:
    """Clean the file in place.

    Raises
    ------
    StreamError
        If there is not one video of the codec, if it is fragmented, refers to other files, or a box
        can't be read.
    """
    top = list(_boxes(stream, 0, len(stream)))
    movies = [box for box in top if box.kind == b"moov"]
    if len(movies) != 1:
        raise StreamError("the MP4 file has not one movie, or is fragmented")
    for box in top:
        if box.kind not in _TOP:
            _free(stream, box)
        elif box.kind == b"ftyp":
            _clean_brands(stream, box)
    _drop_tracks(stream, movies[0])
    _clean_container(stream, movies[0])
    table = _only(stream, movies[0], b"trak", b"mdia", b"minf", b"stbl")
    length_size = _clean_entry(stream, _inside(stream, table, b"stsd"), codec)
    places = SampleTables.read(
        {
            box.kind: bytes(stream[box.body : box.end])
            for box in _boxes(stream, table.body, table.end)
        }
    ).places()
    _clean_samples(stream, places, codec, length_size)
    _clear_outside(stream, places, [box for box in top if box.kind == b"mdat"])


def _boxes(stream: bytearray, at: int, end: int) -> Iterator[_Box]:
    while end - at >= 8:
        size, kind = struct.unpack_from(">I4s", stream, at)
        head = 8
        if size == 1 and end - at >= 16:
            size, head = struct.unpack_from(">Q", stream, at + 8)[0], 16
        elif size == 0 and any(kind):
            size = end - at
        if kind in (b"moof", b"mvex") or not head <= size <= end - at:
            if not any(stream[at:end]):
                return
            raise StreamError("a box of the MP4 file can't be read, or it is fragmented")
        yield _Box(kind, at, at + head, at + size)
        at += size
    stream[at:end] = bytes(end - at)


def _free(stream: bytearray, box: _Box) -> None:
    stream[box.start + 4 : box.start + 8] = b"free"
    stream[box.body : box.end] = bytes(box.end - box.body)


def _clean_brands(stream: bytearray, box: _Box) -> None:
    stream[box.body + 4 : box.body + 8] = bytes(4)
    for at in (box.body, *range(box.body + 8, box.end - 3, 4)):
        if bytes(stream[at : at + 4]) not in _BRANDS:
            stream[at : at + 4] = b"isom"


def _drop_tracks(stream: bytearray, movie: _Box) -> None:
    """All tracks but those of video become free space."""
    videos = 0
    for box in _boxes(stream, movie.body, movie.end):
        if box.kind != b"trak":
            continue
        handler = _only(stream, box, b"mdia", b"hdlr")
        if bytes(stream[handler.body + 8 : handler.body + 12]) == b"vide":
            videos += 1
        else:
            _free(stream, box)
    if videos != 1:
        raise StreamError("the MP4 file has not one video")


def _only(stream: bytearray, box: _Box, *path: bytes) -> _Box:
    for kind in path:
        box = _inside(stream, box, kind)
    return box


def _inside(stream: bytearray, box: _Box, kind: bytes) -> _Box:
    found = [one for one in _boxes(stream, box.body, box.end) if one.kind == kind]
    if len(found) != 1:
        raise StreamError("the MP4 file lacks a box, or has it twice")
    return found[0]


def _clean_container(stream: bytearray, container: _Box) -> None:
    known = _CONTAINERS[container.kind]
    for box in _boxes(stream, container.body, container.end):
        if box.kind not in known:
            _free(stream, box)
        elif box.kind in _CONTAINERS:
            _clean_container(stream, box)
        else:
            _clean_leaf(stream, box)


def _clean_leaf(stream: bytearray, box: _Box) -> None:
    body, end = box.body, box.end
    if box.kind in (b"mvhd", b"tkhd", b"mdhd"):
        times = 16 if stream[body] else 8
        stream[body + 4 : body + 4 + times] = bytes(times)
        if box.kind == b"mdhd":
            stream[end - 4 : end] = _UNDETERMINED + bytes(2)
    elif box.kind == b"hdlr":
        # Pre-defined, handler, three reserved words, name (8.4.3).
        stream[body : body + 8] = bytes(8)
        stream[body + 12 : end] = bytes(end - body - 12)
    elif box.kind == b"dref":
        entries = list(_boxes(stream, body + 8, end))
        if any(one.end - one.body != 4 or stream[one.body + 3] != 1 for one in entries):
            raise StreamError("the MP4 file refers to another file")


def _clean_entry(stream: bytearray, box: _Box, codec: Codec) -> int:
    """Clean the description of the samples; how many bytes tell a unit's length."""
    entries = list(_boxes(stream, box.body + 8, box.end))
    if len(entries) != 1 or _ENTRIES.get(entries[0].kind) is not codec:
        raise StreamError("the video is coded otherwise than the transfer syntax says")
    start = entries[0].start
    stream[start + 16 : start + 32] = bytes(16)  # pre-defined, and a vendor's name
    stream[start + 50 : start + 82] = bytes(32)  # the compressor's name
    length_size = 0
    for inner in _boxes(stream, start + _ENTRY_HEAD, entries[0].end):
        if inner.kind not in _ENTRY_BOXES and not _is_plain_colour(stream, inner):
            _free(stream, inner)
        elif inner.kind == b"avcC":
            length_size = (stream[inner.body + 4] & 3) + 1
        elif inner.kind == b"hvcC":
            length_size = (stream[inner.body + 21] & 3) + 1
            _clean_parameter_sets(stream, inner)
    if not length_size:
        raise StreamError("the description of the video's samples lacks its parameter sets")
    return length_size


def _is_plain_colour(stream: bytearray, box: _Box) -> bool:
    """Colour by numbers; a profile has texts."""
    return box.kind == b"colr" and bytes(stream[box.body : box.body + 4]) in (b"nclx", b"nclc")


def _clean_parameter_sets(stream: bytearray, box: _Box) -> None:
    """Of an HEVC configuration only parameter sets; the room of others becomes a free box."""
    at = box.body + 23
    kept, arrays = b"", 0
    for _ in range(stream[box.body + 22]):
        start = at
        count = int.from_bytes(stream[at + 1 : at + 3], "big")
        at += 3
        for _ in range(count):
            at += 2 + int.from_bytes(stream[at : at + 2], "big")
        if at > box.end:
            raise StreamError("a parameter set ends beyond its box")
        if stream[start] & 0x3F in _PARAMETER_SETS:
            kept, arrays = kept + bytes(stream[start:at]), arrays + 1
    room = box.end - (box.body + 23 + len(kept))
    if 0 < room < 8:
        raise StreamError("bytes are left behind the parameter sets")
    stream[box.body + 22] = arrays
    spare = struct.pack(">I4s", room, b"free") + bytes(room - 8) if room else b""
    stream[box.body + 23 : box.end] = kept + spare
    stream[box.start : box.start + 4] = (box.end - room - box.start).to_bytes(4, "big")


def _clean_samples(
    stream: bytearray, places: list[tuple[int, int]], codec: Codec, length_size: int
) -> None:
    pictures = 0
    for start, end in places:
        if end > len(stream):
            raise StreamError("a sample ends beyond the file")
        sample = stream[start:end]
        pictures += clean_sample(sample, codec, length_size)
        stream[start:end] = sample
    if not pictures:
        raise StreamError("the video has no picture")


def _clear_outside(stream: bytearray, places: list[tuple[int, int]], media: list[_Box]) -> None:
    """Zero what no sample of the video holds; samples lie in the media data alone."""
    ordered = sorted(places)
    if not all(any(box.body <= s and e <= box.end for box in media) for s, e in ordered):
        raise StreamError("a sample lies outside of the media data")
    for box in media:
        at = box.body
        for start, end in ordered:
            if box.body <= start < box.end:
                if start > at:
                    stream[at:start] = bytes(start - at)
                at = max(at, end)
        stream[at : box.end] = bytes(box.end - at)
