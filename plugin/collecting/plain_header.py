# SPDX-License-Identifier: AGPL-3.0-or-later
"""A data set from Orthanc's tags of an instance, without its pixels being fetched.

It has the identity of the original, which de-identification needs to find names in free text. It is
kept in memory only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

_SINGLE = frozenset(("LT", "ST", "UT", "UR"))
_TEXTS = (
    frozenset(("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "PN", "SH", "TM", "UC", "UI"))
    | _SINGLE
)
_DEEPEST = 4
# Orthanc answers in UTF-8 whatever the file has.
_UTF_8 = "ISO_IR 192"


def header_of(tags: Mapping[str, Any]) -> Dataset:
    """The texts, numbers as texts, and sequences of an instance.

    Args:
        tags: as ``/instances/{id}/simplified-tags`` answers. Private attributes, binary ones and
            those that the dictionary does not know are left out, and so are values that are not
            allowed.
    """
    header = _item(tags, _DEEPEST)
    header.SpecificCharacterSet = _UTF_8
    return header


def _item(tags: Mapping[str, Any], deepest: int) -> Dataset:
    item = Dataset()
    for keyword, value in tags.items():
        tag = tag_for_keyword(keyword)
        if tag is None or tag >> 16 <= 0x0002:
            continue
        vr = dictionary_VR(tag)
        if vr == "SQ" and isinstance(value, list) and deepest:
            items = [_item(one, deepest - 1) for one in value if isinstance(one, Mapping)]
            item.add_new(tag, vr, items)
        elif vr in _TEXTS and isinstance(value, str) and value.strip():
            _add(item, tag, vr, value)
    return item


def _add(item: Dataset, tag: int, vr: str, value: str) -> None:
    parts: Any = value if vr in _SINGLE or "\\" not in value else value.split("\\")
    try:
        item.add(DataElement(tag, vr, parts))
    except (ValueError, TypeError, OverflowError):
        return  # a number that is none says nothing of the anatomy
