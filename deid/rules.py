# SPDX-License-Identifier: Apache-2.0
"""One rule for every element: from Table E.1-1 where it has the attribute, else the allow-list."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from pydicom.datadict import get_entry

from deid import allowlist, values
from deid.attribute_types import type_of
from deid.identifiers import EDITIONS
from deid.options import Option
from deid.profile import Row, resolved, row_of
from deid.report import Action
from deid.values import Transform


class Fallback(Enum):
    """What is done where no value may stay."""

    REMOVE = Action.REMOVED
    EMPTY = Action.EMPTIED
    DUMMY = Action.DUMMY


@dataclass(frozen=True, slots=True)
class Rule:
    """What to do with one attribute in one place.

    Attributes
    ----------
    name:
        What the report says.
    vr:
        VR of the data dictionary, ``"UN"`` where it has none.
    fallback:
        What is done where ``transform`` leaves nothing, or is missing.
    transform:
        Makes the value that stays.
    action:
        What the report says when a value stays.
    items:
        A sequence whose items are treated one by one.
    """

    name: str
    vr: str
    fallback: Fallback
    transform: Transform | None = None
    action: Action = Action.KEPT
    items: bool = False


_FALLBACKS = {"X": Fallback.REMOVE, "Z": Fallback.EMPTY, "D": Fallback.DUMMY, "U": Fallback.EMPTY}
_BY_TYPE = {"1": Fallback.DUMMY, "1C": Fallback.DUMMY, "2": Fallback.EMPTY, "2C": Fallback.EMPTY}

# Of two options that speak of an attribute the first decides.
_PRECEDENCE = (
    Option.MODIFIED_DATES,
    Option.FULL_DATES,
    Option.RETAIN_UIDS,
    Option.DEVICE,
    Option.INSTITUTION,
    Option.PATIENT_CHARACTERISTICS,
    Option.CLEAN_GRAPHICS,
    Option.CLEAN_STRUCTURED_CONTENT,
    Option.CLEAN_DESCRIPTORS,
)
# Commands and file meta information have no place in a data set.
_NO_DATA_SET = (0x0000, 0x0002)
_CHARACTER_SET = 0x00080005
_PATIENT_ID, _PATIENT_NAME, _ACCESSION_NUMBER = 0x00100020, 0x00100010, 0x00080050
# Offset from UTC; the dates of a context group's or template's edition are none of the patient.
_TIMELESS = {0x00080201: values.kept_zones} | dict.fromkeys(EDITIONS, values.edition)
_TEXTS = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})
_UNKNOWN = ("UN", "1", "", "", "")


class Setting(NamedTuple):
    """Where rules hold.

    Attributes
    ----------
    sop_class:
        SOP Class UID of the instance.
    parent:
        The sequence in whose items an attribute stands; ``None`` at top level.
    has_references:
        Whether the instance lists the instances that it refers to (PS3.3 section C.12.2): without
        the references themselves that list would be wrong.
    """

    sop_class: str
    parent: int | None
    has_references: bool


class Rules(dict[int, Rule]):
    """The rules at one place of one SOP Class, by tag; worked out when first asked for."""

    def __init__(self, setting: Setting, options: Set[Option]) -> None:
        super().__init__()
        self._setting = setting
        self._options = options

    def __missing__(self, tag: int) -> Rule:
        try:
            entry = get_entry(tag)
        except KeyError:
            entry = None
        kind = type_of(tag, self._setting.sop_class, self._setting.parent)
        row = row_of(tag) if tag >> 16 not in _NO_DATA_SET else None
        if row is None:
            rule = self._allowed(tag, entry, kind)
        else:
            rule = self._tabled(tag, row, entry or _UNKNOWN, kind)
        self[tag] = rule
        return rule

    def _allowed(
        self, tag: int, entry: tuple[str, str, str, str, str] | None, kind: str | None
    ) -> Rule:
        given = allowlist.permission(tag, entry, self._options)
        # What an object can do without goes; what it must have gets a value that says nothing.
        fallback = _BY_TYPE.get(kind or "3", Fallback.REMOVE)
        if tag == _CHARACTER_SET or (given.items and kind == "1C"):
            # No character set means ASCII; no reference is better than one to what is not there.
            fallback = Fallback.REMOVE
        return Rule(
            given.reason,
            entry[0] if entry else "UN",
            fallback,
            given.transform,
            given.action,
            given.items,
        )

    def _tabled(
        self, tag: int, row: Row, entry: tuple[str, str, str, str, str], kind: str | None
    ) -> Rule:
        vr = entry[0]
        needed = row.basic.endswith("U*") and self._setting.has_references
        action = "U*" if needed else resolved(row.basic, kind)
        fallback = _FALLBACKS[action[0]]
        for option in _PRECEDENCE:
            code = row.options.get(option)
            if option in self._options and code is not None:
                return self._optional(tag, vr, fallback, (option, code))
        label = action if action == row.basic else f"{row.basic} as {action}"
        transform, done = _basic(tag, vr, action, entry[4])
        return Rule(f"E.1-1 {label}", vr, fallback, transform, done, items=action == "U*")

    def _optional(self, tag: int, vr: str, fallback: Fallback, by: tuple[Option, str]) -> Rule:
        option, code = by
        name = f"E.1-1 {option.value} {code}"
        if vr == "SQ":
            return Rule(name, vr, fallback, action=Action.ITEMS, items=True)
        if code == "K":
            # With all dates as they are an edition may have one of the patient's.
            full = option is Option.FULL_DATES and tag in EDITIONS
            transform = None if full else _TIMELESS.get(tag)
            return Rule(name, vr, fallback, transform or _kept(vr), Action.KEPT)
        transform, done = _cleaned(tag, vr, option, self._options)
        return Rule(name, vr, fallback, transform, done)


def _basic(tag: int, vr: str, action: str, keyword: str) -> tuple[Transform | None, Action]:
    """What the Basic Profile writes: most often nothing, a stand-in for what links objects."""
    if tag in (_PATIENT_ID, _PATIENT_NAME):
        return values.patient_pseudonym, Action.PSEUDONYM
    if tag == _ACCESSION_NUMBER:
        return values.pseudonym("accession"), Action.PSEUDONYM
    if vr == "UI" and action != "X":
        return values.uid, Action.UID
    if action == "D" and vr in _TEXTS and keyword.endswith(("ID", "Identifier")):
        return values.pseudonym(keyword), Action.PSEUDONYM
    return None, Action.ITEMS if action == "U*" else Action.KEPT


def _kept(vr: str) -> Transform:
    """What an option retains stays as it is; dates, ages and numbers if they are some."""
    checks = {
        "AS": values.ages,
        "DA": values.kept_dates,
        "DS": values.decimal,
        "IS": values.decimal,
        "DT": values.kept_date_times,
        "TM": values.kept_times,
        "UI": values.kept_uid,
        "CS": values.retained_code,
    }
    return checks.get(vr, values.verbatim)


def _cleaned(
    tag: int, vr: str, option: Option, options: Set[Option]
) -> tuple[Transform | None, Action]:
    """What an option cleans."""
    if tag in _TIMELESS:
        return _TIMELESS[tag], Action.KEPT
    if vr in ("DA", "DT", "TM"):
        given = allowlist.dates(vr, options)
        return given.transform, given.action
    if option is Option.DEVICE:
        return values.pseudonym("device"), Action.PSEUDONYM
    if vr in _TEXTS:
        return values.description(vr), Action.CLEANED
    if vr == "CS":
        return values.code_string, Action.CLEANED
    return None, Action.CLEANED
