# SPDX-License-Identifier: Apache-2.0
"""Site rules for rare values: a weight of 212 kg names a patient where everyone weighs less.

They hold for what options let pass, after all other rules, at any depth.
"""

from __future__ import annotations

import math
import re
import struct
from enum import StrEnum
from typing import NamedTuple

from pydicom.datadict import dictionary_VR, tag_for_keyword

from deid.elements import Element
from deid.errors import OptionConflictError

_AGE = re.compile(rb"(\d{3})([DWMY])")
_DECIMAL = re.compile(rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
# Years of PS3.5 section 6.2's units of an Age String.
_YEARS = {b"D": 1 / 365.25, b"W": 7 / 365.25, b"M": 1 / 12, b"Y": 1.0}
_OLDEST = 999
_NUMBERS = frozenset({"DS", "IS"})
_FLOATS = {"FD": "d", "FL": "f"}


class Beyond(StrEnum):
    """What becomes of a value beyond the bounds."""

    CAP = "cap"
    BLANK = "blank"


class OutlierRule(NamedTuple):
    """Bounds of one attribute.

    Attributes
    ----------
    tag:
        An attribute of VR AS, DS, IS, FD or FL.
    lowest, highest:
        The bounds, which may stay themselves, in the attribute's unit, years for AS; ``None`` where
        there is none.
    beyond:
        Whether a value beyond them becomes the bound, or empty.
    """

    tag: int
    lowest: float | None
    highest: float | None
    beyond: Beyond

    @classmethod
    def of(
        cls, keyword: str, lowest: float | None, highest: float | None, beyond: Beyond
    ) -> OutlierRule:
        """The rule of an attribute by its keyword.

        Raises
        ------
        OptionConflictError
            If the attribute has no numbers, or the bounds are none.
        """
        tag = tag_for_keyword(keyword)
        vr = dictionary_VR(tag) if tag is not None else ""
        if tag is None or vr not in {"AS", *_NUMBERS, *_FLOATS}:
            raise OptionConflictError(
                "an outlier rule needs the keyword of an AS, DS, IS, FD or FL"
            )
        if lowest is None and highest is None:
            raise OptionConflictError("an outlier rule needs lowest, highest or both")
        if lowest is not None and highest is not None and lowest > highest:
            raise OptionConflictError("lowest must not be above highest in an outlier rule")
        given = [bound for bound in (lowest, highest) if bound is not None]
        if vr == "AS" and not all(bound == int(bound) and 0 <= bound <= _OLDEST for bound in given):
            raise OptionConflictError("bounds of an age are whole years from 0 to 999")
        return cls(tag, lowest, highest, beyond)

    def applied(self, element: Element, little_endian: bool = True) -> Element:
        """The element within the bounds; itself where it was.

        Parameters
        ----------
        element:
            As it may leave.
        little_endian:
            Byte order of a binary value.
        """
        if element.vr in _FLOATS:
            return self._within(element, "<" if little_endian else ">")
        parts = bytes(element.value).split(b"\\")
        made = [self._part(part, element.vr) for part in parts]
        if made == parts:
            return element
        return element._replace(value=b"\\".join(made) if any(made) else b"")

    def _within(self, element: Element, order: str) -> Element:
        kind, value = _FLOATS[element.vr], bytes(element.value)
        count = len(value) // struct.calcsize(kind)
        numbers = struct.unpack(f"{order}{count}{kind}", value)
        bounds = [self._bound(number) if math.isfinite(number) else None for number in numbers]
        hidden = any(not math.isfinite(number) for number in numbers)
        if bounds == [None] * count and not hidden:
            return element
        if hidden or self.beyond is Beyond.BLANK:
            # There is no empty one among binary numbers.
            return element._replace(value=b"")
        made = [n if bound is None else bound for n, bound in zip(numbers, bounds, strict=True)]
        return element._replace(value=struct.pack(f"{order}{count}{kind}", *made))

    def _part(self, part: bytes, vr: str) -> bytes:
        if not part.strip(b" \0"):
            return part
        value = _number(part, vr)
        if value is None:
            # What is no number has no bounds that it could be within.
            return b""
        bound = self._bound(value)
        if bound is None:
            return part
        return b"" if self.beyond is Beyond.BLANK else _written(bound, vr)

    def _bound(self, value: float) -> float | None:
        """The bound that a value is beyond."""
        if self.lowest is not None and value < self.lowest:
            return self.lowest
        if self.highest is not None and value > self.highest:
            return self.highest
        return None


def _number(part: bytes, vr: str) -> float | None:
    text = part.strip(b" \0")
    if vr == "AS":
        match = _AGE.fullmatch(text)
        return int(match[1]) * _YEARS[match[2]] if match else None
    value = float(text) if _DECIMAL.fullmatch(text) else math.nan
    return value if math.isfinite(value) else None


def _written(bound: float, vr: str) -> bytes:
    if vr == "AS":
        return b"%03dY" % int(bound)
    if vr == "IS" or bound == int(bound):
        return b"%d" % int(bound)
    # PS3.5 section 6.2: 16 characters at most in a Decimal String.
    return f"{bound:.10g}".encode()
