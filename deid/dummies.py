# SPDX-License-Identifier: Apache-2.0
"""Values that say nothing, for elements that must have one."""

from __future__ import annotations

from pydicom.datadict import dictionary_keyword, dictionary_VM, dictionary_VR

from deid.attribute_types import required_in_items
from deid.elements import Element, Encoding

REMOVED = "REMOVED"
_TEXTS = {
    "AE": REMOVED, "AS": "000Y", "CS": "OTHER", "DA": "19000101", "DS": "0",
    "DT": "19000101000000", "IS": "0", "LO": REMOVED, "LT": REMOVED, "PN": REMOVED, "SH": REMOVED,
    "ST": REMOVED, "TM": "000000", "UC": REMOVED, "UR": "about:blank", "UT": REMOVED,
}  # fmt: skip
_SIZES = {"AT": 4, "FD": 8, "FL": 4, "SL": 4, "SV": 8, "UL": 4, "UV": 8, "OD": 8, "OF": 4, "OL": 4}
_DEEPEST = 3

# A code that says that there was one (PS3.5 section 7.4: Type 1 must have a value).
_CODE = {0x00080100: REMOVED, 0x00080102: "99SIDELIGHT", 0x00080104: "Removed"}
_CONTENT_SEQUENCE = 0x0040A730
# PS3.3 section C.10.10: an annotation is a text unless it is a code.
_CONDITIONAL = {0x0040B020: {0x00700006: "1"}}
_CONCEPT_NAME = 0x0040A043


def dummy_value(vr: str, dummy_uid: str, count: int = 1) -> bytes:
    """A value of this VR that says nothing.

    Parameters
    ----------
    vr:
        Value Representation; of ``"US or SS"`` and the like the first.
    dummy_uid:
        What to write for a UI: a UID can't be without meaning, only without a known one.
    count:
        How many values.
    """
    vr = vr[:2]
    if vr == "UI":
        return dummy_uid.encode("ascii")
    if vr in _TEXTS:
        return "\\".join([_TEXTS[vr]] * count).encode("ascii")
    return bytes(_SIZES.get(vr, 2) * count)


def dummy_items(tag: int, encoding: Encoding, dummy_uid: str) -> bytes:
    """One item with what the standard requires of the items of this sequence, in dummies."""
    return encoding.items([_item(tag, encoding, dummy_uid, 0)])


def _item(tag: int, encoding: Encoding, dummy_uid: str, depth: int) -> list[Element]:
    if tag == _CONTENT_SEQUENCE:
        return _comment(encoding)
    if dictionary_keyword(tag).endswith("CodeSequence"):
        return _code(_CODE)
    required = {**required_in_items(tag), **_CONDITIONAL.get(tag, {})}
    elements = []
    for child, kind in sorted(required.items()) if depth < _DEEPEST else ():
        vr = dictionary_VR(child)
        if kind == "2":
            value = b""
        elif vr == "SQ":
            value = encoding.items([_item(child, encoding, dummy_uid, depth + 1)])
        else:
            value = dummy_value(vr, dummy_uid, _least_values(child))
        elements.append(Element(child, vr[:2], value))
    return elements


def _least_values(tag: int) -> int:
    least = dictionary_VM(tag).split("-", 1)[0]
    return int(least) if least.isdigit() else 1


def _code(values: dict[int, str]) -> list[Element]:
    return [
        Element(tag, "LO" if tag == 0x00080104 else "SH", text.encode("ascii"))
        for tag, text in values.items()
    ]


def _comment(encoding: Encoding) -> list[Element]:
    """A text content item (PS3.3 section C.17.3) that says that the content was removed."""
    name = {0x00080100: "121106", 0x00080102: "DCM", 0x00080104: "Comment"}
    return [
        Element(0x0040A010, "CS", b"CONTAINS"),
        Element(0x0040A040, "CS", b"TEXT"),
        Element(_CONCEPT_NAME, "SQ", encoding.items([_code(name)])),
        Element(0x0040A160, "UT", REMOVED.encode("ascii")),
    ]
