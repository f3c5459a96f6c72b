# SPDX-License-Identifier: Apache-2.0
"""Attributes that PS3.15 Table E.1-1 does not list.

The table names what is known to identify; vendors and users write names elsewhere too. So an
attribute outside the table stays only where its Value Representation and its place in the data
dictionary (PS3.6) say that its value can't name anybody, and then checked.
"""

from __future__ import annotations

from collections.abc import Set
from functools import cache
from typing import NamedTuple

from deid import values
from deid.options import Option
from deid.profile import read_table
from deid.report import Action
from deid.values import Transform


class Permission(NamedTuple):
    """What an attribute outside the table may keep.

    ``transform`` is ``None`` where it may keep nothing; ``items`` says that it is a sequence whose
    items are treated one by one.
    """

    reason: str
    transform: Transform | None = None
    action: Action = Action.KEPT
    items: bool = False


_SIZES = {
    "AT": 4, "FD": 8, "FL": 4, "SL": 4, "SS": 2, "SV": 8, "UL": 4, "US": 2, "UV": 8,
    "OD": 8, "OF": 4, "OL": 4, "OV": 8, "OW": 2,
}  # fmt: skip
_TEXTS = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})
_ARRAYS = frozenset({"OD", "OF", "OL", "OV", "OW"})

_BY_VR = {
    "CS": Permission("allow-list: defined term", values.code_string),
    "DS": Permission("allow-list: number", values.decimal),
    "IS": Permission("allow-list: number", values.decimal),
    "UI": Permission("allow-list: UID", values.uid, Action.UID),
}
_CLASS = Permission("allow-list: SOP Class", values.class_uid, Action.UID)
_BYTES = Permission("allow-list: numbers", values.samples)
_BY_TAG = {
    0x00080005: Permission("allow-list: character set", values.character_set),
    0x00080016: _CLASS,
    0x0008001A: _CLASS,
    0x0008001B: _CLASS,
    0x00080062: _CLASS,
    0x00081150: _CLASS,
    0x0008115A: _CLASS,
    0x00080303: Permission("allow-list: status of a private block", values.block_status),
    0x00180015: Permission("allow-list: body part", values.body_part, Action.CLEANED),
    0x00282000: Permission("allow-list: colour profile", values.icc_profile, Action.CLEANED),
    # Byte arrays that hold numbers: fill pattern, waveform padding, extremes and samples.
    0x00700256: _BYTES,
    0x54000110: _BYTES,
    0x54000112: _BYTES,
    0x5400100A: _BYTES,
    0x54001010: _BYTES,
}

_REMOVED_GROUPS = frozenset({0x0000, 0x0002, 0x0004, 0x4FFE, 0x4000, 0x4008, 0x4010})
# Escape and zonal maps, curves, overlays, variable pixel data, padding and signatures.
_REMOVED_RANGES = (
    range(0x1000, 0x1020),
    range(0x5000, 0x5100),
    range(0x6000, 0x6100),
    range(0x7F00, 0x7FE1),
    range(0xFFFA, 0x10000),
)
# Retired numbers of these are numbers still; those of treatment plans are in use as long as plans.
_IMAGING_GROUPS = frozenset({0x0018, 0x0020, 0x0028, 0x0054, 0x3002, 0x3004, 0x3006, 0x300A})
_OTHER_STUDY_NUMBERS = 0x00201070

_REMOVED = {
    0x04000500: "encrypted originals",
    0x00287FE0: "address",
    0x00720050: "selector of any attribute",
}
# Body Mass Index: with Patient's Size, which somebody may know, it tells the weight, which the
# table removes.
_CHARACTERISTICS = frozenset({0x00101022})
_SET_ANEW = frozenset({0x00120062, 0x00120063, 0x00120064, 0x00280303})
_VERSIONS = frozenset({0x00181020, 0x00181019, 0x00189525, 0x00660031, 0x00080103})


@cache
def _technical_texts() -> frozenset[int]:
    return frozenset(int(line["tag"], 16) for line in read_table("technical_text.csv"))


def permission(
    tag: int, entry: tuple[str, str, str, str, str] | None, options: Set[Option]
) -> Permission:
    """What an attribute outside the table may keep.

    Parameters
    ----------
    tag:
        The attribute, of an even group.
    entry:
        VR, VM, name, "Retired" or "", and keyword in the data dictionary; ``None`` where unknown.
    options:
        The options in force; those on dates bear on dates outside the table too.
    """
    refused = _refusal(tag, entry)
    if refused is not None or entry is None:
        return Permission(refused or "not in the data dictionary")
    if tag in _CHARACTERISTICS and Option.PATIENT_CHARACTERISTICS not in options:
        return Permission("patient's characteristic without the option to keep it")
    vr, multiplicity = entry[0], entry[1]
    if vr == "SQ":
        return Permission("allow-list: sequence", action=Action.ITEMS, items=True)
    if vr in ("DA", "DT", "TM"):
        return dates(vr, options)
    if vr in _TEXTS:
        return _text(tag, vr)
    return _checked(tag, vr, multiplicity)


def _refusal(tag: int, entry: tuple[str, str, str, str, str] | None) -> str | None:
    group = tag >> 16
    if tag in _SET_ANEW:
        return "set anew by the de-identifier"
    if group in _REMOVED_GROUPS or any(group in groups for groups in _REMOVED_RANGES):
        return "group removed"
    if tag & 0xFFFF == 0:
        return "group length"
    if entry is not None and entry[3] == "Retired" and not _is_harmless_retired(tag, entry[0]):
        return "retired"
    return _REMOVED.get(tag)


def _is_harmless_retired(tag: int, vr: str) -> bool:
    if tag == _OTHER_STUDY_NUMBERS:
        return False
    return tag >> 16 in _IMAGING_GROUPS and (vr in _SIZES or vr in ("CS", "DS", "IS", "US or SS"))


def dates(vr: str, options: Set[Option]) -> Permission:
    """What a date, time or date time may keep: nothing unless an option says so."""
    if Option.MODIFIED_DATES in options:
        shifts = {"DA": values.shifted_dates, "DT": values.shifted_date_times}
        if vr in shifts:
            return Permission("allow-list: date, 113107", shifts[vr], Action.SHIFTED)
        return Permission("allow-list: time, 113107", values.kept_times)
    if Option.FULL_DATES in options:
        kept = {"DA": values.kept_dates, "DT": values.kept_date_times, "TM": values.kept_times}
        return Permission("allow-list: date, 113106", kept[vr])
    return Permission("date without an option to keep it")


def _text(tag: int, vr: str) -> Permission:
    if tag in _VERSIONS:
        return Permission("allow-list: version", values.version)
    if tag in _technical_texts():
        return Permission("allow-list: technical text", values.technical)
    return Permission("allow-list: listed words", values.description(vr), Action.CLEANED)


def _checked(tag: int, vr: str, multiplicity: str) -> Permission:
    known = _BY_TAG.get(tag) or _BY_VR.get(vr)
    if known is not None:
        return known
    size = numeric_size(vr)
    if size is None:
        return Permission(f"VR {vr} outside the allow-list")
    most = None if vr in _ARRAYS or " or " in vr else most_values(multiplicity)
    return Permission("allow-list: number", values.binary(vr, size, most))


def numeric_size(vr: str) -> int | None:
    """Bytes per number of a binary VR; for ``US or SS`` and the like of the first."""
    return _SIZES.get(vr) if " or " not in vr or vr.startswith("OB") else _SIZES.get(vr[:2])


def most_values(multiplicity: str) -> int | None:
    """The largest Value Multiplicity, ``None`` where there is no bound."""
    last = multiplicity.rsplit("-", 1)[-1]
    return int(last) if last.isdigit() else None
