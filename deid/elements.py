# SPDX-License-Identifier: Apache-2.0
"""Data elements on their way out, and their encoding (PS3.5 chapter 7)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

from deid.errors import DeidentificationError

UNDEFINED_LENGTH = 0xFFFFFFFF
_LONG_LENGTH = frozenset(
    {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
)
_SPACE_PADDED = frozenset(
    {
        "AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UR",
        "UT",
    }
)  # fmt: skip
_SEQUENCE_DELIMITER = 0xFFFEE0DD


class Element(NamedTuple):
    """One data element.

    Attributes
    ----------
    tag:
        Group and element number.
    vr:
        Value Representation of PS3.5 section 6.2.
    value:
        The value field, in the byte order of the data set; for a sequence its encoded items.
    encapsulated:
        Whether the value is fragments of undefined total length (PS3.5 section A.4).
    """

    tag: int
    vr: str
    value: bytes | memoryview
    encapsulated: bool = False


class Encoding:
    """Explicit or implicit VR, in one byte order."""

    def __init__(self, implicit: bool, little_endian: bool) -> None:
        self.implicit = implicit
        self.little_endian = little_endian
        order = "<" if little_endian else ">"
        self._tag = struct.Struct(order + "HH").pack
        self._implicit = struct.Struct(order + "HHI").pack
        self._short = struct.Struct(order + "HH2sH").pack
        self._long = struct.Struct(order + "HH2sHI").pack

    def encode(self, elements: Iterable[Element]) -> list[bytes | memoryview]:
        """The bytes of the elements, in the order given, as chunks."""
        chunks: list[bytes | memoryview] = []
        for element in elements:
            value = element.value
            chunks.append(self._head(element))
            chunks.append(value)
            if len(value) & 1:
                chunks.append(b" " if element.vr in _SPACE_PADDED else b"\0")
            if element.encapsulated:
                chunks.append(
                    self._implicit(_SEQUENCE_DELIMITER >> 16, _SEQUENCE_DELIMITER & 0xFFFF, 0)
                )
        return chunks

    def items(self, items: Iterable[Iterable[Element]]) -> bytes:
        """The items of a sequence, each with its length."""
        chunks: list[bytes | memoryview] = []
        for item in items:
            content = self.encode(item)
            chunks.append(self._implicit(0xFFFE, 0xE000, sum(map(len, content))))
            chunks.extend(content)
        return b"".join(chunks)

    def _head(self, element: Element) -> bytes:
        tag, vr, value, encapsulated = element
        group, number = tag >> 16, tag & 0xFFFF
        length = len(value) + 1 & ~1
        if encapsulated:
            length = UNDEFINED_LENGTH
        elif length >= UNDEFINED_LENGTH:
            raise DeidentificationError(
                f"({group:04X},{number:04X}) is too long for a data element"
            )
        if self.implicit:
            return self._implicit(group, number, length)
        if vr in _LONG_LENGTH:
            return self._long(group, number, vr.encode(), 0, length)
        if length > 0xFFFF:
            # PS3.5 section 6.2.2: a value too long for its VR's length field travels as UN.
            return self._long(group, number, b"UN", 0, length)
        return self._short(group, number, vr.encode(), length)
