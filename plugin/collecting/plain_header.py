# SPDX-License-Identifier: AGPL-3.0-or-later
"""A data set from Orthanc's tags of an instance, without its pixels being fetched.

It has the identity of the original, which de-identification needs to find names in free text. It is
kept in memory only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from plugin.results.private import PRIVATE_GROUP

_SINGLE = frozenset(("LT", "ST", "UT", "UR"))
_TEXTS = (
    frozenset(("AE", "AS", "AT", "CS", "DA", "DS", "DT", "IS", "LO", "PN", "SH", "TM", "UC", "UI"))
    | _SINGLE
)
_DEEPEST = 4
_RECORD = "0400,0561"
"""Original Attributes Sequence."""
_NUMBER = re.compile(r"[0-9a-fA-F]{4},[0-9a-fA-F]{4}")
# Orthanc answers in UTF-8 whatever the file has.
_UTF_8 = "ISO_IR 192"


def header_of(tags: Mapping[str, Any]) -> Dataset:
    """The texts, numbers as texts, and sequences of an instance.

    Args:
        tags: as ``/instances/{id}/simplified-tags`` or ``/instances/{id}/tags?short`` answers.
            Private attributes but Sidelight's own, binary ones and those that the dictionary does
            not know are left out, and so are values that are not allowed.
    """
    header = _item(tags, _DEEPEST)
    header.SpecificCharacterSet = _UTF_8
    return header


def is_untold(numbered: Mapping[str, Any]) -> bool:
    """Whether Orthanc holds back a value of ours in the record of changes, whose VR it can't know.

    Args:
        numbered: as ``/instances/{id}/tags?short`` answers.
    """
    record = numbered.get(_RECORD)
    ours = f"{PRIVATE_GROUP:04x},"
    return any(
        value is None and name.lower().startswith(ours)
        for item in (record if isinstance(record, list) else ())
        for name, value in (item.items() if isinstance(item, Mapping) else ())
    )


def _item(tags: Mapping[str, Any], deepest: int) -> Dataset:
    item = Dataset()
    for name, value in tags.items():
        tag = _number(name)
        if tag is None or tag >> 16 <= 0x0002:
            continue
        vr = "LO" if tag >> 16 == PRIVATE_GROUP else dictionary_VR(tag)
        if vr == "SQ" and isinstance(value, list) and deepest:
            items = [_item(one, deepest - 1) for one in value if isinstance(one, Mapping)]
            item.add_new(tag, vr, items)
        elif vr in _TEXTS and isinstance(value, str) and value.strip():
            _add(item, tag, vr, value)
    return item


def _number(name: str) -> int | None:
    """A tag by keyword or by number (``0018,0015``); None for what nobody here can read."""
    if not _NUMBER.fullmatch(name):
        return tag_for_keyword(name)
    tag = int(name.replace(",", ""), 16)
    return tag if tag >> 16 == PRIVATE_GROUP or keyword_for_tag(tag) else None


def _add(item: Dataset, tag: int, vr: str, value: str) -> None:
    parts: Any = value if vr in _SINGLE or "\\" not in value else value.split("\\")
    if vr == "AT":
        parts = [int(one.replace(",", ""), 16) for one in _NUMBER.findall(value)]
    try:
        # Not validated: warnings quote the value, whoever asks for the header.
        item.add(DataElement(tag, vr, parts, validation_mode=IGNORE))
    except (ValueError, TypeError, OverflowError):
        return  # a number that is none says nothing of the anatomy
