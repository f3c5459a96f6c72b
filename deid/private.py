# SPDX-License-Identifier: Apache-2.0
"""Private attributes that PS3.15 Table E.3.10-1 calls safe."""

from __future__ import annotations

from functools import cache

from deid import allowlist, values
from deid.parsing import RawDataSet
from deid.profile import read_table
from deid.report import Action
from deid.rules import Fallback, Rule

_CREATOR_RULE = Rule("E.3.10-1 private creator", "LO", Fallback.REMOVE, values.verbatim)
_CHECKS = {
    "CS": values.code_string,
    "DS": values.decimal,
    "IS": values.decimal,
} | dict.fromkeys(("LO", "LT", "SH", "ST", "UC", "UT"), values.technical)
PRIVATE = Rule("private", "UN", Fallback.REMOVE)


@cache
def _safe() -> dict[tuple[str, int, int], tuple[str, str]]:
    """VR and VM by creator, group and the low byte of the element."""
    found = {}
    for line in read_table("ps315_safe_private.csv"):
        group, element = line["tag"].strip("()").split(",")
        key = (line["creator"].strip(), int(group, 16), int(element[-2:], 16))
        found[key] = (line["vr"], line["vm"])
    return found


@cache
def _creators() -> frozenset[tuple[str, int]]:
    return frozenset((creator, group) for creator, group, _ in _safe())


def private_rule(dataset: RawDataSet, tag: int) -> Rule:
    """The rule of a private attribute, where the option 113111 is in force.

    Parameters
    ----------
    dataset:
        The data set or item in which it stands: the creator is beside it (PS3.5 section 7.8.1).
    tag:
        An attribute of an odd group.
    """
    group, element = tag >> 16, tag & 0xFFFF
    if 0x10 <= element <= 0xFF:
        creator = dataset.text(tag)
        return _CREATOR_RULE if (creator, group) in _creators() else PRIVATE
    creator = dataset.text(group << 16 | element >> 8) if element > 0xFF else ""
    entry = _safe().get((creator, group, element & 0xFF))
    return PRIVATE if entry is None else _rule(*entry)


@cache
def _rule(vr: str, multiplicity: str) -> Rule:
    name = "E.3.10-1 safe private"
    if vr == "SQ":
        return Rule(name, vr, Fallback.REMOVE, action=Action.ITEMS, items=True)
    if vr == "UI":
        return Rule(name, vr, Fallback.REMOVE, values.uid, Action.UID)
    if vr in _CHECKS:
        return Rule(name, vr, Fallback.REMOVE, _CHECKS[vr])
    size = allowlist.numeric_size(vr)
    if size is None:
        return PRIVATE
    return Rule(name, vr, Fallback.REMOVE, values.binary(size, allowlist.most_values(multiplicity)))
