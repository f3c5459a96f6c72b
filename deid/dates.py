# SPDX-License-Identifier: Apache-2.0
"""Dates, times and date times of PS3.5 section 6.2, shifted by whole days.

A shift by whole days leaves times of day, and with them all intervals, exact. A value that can't be
read as what it should be is not handed on: ``None``.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

_DATE = re.compile(r"(\d{4})(?:(\.?)(\d{2})(?:\2(\d{2}))?)?", re.ASCII)
_TIME = re.compile(r"([01]\d|2[0-3])(?:(:?)([0-5]\d)(?:\2([0-5]\d|60)(\.\d{1,6})?)?)?", re.ASCII)
_DATE_TIME = re.compile(
    r"(\d{4}(?:\d{2}(?:\d{2})?)?)"
    r"((?<=\d{8})(?:[01]\d|2[0-3])(?:[0-5]\d(?:(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?)?"
    r"([+-](?:0\d|1[0-4])[0-5]\d)?",
    re.ASCII,
)
_ZONE = re.compile(r"[+-](?:0\d|1[0-4])[0-5]\d", re.ASCII)


def shifted_date(text: str, days: int) -> str | None:
    """Shift a DA value; ``2024``, ``202402`` and ``2024.02.29`` keep their form.

    A date without day or month moves as its first day does, and stays without them: order is kept.
    """
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    year, separator, month, day = match.groups()
    try:
        moved = date(int(year), int(month or 1), int(day or 1)) + timedelta(days)
    except (ValueError, OverflowError):
        return None
    parts = [f"{moved.year:04d}", f"{moved.month:02d}", f"{moved.day:02d}"]
    return (separator or "").join(parts[: 1 + bool(month) + bool(day)])


def kept_time(text: str) -> str | None:
    """A TM value as it is, if it is a time of day."""
    return text if _TIME.fullmatch(text) else None


def shifted_date_time(text: str, days: int) -> str | None:
    """Shift a DT value; time of day and offset from UTC stay as they are."""
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        return None
    day, time, zone = match.groups()
    moved = shifted_date(day, days)
    return None if moved is None else moved + (time or "") + (zone or "")


def kept_zone(text: str) -> str | None:
    """A Timezone Offset From UTC (0008,0201) as it is, if it is one."""
    return text if _ZONE.fullmatch(text) else None
