# SPDX-License-Identifier: Apache-2.0
"""Colour profiles (ICC.1): what computes colours stays, what somebody wrote goes.

Descriptions, copyrights and names of devices stand in profiles as ASCII and as UTF-16; dates,
makers and serial numbers in their headers. Readers need a description and a copyright, and get
empty ones.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

_SIGNATURE = b"acsp"
_HEAD, _ENTRY, _MOST_TAGS = 128, 12, 100
# ICC.1:2022 section 9.2: curves, matrices, tables, white point and how they are to be used.
_COMPUTING = frozenset(
    {b"A2B0", b"A2B1", b"A2B2", b"B2A0", b"B2A1", b"B2A2", b"D2B0", b"D2B1", b"D2B2", b"D2B3",
     b"B2D0", b"B2D1", b"B2D2", b"B2D3", b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC",
     b"kTRC", b"wtpt", b"bkpt", b"chad", b"lumi", b"gamt", b"chrm", b"cicp", b"tech", b"meas",
     b"view", b"pre0", b"pre1", b"pre2"}
)  # fmt: skip
_TYPES = frozenset(
    {b"curv", b"para", b"XYZ ", b"sf32", b"mft1", b"mft2", b"mAB ", b"mBA ", b"mpet", b"chrm",
     b"cicp", b"sig ", b"meas", b"view"}
)  # fmt: skip
_FIXED_SIZES = {b"XYZ ": 20, b"sig ": 12, b"cicp": 12, b"meas": 36, b"view": 36}
# Empty texts of version 2: ASCII, no Unicode, no script code; and of version 4.
_OLD_DESCRIPTION = b"desc" + bytes(4) + b"\0\0\0\1" + bytes(1 + 8 + 3 + 67)
_OLD_COPYRIGHT = b"text" + bytes(5)
_NEW_TEXT = b"mluc" + bytes(4) + struct.pack(">2I", 0, 12)
# Of the header: size, version, class, colour spaces, intent and illuminant; not who, when and what.
_KEPT = ((8, 24), (36, 44), (64, 80))


def cleaned_profile(profile: bytes) -> bytes | None:
    """A profile with nothing but what computes colours; ``None`` where it is none.

    Parameters
    ----------
    profile:
        The value of ICC Profile (0028,2000).
    """
    if profile[36:40] != _SIGNATURE or len(profile) < _HEAD + 4:
        return None
    count = struct.unpack_from(">I", profile, _HEAD)[0]
    if count > _MOST_TAGS or len(profile) < _HEAD + 4 + count * _ENTRY:
        return None
    kept: dict[bytes, bytes] = {}
    for at in range(count):
        name, offset, size = struct.unpack_from(">4s2I", profile, _HEAD + 4 + at * _ENTRY)
        data = profile[offset : offset + size]
        if name in _COMPUTING and data[:4] in _TYPES and len(data) == size:
            kept[name] = data[: _size(data)]
    if not kept:
        return None
    old = profile[8] < 4
    kept[b"desc"] = _OLD_DESCRIPTION if old else _NEW_TEXT
    kept[b"cprt"] = _OLD_COPYRIGHT if old else _NEW_TEXT
    return _written(profile, list(kept.items()))


def _size(data: bytes) -> int:
    """Bytes of a tag that its type says are used."""
    if data[:4] == b"curv":
        return 12 + 2 * int(struct.unpack_from(">I", data, 8)[0]) if len(data) >= 12 else 0
    return _FIXED_SIZES.get(data[:4], len(data))


def _written(profile: bytes, tags: Sequence[tuple[bytes, bytes]]) -> bytes:
    entries, data = [], b""
    places: dict[bytes, int] = {}
    start = _HEAD + 4 + len(tags) * _ENTRY
    for name, content in tags:
        if content not in places:
            places[content] = start + len(data)
            data += content + bytes(-len(content) % 4)
        entries.append(struct.pack(">4s2I", name, places[content], len(content)))
    head = bytearray(_HEAD)
    for first, end in _KEPT:
        head[first:end] = profile[first:end]
    struct.pack_into(">I", head, 0, start + len(data))
    # 1 January 2000, 00:00:00: a date has to be one.
    struct.pack_into(">6H", head, 24, 2000, 1, 1, 0, 0, 0)
    return bytes(head) + struct.pack(">I", len(tags)) + b"".join(entries) + data
