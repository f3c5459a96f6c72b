# SPDX-License-Identifier: Apache-2.0
"""Numbers that say who or when, whatever attribute they stand in.

A record number or a birth date can be written as a decimal, as a float or as a binary integer,
where no rule for texts sees it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from datetime import date
from functools import cached_property, lru_cache

from deid.identifiers import Denied

SHORTEST = 6
"""Digits of a record number that a number of another attribute may not repeat."""
_DATE = re.compile(rb"(\d{4})\.?(\d{2})\.?(\d{2})")
_TIME = re.compile(rb"(\d{2}):?(\d{2}):?(\d{2})")
_FEWEST_DAYS = 10_000
_MOST_COUNTED = 64
_INTEGERS = frozenset("iIqQ")
# Fewer digits are a count, and more than any number that is exact as a float are none.
_LEAST, _BEYOND = 10_000, 1e18
# Five digits in front of the point, or an exponent: without one all numbers are less.
_LARGE = re.compile(rb"(?:^|[\\+-])\d{5}|[eE]")
_LONG = 256


class DeniedNumbers:
    """The numbers of one header.

    Record numbers and the like of six digits and more, and dates as year, month and day in the
    orders that people write: also with a fraction. Times that are no full minutes, and ages in
    days: as they are, since measured values with a fraction are as long by chance.

    Parameters
    ----------
    denied:
        What the header says of people and dates.
    birth_date:
        Patient's Birth Date (0010,0030).
    """

    def __init__(self, denied: Denied, birth_date: bytes) -> None:
        numbers = {
            int(word)
            for word in denied.words
            if len(word) >= SHORTEST and word.isascii() and word.isdigit()
        }
        days = [found for moment in denied.moments if (found := _DATE.match(moment))]
        for year, month, day in (found.groups() for found in days):
            numbers.update(map(int, (year + month + day, day + month + year, month + day + year)))
        self._whole = frozenset(number for number in numbers if number >= _LEAST)
        self._exact = self._whole | _ages(birth_date, days) | _times(denied.moments)

    @cached_property
    def _seen(self) -> re.Pattern[bytes]:
        """Their digits; for long values alone, since it takes longer to make than to do without."""
        told = (str(number).encode() for number in self._exact)
        return re.compile(b"|".join(sorted(told, reverse=True)))

    @cached_property
    def _singles(self) -> set[bytes]:
        return {struct.pack("<f", number) for number in self._exact}

    def in_decimals(self, value: bytes) -> bool:
        """Whether one of a DS or IS is such a number, however it is filled up."""
        packed = value.replace(b" ", b"")
        if not self._exact or _LARGE.search(packed) is None:
            return False
        if len(value) > _LONG and self._seen.search(packed) is None and b"e" not in value.lower():
            return False
        return any(map(self._is_said, packed.split(b"\\")))

    def _is_said(self, token: bytes) -> bool:
        whole, _, fraction = token.lstrip(b"+-").partition(b".")
        if not whole.isdigit() or b"e" in fraction.lower():
            return self._is_other_said(token)
        exact = not fraction.strip(b"0")
        return int(whole) in (self._exact if exact else self._whole)

    def _is_other_said(self, token: bytes) -> bool:
        """Whether what is no plain number is such a one, or has the digits of one."""
        try:
            return self._is_float_said(float(token or b"0"))
        except ValueError:
            return self._seen.search(token) is not None

    def _is_float_said(self, number: float) -> bool:
        if not abs(number) < _BEYOND:
            return False
        whole = int(abs(number))
        return whole in (self._exact if whole == abs(number) else self._whole)

    def in_binary(self, value: bytes, kind: str, little_endian: bool) -> bool:
        """Whether one of some binary numbers is such a number.

        Parameters
        ----------
        value:
            Numbers, few; tables and samples are not looked through.
        kind:
            Their format in ``struct``.
        little_endian:
            Their byte order.
        """
        if not self._exact or len(value) > _MOST_COUNTED:
            return False
        order = "<" if little_endian else ">"
        numbers = struct.unpack(f"{order}{len(value) // struct.calcsize(kind)}{kind}", value)
        if kind in _INTEGERS:
            return not self._exact.isdisjoint(map(abs, numbers))
        if kind == "f":
            return any(struct.pack("<f", abs(number)) in self._singles for number in numbers)
        return any(map(self._is_float_said, numbers))


def _times(moments: Iterable[bytes]) -> set[int]:
    """Times of day that are no full minutes, as six digits."""
    found = (_TIME.match(moment) for moment in moments if not _DATE.match(moment))
    times = (match.groups() for match in found if match and match[3] != b"00")
    return {time for parts in times if (time := int(b"".join(parts))) >= _LEAST}


def _ages(birth_date: bytes, days: Iterable[re.Match[bytes]]) -> set[int]:
    """Days from birth to the other dates, where they are many enough to be no count."""
    match = _DATE.match(birth_date)
    born = _day(match) if match else None
    if born is None:
        return set()
    lived = {(day - born).days for one in days if (day := _day(one)) is not None}
    return {age for age in lived if age >= _FEWEST_DAYS}


def _day(match: re.Match[bytes]) -> date | None:
    try:
        return date(*(int(part) for part in match.groups()))
    except ValueError:
        return None


@lru_cache(maxsize=256)
def denied_numbers(denied: Denied, birth_date: bytes) -> DeniedNumbers:
    """As ``DeniedNumbers``; instances of a series often say the same."""
    return DeniedNumbers(denied, birth_date)
