# SPDX-License-Identifier: Apache-2.0
"""PS3.15 Table E.1-1 and the Types on which its composite actions depend."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from deid.options import Option

_COLUMNS = {
    "cleanGraphOpt": Option.CLEAN_GRAPHICS,
    "cleanDescOpt": Option.CLEAN_DESCRIPTORS,
    "cleanStructContOpt": Option.CLEAN_STRUCTURED_CONTENT,
    "rtnDevIdOpt": Option.DEVICE,
    "rtnInstIdOpt": Option.INSTITUTION,
    "rtnLongFullDatesOpt": Option.FULL_DATES,
    "rtnLongModifDatesOpt": Option.MODIFIED_DATES,
    "rtnPatCharsOpt": Option.PATIENT_CHARACTERISTICS,
    "rtnUIDsOpt": Option.RETAIN_UIDS,
}

# From the action that removes most on, those that leave a valid object.
_STRONGEST_FIRST = {"2": "ZDU", "2C": "ZDU", "3": "XZDU"}


class Row(NamedTuple):
    """One attribute of Table E.1-1.

    Attributes
    ----------
    name:
        Attribute name.
    basic:
        Action of the Basic Profile: D, Z, X, U or a composite such as ``X/Z/D``.
    options:
        Action (K or C) by option, where the option has one.
    """

    name: str
    basic: str
    options: Mapping[Option, str]


def read_table(name: str) -> Iterator[dict[str, str]]:
    """The rows of one of the package's CSV files."""
    with (files("deid") / "data" / name).open("r", encoding="utf-8") as text:
        yield from csv.DictReader(text)


@cache
def _rows() -> dict[str, Row]:
    return {
        line["tag"].strip("()").replace(",", "").upper(): Row(
            line["name"],
            line["basic_2026c"],
            {option: line[column] for column, option in _COLUMNS.items() if line[column]},
        )
        for line in read_table("ps315_e1-1.csv")
    }


def table() -> Mapping[str, Row]:
    """All 655 rows by tag, eight hexadecimal digits; ``X`` stands for any digit."""
    return _rows()


def row_of(tag: int) -> Row | None:
    """The row of an attribute, repeating groups included; ``None`` where the table has none."""
    rows = _rows()
    text = f"{tag:08X}"
    found = rows.get(text)
    if found is not None or text[:2] not in ("50", "60"):
        return found
    return rows.get(text[:2] + "XX" + text[4:]) or rows.get(text[:2] + "XXXXXX")


def resolved(action: str, attribute_type: str | None) -> str:
    """The one action that a composite means for an attribute of this Type.

    Parameters
    ----------
    action:
        As in the table: ``X``, ``X/Z/D``, ``X/Z/U*``, ...
    attribute_type:
        ``1``, ``1C``, ``2``, ``2C`` or ``3`` in the IOD; ``None`` where the IOD is unknown: then
        the action that leaves a valid object in any IOD.

    Returns
    -------
    str
        ``X``, ``Z``, ``D``, ``U`` or ``U*``.
    """
    if action.endswith("U*") and attribute_type != "3":
        # An emptied list of sources contradicts the Common Instance Reference beside it.
        return "U*"
    choices = {choice[0]: choice for choice in action.split("/")}
    for letter in _STRONGEST_FIRST.get(attribute_type or "1", ""):
        if letter in choices:
            return choices[letter]
    return action.rsplit("/", 1)[-1]
