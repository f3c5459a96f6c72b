# SPDX-License-Identifier: Apache-2.0
"""Fragments of compressed pixel data and the tables that say where they are (PS3.5 section A.4)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

_ITEM = b"\xfe\xff\x00\xe0"
_OFFSETS, _LENGTHS, _TOTAL = 0x7FE00001, 0x7FE00002, 0x7FE00003


def items_of(value: bytes) -> Iterator[bytes]:
    """The items: the Basic Offset Table, then fragments.

    Raises
    ------
    ValueError, struct.error
        If they are none.
    """
    at = 0
    while at < len(value):
        length = struct.unpack_from("<I", value, at + 4)[0]
        if value[at : at + 4] != _ITEM or at + 8 + length > len(value):
            raise ValueError("no item")
        yield value[at + 8 : at + 8 + length]
        at += 8 + length


def encapsulated(items: Sequence[bytes]) -> bytes:
    """The items, each padded to an even length."""
    parts = []
    for item in items:
        padded = item + b"\0" * (len(item) & 1)
        parts.append(_ITEM + struct.pack("<I", len(padded)) + padded)
    return b"".join(parts)


def is_offset_table(table: bytes, fragments: Sequence[bytes]) -> bool:
    """Whether a Basic Offset Table is empty, or says where fragments begin and nothing else."""
    return not table or _are_starts(table, 4, fragments)


def describes(tag: int, table: bytes | memoryview, pixels: bytes | memoryview) -> bool:
    """Whether an Extended Offset Table, its lengths, or the total length is true of fragments.

    What is not true of them is no table: it may be anything.

    Parameters
    ----------
    tag:
        (7FE0,0001), (7FE0,0002) or (7FE0,0003).
    table:
        Its value.
    pixels:
        The encapsulated pixel data.
    """
    try:
        fragments = list(items_of(bytes(pixels)))[1:]
    except (ValueError, struct.error):
        return False
    if tag == _OFFSETS:
        return _are_starts(bytes(table), 8, fragments)
    values = [one for (one,) in struct.iter_unpack("<Q", table)] if len(table) % 8 == 0 else []
    if tag == _LENGTHS:
        fits = (len(one) - given in (0, 1) for one, given in zip(fragments, values, strict=False))
        return len(values) == len(fragments) and all(fits)
    total = sum(map(len, fragments))
    return tag == _TOTAL and len(values) == 1 and 0 <= total - values[0] <= len(fragments)


def _are_starts(table: bytes, size: int, fragments: Sequence[bytes]) -> bool:
    if not table or len(table) % size:
        return False
    told = [int.from_bytes(table[at : at + size], "little") for at in range(0, len(table), size)]
    starts, at = set(), 0
    for fragment in fragments:
        starts.add(at)
        at += 8 + len(fragment)
    return told[0] == 0 and told == sorted(set(told)) and starts.issuperset(told)
