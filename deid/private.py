# SPDX-License-Identifier: Apache-2.0
"""Private attributes that may stay: by the site's word, PS3.15 Table E.3.10-1, or the file's claim.

Whoever says so, a value is checked by its Value Representation as a public one is: a text with a
name or an identifier of the header does not pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from deid import allowlist, values
from deid.parsing import MalformedError, RawDataSet
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

# PS3.3 section C.12.1.1.7, Private Data Element Characteristics.
CREATOR_REFERENCE = 0x00080302
"""Private Creator Reference: which block of private elements an item of (0008,0300) is about."""
_CHARACTERISTICS, _GROUP, _CREATOR = 0x00080300, 0x00080301, CREATOR_REFERENCE
_STATUS, _NOT_IDENTIFYING = 0x00080303, 0x00080304
_WHOLE_BLOCK = -1


class PrivateAttribute(NamedTuple):
    """A private attribute wherever its block lies: creator, group, low byte of the element."""

    creator: str
    group: int
    element: int


@dataclass(frozen=True)
class SiteRule:
    """What a site knows of one private attribute.

    Attributes
    ----------
    attribute:
        Which.
    vr:
        Its VR, by which its value is checked.
    keep:
        Whether it may stay; else it goes, also where a list calls it safe.
    """

    attribute: PrivateAttribute
    vr: str
    keep: bool = True


@cache
def _safe() -> dict[PrivateAttribute, tuple[str, str]]:
    """VR and VM of the table's attributes."""
    found = {}
    for line in read_table("ps315_safe_private.csv"):
        group, element = line["tag"].strip("()").split(",")
        key = PrivateAttribute(line["creator"].strip(), int(group, 16), int(element[-2:], 16))
        found[key] = (line["vr"], line["vm"])
    return found


class PrivateRules:
    """The rules of the private attributes of one instance.

    Parameters
    ----------
    header:
        The instance, for its Private Data Element Characteristics Sequence (0008,0300).
    listed:
        Whether the option 113111 is in force: then the standard's table and the file's own claim
        count.
    site:
        The site's rules, which come first.
    names:
        Whether the name of a creator tells of the patient: then the file's claim is none.
    """

    def __init__(
        self,
        header: RawDataSet,
        listed: bool,
        site: Iterable[SiteRule] = (),
        names: Callable[[str], bool] = lambda creator: False,  # noqa: ARG005
    ) -> None:
        self._listed = listed
        self._site = {rule.attribute: rule for rule in site}
        declared = _declared(header) if listed and _CHARACTERISTICS in header else frozenset()
        self._declared = frozenset(at for at in declared if not names(at.creator))
        self._creators = {(at.creator, at.group) for at in (*self._declared, *self._kept())}
        if listed:
            self._creators.update((at.creator, at.group) for at in _safe())

    @property
    def none_stays(self) -> bool:
        """Whether all private attributes go."""
        return not self._creators

    def of(self, dataset: RawDataSet, tag: int) -> Rule:
        """The rule of an attribute of an odd group.

        Parameters
        ----------
        dataset:
            The data set or item in which it stands: the creator is beside it (PS3.5 section 7.8.1).
        tag:
            The attribute.
        """
        group, element = tag >> 16, tag & 0xFFFF
        if 0x10 <= element <= 0xFF:
            known = (dataset.text(tag), group) in self._creators
            return _CREATOR_RULE if known else PRIVATE
        creator = dataset.text(group << 16 | element >> 8) if element > 0xFF else ""
        attribute = PrivateAttribute(creator, group, element & 0xFF)
        by_site = self._site.get(attribute)
        if by_site is not None:
            return _rule("site rule", by_site.vr, "1-n") if by_site.keep else PRIVATE
        entry = _safe().get(attribute) if self._listed else None
        if entry is not None:
            return _rule("E.3.10-1 safe private", *entry)
        return self._claimed(attribute, dataset[tag].vr)

    def of_reference(self, item: RawDataSet) -> Rule | None:
        """The rule of Private Creator Reference in an item of (0008,0300).

        It stays where the creator does, so that the claim is about what is there; ``None`` else.
        """
        groups = item[_GROUP].unsigned_shorts if _GROUP in item else ()
        known = any((item.text(_CREATOR), group) in self._creators for group in groups)
        return _CREATOR_RULE if known else None

    def _kept(self) -> list[PrivateAttribute]:
        return [at for at, rule in self._site.items() if rule.keep]

    def _claimed(self, attribute: PrivateAttribute, vr: str | None) -> Rule:
        block = attribute._replace(element=_WHOLE_BLOCK)
        if vr is None or self._declared.isdisjoint((attribute, block)):
            return PRIVATE
        return _rule("0008,0300 declared safe", vr, "1-n")


def _declared(header: RawDataSet) -> frozenset[PrivateAttribute]:
    """What the file says does not identify; a list that can't be read says nothing."""
    try:
        items = header[_CHARACTERISTICS].items
    except MalformedError:
        # The walk meets the same and removes the sequence; nothing is declared safe then.
        return frozenset()
    found: set[PrivateAttribute] = set()
    for item in items:
        groups = item[_GROUP].unsigned_shorts if _GROUP in item else ()
        if not groups:
            continue
        block = PrivateAttribute(item.text(_CREATOR), groups[0], _WHOLE_BLOCK)
        status = item.text(_STATUS)
        if status == "SAFE":
            found.add(block)
        elif status == "MIXED" and _NOT_IDENTIFYING in item:
            numbers = item[_NOT_IDENTIFYING].unsigned_shorts
            found.update(block._replace(element=number & 0xFF) for number in numbers)
    return frozenset(found)


@cache
def _rule(name: str, vr: str, multiplicity: str) -> Rule:
    if vr == "SQ":
        return Rule(name, vr, Fallback.REMOVE, action=Action.ITEMS, items=True)
    if vr == "UI":
        return Rule(name, vr, Fallback.REMOVE, values.uid, Action.UID)
    if vr in _CHECKS:
        return Rule(name, vr, Fallback.REMOVE, _CHECKS[vr])
    size = allowlist.numeric_size(vr)
    if size is None:
        return PRIVATE
    most = allowlist.most_values(multiplicity)
    return Rule(name, vr, Fallback.REMOVE, values.binary(vr, size, most))
