# SPDX-License-Identifier: AGPL-3.0-or-later
"""Standard entries in an instance that is being de-identified, before it is sealed.

The Original Attributes Sequence gets what de-identification left of a value, never the original's;
the time of the change moves with the dates of the instance, or says nothing where those are gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

from deid.elements import Element
from deid.report import Action, ElementRecord
from deid.stages import Instance
from plugin.results.private import PRIVATE_CREATOR, PRIVATE_GROUP, PrivateElement
from plugin.standardization.arriving import Wanted
from plugin.standardization.original_attributes import MODIFYING_SYSTEM, now

_STUDY_DATE: Final = 0x00080020
_ORIGINAL_ATTRIBUTES: Final = 0x04000561
_RULE = "standard entry"
_NO_DATE = "19000101000000"
_SIGNATURES = (0x4FFE0001, 0xFFFAFFFA)
"""MAC Parameters and Digital Signatures: removed by the profile, and here where it kept them."""


class StandardEntriesStage:
    """A stage of ``deid`` that writes what is wanted at the moment; else it does nothing."""

    def __init__(self) -> None:
        self._wanted: Callable[[], Wanted] | None = None
        self.changed = False
        """Whether the last instance was changed."""

    @contextmanager
    def writing(self, wanted: Callable[[], Wanted]) -> Iterator[None]:
        """Write these entries into the instances that go through inside.

        Args:
            wanted: is asked when an instance has come through all stages before: what is refused,
                or has its standard header and its seal already, decides for no other.
        """
        self._wanted, self.changed = wanted, False
        try:
            yield
        finally:
            self._wanted = None

    def apply(self, instance: Instance) -> None:
        """Write the entries and what stood there."""
        if self._wanted is None:
            return
        wanted = self._wanted()
        changes = wanted.changes(_texts(instance, list(wanted.entries)))
        if not changes:
            return
        elements = dict(instance.elements)
        added = [
            key for key, value in changes.items() if value is not None and _tag(key) not in elements
        ]
        before = [
            elements.pop(tag)
            for tag in sorted((*map(_tag, changes), *_SIGNATURES))
            if tag in elements
        ]
        for keyword, value in changes.items():
            if value is not None:
                tag = _tag(keyword)
                elements[tag] = Element(tag, dictionary_VR(tag), value.encode("ascii"))
        elements[_ORIGINAL_ATTRIBUTES] = _original_attributes(instance, before, added, wanted)
        instance.elements = dict(sorted(elements.items()))
        for tag in (*map(_tag, changes), _ORIGINAL_ATTRIBUTES):
            instance.records.append(ElementRecord(f"{tag:08X}", _RULE, Action.ADDED))
        self.changed = True


def _texts(instance: Instance, keywords: Sequence[str]) -> dict[str, str]:
    tags = [tag for tag in map(_tag, keywords) if tag in instance.elements]
    return {
        keyword_for_tag(tag): bytes(instance.elements[tag].value)
        .decode("ascii", "replace")
        .strip(" \0")
        for tag in tags
    }


def _original_attributes(
    instance: Instance, before: list[Element], added: list[str], wanted: Wanted
) -> Element:
    """Original Attributes Sequence (0400,0561) with one item more (PS3.3 C.12.1.1.9)."""
    encoding = instance.encoding
    item = [
        Element(0x04000550, "SQ", encoding.items([before])),
        Element(0x04000562, "DT", _moment(instance).encode("ascii")),
        Element(0x04000563, "LO", MODIFYING_SYSTEM.encode("ascii")),
        Element(0x04000564, "LO", wanted.source.encode("ascii", "replace")),
        Element(0x04000565, "CS", wanted.reason.encode("ascii")),
    ]
    if added:
        creator = (PRIVATE_GROUP << 16) + 0x10
        item.append(Element(creator, "LO", PRIVATE_CREATOR.encode("ascii")))
        number = (PRIVATE_GROUP << 16) + 0x1000 + PrivateElement.ADDED
        item.append(Element(number, "LO", "\\".join(added).encode("ascii")))
    earlier = instance.elements.get(_ORIGINAL_ATTRIBUTES)
    value = bytes(earlier.value) if earlier else b""
    return Element(_ORIGINAL_ATTRIBUTES, "SQ", value + encoding.items([item]))


def _moment(instance: Instance) -> str:
    """Now, moved as Study Date was: the real time would say when the patient was there."""
    kept = instance.elements.get(_STUDY_DATE)
    before = _date(instance.original.header.text(_STUDY_DATE))
    after = _date(bytes(kept.value).decode("ascii", "replace") if kept else "")
    if before is None or after is None:
        return _NO_DATE
    real = now()
    day = datetime.strptime(real[:8], "%Y%m%d") + (after - before)  # noqa: DTZ007 - a bare date
    return day.strftime("%Y%m%d") + real[8:]


def _date(text: str) -> datetime | None:
    try:
        return datetime.strptime(text.strip(" \0"), "%Y%m%d")  # noqa: DTZ007 - a bare date
    except ValueError:
        return None


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return tag
