# SPDX-License-Identifier: Apache-2.0
"""Values that a person redacts or keeps, wherever in an instance they stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from deid.attribute_types import type_of
from deid.context import encodings_of
from deid.corrections import DECIDED, Corrections
from deid.dummies import dummy_value
from deid.elements import Element
from deid.errors import CorrectionError
from deid.identifiers import IDENTIFIERS, decoded_text, denied_words, elements_of
from deid.opened_items import OpenedItems, vr_of
from deid.options import Option
from deid.parsing import RawDataSet
from deid.profile import row_of
from deid.report import Action, ElementRecord
from deid.stages import Instance
from deid.tag_paths import PathStep, TagPath, item_at, shown_path
from deid.vocabulary import folded, words_of

_CHARACTER_SET = 0x00080005
_KEPT_VRS = frozenset({"AS", "CS", "DS", "IS", "LO", "LT", "SH", "ST", "UC", "UT"})
_REDACTED_VRS = _KEPT_VRS | {"AE", "DA", "DT", "PN", "TM", "UR"}
# What says how the rest is to be read, what is shown, what a content item is, and what was done.
_FIXED = frozenset(
    {_CHARACTER_SET, 0x00080008, 0x00080060, 0x0040A010, 0x0040A040, 0x00120062, 0x00120063}
)
_PATIENT_GROUP, _IMAGE_GROUP = 0x0010, 0x0028
_LAST_CREATOR = 0xFF
_BY_TYPE = {"1": Action.DUMMY, "1C": Action.DUMMY, "2": Action.EMPTIED, "2C": Action.EMPTIED}


def may_be_redacted(tag: int, vr: str) -> bool:
    """Whether a person may take this element's value away."""
    if tag & 0x10000:
        # Nothing has to have a private element; its creator stays for those beside it.
        return tag & 0xFFFF > _LAST_CREATOR
    return vr in _REDACTED_VRS and tag not in _FIXED and tag >> 16 != _IMAGE_GROUP


def may_be_kept(tag: int, vr: str) -> bool:
    """Whether a person may keep this element's original value.

    Those are descriptors (PS3.15 section E.3.5) and attributes that Table E.1-1 does not have.
    """
    group = tag >> 16
    if group & 1 or group in (_PATIENT_GROUP, _IMAGE_GROUP) or tag in IDENTIFIERS | _FIXED:
        return False
    row = row_of(tag)
    return vr in _KEPT_VRS and (row is None or Option.CLEAN_DESCRIPTORS in row.options)


def treated_item_by_item(records: Iterable[ElementRecord]) -> frozenset[str]:
    """The items, as text, whose elements were treated one by one; the top is ``""``."""
    return frozenset(record.path.rpartition(".")[0] for record in records)


class CorrectedTagsStage:
    """Redacts and keeps values as a person decided.

    Parameters
    ----------
    corrections:
        By original SOP Instance UID.
    """

    def __init__(self, corrections: Mapping[str, Corrections]) -> None:
        self._corrections = corrections

    def apply(self, instance: Instance) -> None:
        """Correct the elements.

        Raises
        ------
        CorrectionError
            If an element can't be redacted or kept; says which and why.
        """
        correction = self._corrections.get(instance.original.sop_instance)
        if correction is None or not (correction.kept or correction.redacted):
            return
        change = _Change(instance)
        if correction.kept:
            change.keep(sorted(correction.kept))
        for path in sorted(correction.redacted):
            change.redact(path)
        change.done()


class _Change:
    """The corrections of one instance, carried out together."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._header = instance.original.header
        self._opened = OpenedItems(instance.elements, instance.encoding)
        self._places = {record.path: at for at, record in enumerate(instance.records)}
        self._treated = treated_item_by_item(instance.records)

    def keep(self, paths: Sequence[TagPath]) -> None:
        """Put original values in the place of what was made of them."""
        encodings = encodings_of(self._header.text(_CHARACTER_SET))
        denied = denied_words(elements_of(self._header), encodings)
        for path in paths:
            item = item_at(self._header, path.above)
            element = None if item is None else item.get(path.tag)
            if item is None or element is None or element.has_items:
                raise CorrectionError(f"{self._named(path)} is not there to be kept")
            vr = vr_of(path.tag, element.vr)
            if not may_be_kept(path.tag, vr):
                raise CorrectionError(
                    f"{self._named(path)} may not be kept: it can identify somebody"
                )
            text = decoded_text(element, self._encodings(path.above) or encodings)
            if not denied.isdisjoint(map(folded, words_of(text))):
                raise CorrectionError(
                    f"{self._named(path)} may not be kept: "
                    "it has a name or number of the same header"
                )
            self._item(path)[path.tag] = Element(path.tag, vr, bytes(element.value))
            self._record(path, Action.KEPT)

    def redact(self, path: TagPath) -> None:
        """Take a value away, as far as the attribute's Type lets it."""
        elements = self._opened.at(path.above)
        element = elements.get(path.tag) if elements is not None else None
        if elements is None or element is None:
            return
        if not may_be_redacted(path.tag, element.vr):
            raise CorrectionError(
                f"{self._named(path)} can't be redacted: the object could not be read"
            )
        kind = type_of(path.tag, self._instance.original.sop_class, path.parent)
        action = _BY_TYPE.get(kind or "3", Action.REMOVED)
        if action is Action.REMOVED:
            del elements[path.tag]
        else:
            encoding = self._instance.encoding
            dummy = dummy_value(path.tag, element.vr, "", encoding)
            value = dummy if action is Action.DUMMY else b""
            elements[path.tag] = Element(path.tag, element.vr, value)
        self._record(path, action)

    def done(self) -> None:
        """Encode the sequences that were opened."""
        self._opened.close(self._instance.original.sop_class)

    def _item(self, path: TagPath) -> dict[int, Element]:
        """Where a kept value goes: an item that was treated, made again where none of it stayed."""
        for depth in range(1, len(path)):
            steps = path[:depth]
            sequence = TagPath((*steps[:-1], PathStep(steps[-1].tag)))
            if self._is_itemised(sequence) and self._opened.at(steps) is not None:
                continue
            if ".".join(map(str, steps)) not in self._treated:
                raise CorrectionError(
                    f"{self._named(path)} may not be kept: its sequence goes as a whole"
                )
            self._opened.add(steps, self._count(steps))
            self._record(sequence, Action.ITEMS)
        found = self._opened.at(path.above)
        if found is None:
            raise CorrectionError(f"{self._named(path)} is not there to be kept")
        return found

    def _is_itemised(self, sequence: TagPath) -> bool:
        """Whether the items that leave are those that came, not a dummy in their place."""
        at = self._places.get(str(sequence))
        return at is not None and self._instance.records[at].action is Action.ITEMS

    def _count(self, steps: Sequence[PathStep]) -> int:
        holder = item_at(self._header, steps[:-1]) or RawDataSet()
        return len(holder[steps[-1].tag].items)

    def _encodings(self, above: Sequence[PathStep]) -> tuple[str, ...]:
        """Of the innermost item that has a character set of its own; none: the header's."""
        for depth in range(len(above), 0, -1):
            item = item_at(self._header, above[:depth])
            if item is not None and _CHARACTER_SET in item:
                return encodings_of(item.text(_CHARACTER_SET))
        return ()

    def _record(self, path: TagPath, action: Action) -> None:
        records, text = self._instance.records, str(path)
        at = self._places.get(text)
        if at is not None:
            records[at] = records[at]._replace(rule=DECIDED, action=action)
            return
        self._places[text] = len(records)
        records.append(ElementRecord(text, DECIDED, action))

    def _named(self, path: TagPath) -> str:
        # By numbers: a creator's name is a value of the header.
        return shown_path(path, RawDataSet())
