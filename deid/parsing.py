# SPDX-License-Identifier: Apache-2.0
"""Data sets to raw elements (PS3.5 chapter 7), trusting nothing and converting nothing.

Values stay bytes, so that no message of any library can quote one. Files in the wild are read
leniently where they are wrong and their sense is plain: elements without a valid VR are implicit, a
UN of undefined length is a sequence, an item may be implicit in an explicit file.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from deid.elements import UNDEFINED_LENGTH
from deid.errors import NestingTooDeepError, TruncatedFileError

DEEPEST = 32
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_SHORT = {
    vr: vr.decode("ascii")
    for vr in b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()
}
_LONG = {
    vr: vr.decode("ascii") for vr in b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split()
}  # fmt: skip
_NAMES = _SHORT | _LONG
_LARGE = 0xFFFF
_ENDS_INSIDE = "the file ends inside a data element: send it again"


class MalformedError(Exception):
    """Bytes that are no data elements; stays inside the package."""


class RawElement:
    """One data element as it was read.

    Attributes
    ----------
    vr:
        Value Representation, ``None`` where it is implicit.
    value:
        The value field; of encapsulated pixel data the fragments, of a sequence of undefined length
        nothing.
    encapsulated:
        Whether the value is fragments (PS3.5 section A.4).
    """

    __slots__ = ("_implicit", "_items", "_little_endian", "encapsulated", "value", "vr")

    def __init__(
        self, vr: str | None, value: bytes | memoryview, implicit: bool, little_endian: bool
    ) -> None:
        self.vr = vr
        self.value = value
        self.encapsulated = False
        self._implicit = implicit
        self._little_endian = little_endian
        self._items: list[RawDataSet] | None = None

    @property
    def items(self) -> list[RawDataSet]:
        """The items of a sequence, also of one that travels as UN (PS3.5 section 6.2.2).

        Raises
        ------
        MalformedError
            Where the value is no sequence of items.
        """
        if self._items is None:
            unknown = self.vr == "UN"
            parser = _Parser(
                bytes(self.value),
                unknown or self._implicit,
                unknown or self._little_endian,
            )
            try:
                self._items = parser.items(0, len(self.value), 0)[0]
            except TruncatedFileError:
                raise MalformedError("items end too early") from None
        return self._items

    @property
    def unsigned_shorts(self) -> tuple[int, ...]:
        """The value as numbers of two bytes (VR US)."""
        count = len(self.value) // 2
        order = "<" if self._little_endian else ">"
        return struct.unpack_from(f"{order}{count}H", self.value)

    @property
    def has_items(self) -> bool:
        """Whether items are all that is known of the value: its length was undefined."""
        return self._items is not None and not self.value

    def hold(self, items: list[RawDataSet]) -> None:
        """Keep the items that had to be read to find the end of the sequence."""
        self._items = items


class RawDataSet(dict[int, RawElement]):
    """Elements by tag, in the order of the file; of several with one tag the last.

    Attributes
    ----------
    repeated:
        Those before the last, which leave nowhere, and whose names and numbers identify no less.
    """

    repeated: tuple[tuple[int, RawElement], ...] = ()

    def text(self, tag: int) -> str:
        """The value of an element as text without padding, ``""`` where there is none.

        Bytes that are not ASCII are read as Latin-1: equal bytes give equal text.
        """
        element = self.get(tag)
        return "" if element is None else bytes(element.value).decode("latin-1").strip(" \0")


def parsed(
    content: bytes,
    start: int,
    encoding: tuple[bool, bool],
    stop: Callable[[int], bool] | None = None,
    asked_from: int = 0,
) -> tuple[RawDataSet, int]:
    """Read the elements of a data set.

    Parameters
    ----------
    content:
        The file.
    start:
        Where the data set begins.
    encoding:
        Whether the VR is implicit, and whether the byte order is little endian.
    stop:
        Asked before each element; reading ends where it says so.
    asked_from:
        The tag with which the questions begin: of what comes before one that is not lower, most
        often the whole header, nobody is asked.

    Returns
    -------
    RawDataSet, int
        The elements, and where reading ended.

    Raises
    ------
    TruncatedFileError
        If the content ends inside an element.
    MalformedError
        If it holds something else than elements.
    NestingTooDeepError
        If sequences of undefined length are nested more than 32 deep.
    """
    return _Parser(content, *encoding).elements(start, len(content), 0, stop, asked_from)


def looks_explicit(content: bytes, position: int) -> bool:
    """Whether the element at a position has a Value Representation."""
    return content[position + 4 : position + 6] in _NAMES


class _Parser:
    """Reads from one buffer in one encoding."""

    def __init__(self, buffer: bytes, implicit: bool, little_endian: bool) -> None:
        self._buffer = buffer
        self._implicit = implicit
        self._little_endian = little_endian
        order = "<" if little_endian else ">"
        self._tag = struct.Struct(order + "HH").unpack_from
        # Tag, VR and length of what has a short length field: nearly all elements of a header.
        self._short_head = struct.Struct(order + "HH2sH").unpack_from
        self._short: dict[bytes, str] = {} if implicit else _SHORT
        self._length_2 = struct.Struct(order + "H").unpack_from
        self._length_4 = struct.Struct(order + "I").unpack_from

    def elements(
        self,
        position: int,
        end: int,
        depth: int,
        stop: Callable[[int], bool] | None = None,
        asked_from: int = 0,
    ) -> tuple[RawDataSet, int]:
        """Elements up to a delimiter, the end, or where ``stop`` says so."""
        if depth > DEEPEST:
            raise NestingTooDeepError(f"sequences are nested more than {DEEPEST} deep")
        found = RawDataSet()
        buffer, short_head, short = self._buffer, self._short_head, self._short
        while position + 8 <= end:
            group, number, code, length = short_head(buffer, position)
            tag = group << 16 | number
            if tag == _ITEM_END:
                return found, position + 8
            if stop is not None and tag >= asked_from:
                asked_from = 0
                if stop(tag):
                    return found, position
            vr = short.get(code)
            if tag in found or vr is None:
                position = self._unusual(found, tag, position, (end, depth))
                continue
            position += 8
            if position + length > end:
                raise TruncatedFileError(_ENDS_INSIDE)
            value = buffer[position : position + length]
            found[tag] = RawElement(vr, value, False, self._little_endian)
            position += length
        if position < end and depth == 0:
            raise TruncatedFileError(_ENDS_INSIDE)
        return found, end

    def _unusual(self, found: RawDataSet, tag: int, position: int, bounds: tuple[int, int]) -> int:
        """Read what is repeated, implicit, or has a long length field; where it ends."""
        end, depth = bounds
        if tag in found:
            found.repeated = (*found.repeated, (tag, found[tag]))
        vr, length, position = self._head(position)
        if length == UNDEFINED_LENGTH:
            found[tag], position = self._undefined(vr, position, end, depth)
            return position
        if position + length > end:
            raise TruncatedFileError(_ENDS_INSIDE)
        found[tag] = RawElement(
            vr, self._slice(position, length), self._implicit, self._little_endian
        )
        return position + length

    def _slice(self, position: int, length: int) -> bytes | memoryview:
        """Bytes, or for what is large (pixels) a view that copies nothing."""
        if length > _LARGE:
            return memoryview(self._buffer)[position : position + length]
        return self._buffer[position : position + length]

    def _head(self, position: int) -> tuple[str | None, int, int]:
        """VR, length, and where the value begins."""
        buffer = self._buffer
        if not self._implicit:
            vr = buffer[position + 4 : position + 6]
            if vr in _LONG:
                if position + 12 > len(buffer):
                    raise TruncatedFileError(_ENDS_INSIDE)
                return _LONG[vr], self._length_4(buffer, position + 8)[0], position + 12
            if vr in _SHORT:
                return _SHORT[vr], self._length_2(buffer, position + 6)[0], position + 8
            if vr.isalpha() and vr.isupper():
                # A VR of no edition so far; those with a long length field are all known.
                return "UN", self._length_2(buffer, position + 6)[0], position + 8
        return None, self._length_4(buffer, position + 4)[0], position + 8

    def _undefined(
        self, vr: str | None, position: int, end: int, depth: int
    ) -> tuple[RawElement, int]:
        """An element of undefined length: items, or fragments."""
        element = RawElement(vr, b"", self._implicit, self._little_endian)
        if vr not in ("OB", "OW"):
            parser = self
            if vr == "UN" and not (self._implicit and self._little_endian):
                parser = _Parser(self._buffer, implicit=True, little_endian=True)
            try:
                items, finish = parser.items(position, end, depth, delimited=True)
            except (MalformedError, TruncatedFileError):
                # Fragments look like items from outside; an implicit VR tells them not apart.
                items, finish = None, 0
            if items is not None:
                element.hold(items)
                return element, finish
        finish = self._fragments(position, end)
        element.value = self._slice(position, finish - position)
        element.encapsulated = True
        return element, finish + 8

    def _fragments(self, position: int, end: int) -> int:
        """Where the Sequence Delimitation Item of encapsulated data stands."""
        while position + 8 <= end:
            group, number = self._tag(self._buffer, position)
            if group << 16 | number == _SEQUENCE_END:
                return position
            if group << 16 | number != _ITEM:
                raise MalformedError("encapsulated data without items")
            position += 8 + self._length_4(self._buffer, position + 4)[0]
        raise TruncatedFileError("the file ends inside its pixel data: send it again")

    def items(
        self, position: int, end: int, depth: int, delimited: bool = False
    ) -> tuple[list[RawDataSet], int]:
        """Items up to a delimiter or the end; where they end."""
        found: list[RawDataSet] = []
        while position + 8 <= end:
            group, number = self._tag(self._buffer, position)
            tag, length = group << 16 | number, self._length_4(self._buffer, position + 4)[0]
            position += 8
            if tag == _SEQUENCE_END:
                return found, position
            if tag != _ITEM:
                raise MalformedError("a sequence without items")
            finish = end if length == UNDEFINED_LENGTH else position + length
            if finish > end:
                raise TruncatedFileError("the file ends inside a sequence: send it again")
            parser = self._for_item(position)
            item, position = parser.elements(position, finish, depth + 1)
            found.append(item)
            if length != UNDEFINED_LENGTH:
                position = finish
        if delimited:
            raise TruncatedFileError("the file ends inside a sequence: send it again")
        return found, end

    def _for_item(self, position: int) -> _Parser:
        """Some writers switch to implicit VR inside sequences."""
        vr = self._buffer[position + 4 : position + 6]
        if self._implicit or not vr or (vr.isalpha() and vr.isupper()):
            return self
        group, number = self._tag(self._buffer, position)
        if group << 16 | number in (_ITEM_END, _SEQUENCE_END, _ITEM):
            return self
        return _Parser(self._buffer, implicit=True, little_endian=self._little_endian)
