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
from functools import lru_cache

from deid.identifiers import Denied

SHORTEST = 6
"""Digits of a record number that a number of another attribute may not repeat."""
_DATE = re.compile(rb"(\d{4})\.?(\d{2})\.?(\d{2})")
_TIME = re.compile(rb"(\d{2}):?(\d{2}):?(\d{2})")
_FEWEST_DAYS = 10_000
_MOST_COUNTED = 64
_WHOLE = frozenset("iIhHqQ")


class DeniedNumbers:
    """The numbers of one header.

    Record numbers and the like of six digits and more; dates as year, month and day in the orders
    that people write; times that are no full minutes; ages in days.

    Parameters
    ----------
    denied:
        What the header says of people and dates.
    birth_date:
        Patient's Birth Date (0010,0030).
    """

    def __init__(self, denied: Denied, birth_date: bytes) -> None:
        numbers = {
            word.encode()
            for word in denied.words
            if len(word) >= SHORTEST and word.isascii() and word.isdigit()
        }
        days = [found for moment in denied.moments if (found := _DATE.match(moment))]
        for year, month, day in (found.groups() for found in days):
            numbers.update((year + month + day, day + month + year, month + day + year))
        for moment in denied.moments:
            time = _TIME.match(moment)
            if time and time[3] != b"00" and not _DATE.match(moment):
                numbers.add(b"".join(time.groups()))
        self._integers = {int(number) for number in numbers}
        self._integers.update(_ages(birth_date, days))
        self._integers.discard(0)
        self._digits = {d for number in numbers if len(d := number.strip(b"0")) >= SHORTEST}
        told = {str(number).encode() for number in self._integers} | self._digits
        self._seen = re.compile(b"|".join(sorted(told, reverse=True))) if told else None
        self._singles = {struct.pack("<f", number) for number in self._integers}

    def in_decimals(self, value: bytes) -> bool:
        """Whether one of a DS or IS is such a number, however it is scaled or filled up."""
        if self._seen is None:
            return False
        if self._seen.search(value.replace(b".", b"")) is None and b"e" not in value.lower():
            return False
        return any(map(self._is_said, value.replace(b" ", b"").split(b"\\")))

    def _is_said(self, token: bytes) -> bool:
        mantissa, _, exponent = token.lower().lstrip(b"+-").partition(b"e")
        if mantissa.replace(b".", b"").strip(b"0") in self._digits:
            return True
        if exponent:
            return _whole(token) in self._integers
        whole = mantissa.partition(b".")[0]
        return whole.isdigit() and int(whole) in self._integers

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
        if not self._integers or len(value) > _MOST_COUNTED:
            return False
        order = "<" if little_endian else ">"
        numbers = struct.unpack(f"{order}{len(value) // struct.calcsize(kind)}{kind}", value)
        if kind in _WHOLE:
            return not self._integers.isdisjoint(map(abs, numbers))
        if kind == "f":
            return any(struct.pack("<f", abs(number)) in self._singles for number in numbers)
        return any(_floor(number) in self._integers for number in numbers)


def _whole(token: bytes) -> int:
    return _floor(float(token))


def _floor(number: float) -> int:
    return int(abs(number)) if abs(number) < 1e18 else 0


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
