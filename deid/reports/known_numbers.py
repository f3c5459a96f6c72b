# SPDX-License-Identifier: Apache-2.0
"""Measured values that repeat a number by which somebody is known.

A record number or a birth date that stands in a field for numbers is no text, so no detector reads
it. What is short is a measured value by chance, and stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from deid.text import KnownTerms

SHORTEST = 6
"""Digits of a record number that a measured value may not repeat."""
_WHOLE = re.compile(r"\d+", re.ASCII)


def tells_a_known_number(value: str, known: KnownTerms, dates: Iterable[str] = ()) -> bool:
    """Whether one of the whole numbers in a value is one that somebody is known by.

    Parameters
    ----------
    value:
        Of a field for numbers: ``"7781234"``, ``"<^7781234.0"``.
    known:
        Terms of the report and its patient; of each its digits count, whatever stands between
        and before them.
    dates:
        Days as HL7 and DICOM write them (YYYYMMDD), such as the date of birth; a value may have the
        year first or last.
    """
    told = {int(run) for run in _WHOLE.findall(value) if len(run) >= SHORTEST}
    if not told:
        return False
    runs = ("".join(_WHOLE.findall(term.value)) for term in known.terms)
    numbers = {int(run) for run in runs if len(run) >= SHORTEST}
    for day in dates:
        year, month, number = day[:4], day[4:6], day[6:]
        numbers |= {int(day), int(number + month + year), int(month + number + year)}
    return not told.isdisjoint(numbers)
