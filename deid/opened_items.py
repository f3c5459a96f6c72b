# SPDX-License-Identifier: Apache-2.0
"""Outgoing sequences, opened where something in their items changes and closed again."""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.datadict import dictionary_has_tag, dictionary_VR

from deid.attribute_types import type_of
from deid.elements import Element, Encoding
from deid.parsing import RawDataSet, RawElement
from deid.tag_paths import PathStep


class OpenedItems:
    """A data set whose items can be changed in place; items nobody opens stay as they are encoded.

    Parameters
    ----------
    elements:
        The outgoing data set by tag. It has the changes once ``close`` was called.
    encoding:
        How its sequences are encoded.
    """

    def __init__(self, elements: dict[int, Element], encoding: Encoding) -> None:
        self.elements = elements
        self._encoding = encoding
        self._opened: dict[int, list[OpenedItems]] = {}

    def at(self, steps: Sequence[PathStep]) -> dict[int, Element] | None:
        """The elements of the item to which steps lead; ``None`` where there is no such item."""
        if not steps:
            return self.elements
        (tag, number), *further = steps
        items = self._items(tag)
        return items[number - 1].at(further) if 0 < number <= len(items) else None

    def add(self, steps: Sequence[PathStep], count: int) -> None:
        """Put ``count`` empty items into the sequence at the end of the steps."""
        (tag, _), above = steps[-1], steps[:-1]
        holder = self
        for sequence, number in above:
            holder = holder._items(sequence)[number - 1]
        holder.elements[tag] = Element(tag, "SQ", b"")
        holder._opened[tag] = [OpenedItems({}, self._encoding) for _ in range(count)]

    def close(self, sop_class: str, parent: int | None = None) -> None:
        """Encode what was opened; a sequence that has only empty items left goes if it may."""
        for tag, items in self._opened.items():
            for item in items:
                item.close(sop_class, tag)
            optional = type_of(tag, sop_class, parent) in (None, "3")
            if optional and not any(item.elements for item in items):
                del self.elements[tag]
                continue
            inner = [[one.elements[each] for each in sorted(one.elements)] for one in items]
            self.elements[tag] = Element(tag, "SQ", self._encoding.items(inner))
        self._opened = {}

    def _items(self, tag: int) -> list[OpenedItems]:
        if tag not in self._opened:
            element = self.elements.get(tag)
            if element is None or element.vr != "SQ":
                return []
            encoding = self._encoding
            raw = RawElement("SQ", element.value, encoding.implicit, encoding.little_endian)
            self._opened[tag] = [OpenedItems(_elements(one), encoding) for one in raw.items]
        return self._opened[tag]


def _elements(item: RawDataSet) -> dict[int, Element]:
    return {
        tag: Element(tag, raw.vr or vr_of(tag)[:2], bytes(raw.value)) for tag, raw in item.items()
    }


def vr_of(tag: int, found: str | None = None) -> str:
    """VR by the data dictionary, else the one found."""
    return dictionary_VR(tag) if dictionary_has_tag(tag) else found or "UN"
