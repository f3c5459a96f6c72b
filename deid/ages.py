# SPDX-License-Identifier: Apache-2.0
"""Ages above 89 and birth dates where no attribute of the patient's says that they are some.

Patient's Age and Patient's Birth Date have rows in Table E.1-1. Structured reports, acquisition
contexts and protocols say the same as a number with a unit, or as a date with a concept name
(PS3.16 TID 1007, Subject Context), which must not tell more than the header does.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from deid.elements import Element
from deid.parsing import MalformedError, RawDataSet, RawElement

OLDEST = 90
"""HIPAA Safe Harbor, 45 CFR 164.514(b)(2)(i)(C): all ages above 89 are one, in years."""
MOMENTS = frozenset({0x0040A120, 0x0040A121})
"""Date Time and Date of a content item."""

_UNITS, _CONCEPT = 0x004008EA, 0x0040A043
_CODES = (0x00080100, 0x00080119)
_NUMERIC, _FLOAT, _NUMERATOR, _DENOMINATOR = 0x0040A30A, 0x0040A161, 0x0040A162, 0x0040A163
_NUMBERS = frozenset({_NUMERIC, _FLOAT, _NUMERATOR, _DENOMINATOR})
_PER_YEAR = {
    **dict.fromkeys(("a", "a_j", "a_g", "a_t", "y", "yr", "yrs", "year", "years", "ann"), 1.0),
    **dict.fromkeys(("mo", "mo_j", "mo_g", "mo_s", "mon", "month", "months"), 12.0),
    **dict.fromkeys(("wk", "week", "weeks"), 365.25 / 7),
    **dict.fromkeys(("d", "day", "days"), 365.25),
}
# DCM Subject Birth Date, LOINC Birth date, SNOMED CT Date of birth.
_BIRTHS = frozenset({"121031", "21112-8", "184099003"})


def is_birth(item: RawDataSet) -> bool:
    """Whether a content item is named as a date of birth."""
    return not _BIRTHS.isdisjoint(_codes(item.get(_CONCEPT)))


def capped(item: RawDataSet, made: list[Element], little_endian: bool) -> list[Element]:
    """The elements of an item, a time span of 90 years and more as 90 years.

    Parameters
    ----------
    item:
        The original item, for its Measurement Units Code Sequence (0040,08EA).
    made:
        What may leave of it.
    little_endian:
        Byte order of ``made``.
    """
    parts = [_PER_YEAR[code] for code in _codes(item.get(_UNITS)) if code in _PER_YEAR]
    values = {element.tag: bytes(element.value) for element in made if element.tag in _NUMBERS}
    if not parts or not values:
        return made
    most = OLDEST * parts[0]
    order = "<" if little_endian else ">"
    if not any(number >= most for number in _numbers(values, order)):
        return made
    bound = {
        _NUMERIC: b"%d" % most,
        _FLOAT: struct.pack(f"{order}d", most),
        _NUMERATOR: struct.pack(f"{order}i", int(most)),
        _DENOMINATOR: struct.pack(f"{order}I", 1),
    }
    return [
        element._replace(value=bound[element.tag]) if element.tag in bound else element
        for element in made
    ]


def _codes(element: RawElement | None) -> Iterator[str]:
    """Values of the codes in a code sequence, none of one that can't be read."""
    try:
        items = element.items if element is not None else []
    except MalformedError:
        # Its rule meets the same and removes the sequence.
        return
    for code in items:
        yield from (code.text(tag).strip() for tag in _CODES)


def _numbers(values: dict[int, bytes], order: str) -> Iterator[float]:
    for tag, kind in ((_FLOAT, "d"), (_NUMERATOR, "i")):
        value = values.get(tag, b"")
        size = struct.calcsize(kind)
        numbers = struct.unpack(
            f"{order}{len(value) // size}{kind}", value[: len(value) // size * size]
        )
        yield from numbers if tag == _FLOAT else _divided(numbers, values, order)
    for part in values.get(_NUMERIC, b"").split(b"\\"):
        if part.strip(b" \0"):
            yield float(part)


def _divided(numerators: tuple[int, ...], values: dict[int, bytes], order: str) -> Iterator[float]:
    written = values.get(_DENOMINATOR, b"")
    for at, numerator in enumerate(numerators):
        given = written[4 * at : 4 * at + 4]
        denominator = struct.unpack(f"{order}I", given)[0] if len(given) == 4 else 1
        yield numerator / (denominator or 1)
