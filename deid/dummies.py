# SPDX-License-Identifier: Apache-2.0
"""Values that say nothing, for elements that must have one."""

from __future__ import annotations

import re
import struct

from pydicom.datadict import (
    dictionary_has_tag,
    dictionary_keyword,
    dictionary_VM,
    dictionary_VR,
    keyword_for_tag,
)

from deid.attribute_types import required_in_items
from deid.elements import Element, Encoding

REMOVED = "REMOVED"
_TEXTS = {
    "AE": REMOVED, "AS": "000Y", "CS": "OTHER", "DA": "19000101", "DT": "19000101000000",
    "LO": REMOVED, "LT": REMOVED, "PN": REMOVED, "SH": REMOVED, "ST": REMOVED, "TM": "000000",
    "UC": REMOVED, "UR": "about:blank", "UT": REMOVED,
}  # fmt: skip
_SIZES = {"AT": 4, "SV": 8, "UV": 8, "OD": 8, "OF": 4, "OL": 4}
_NUMBERS = {"FD": "d", "FL": "f", "SL": "i", "SS": "h", "SV": "q", "UL": "I", "US": "H", "UV": "Q"}

# What a value of one would contradict, or what goes through the values of the image.
_IMAGE_TYPE = 0x00080008
_BY_TAG = {
    0x00281050: (1024,),  # Window Center and Width: all of 12 bits, with or without a rescale
    0x00281051: (4096,),
}
_AXES = (1, 0, 0, 0, 1, 0)
_IDENTITY = (1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1)
_NORMAL = (0, 0, 1)
_DIRECTION = re.compile(r"Orientation|Direction$|Normal|Axis$")
# Of places, shifts, angles and moments nothing is what says least; a size or a step of nothing
# would have a reader divide by it.
_NOTHING = re.compile(
    r"Position|Coordinate|Offset|Angle|Angulation|Tilt|Slew|Pitch|Intercept|Cent(?:er|re)|Origin"
    r"|Shift|Location|Displacement|Delay|TriggerTime|ReferenceTime|FirstValue|Edge|Corner|Point"
    r"|Correction|Baseline|Skew|Dose|Meterset|Threshold|Probability|Deviation|Padding|Range"
    r"|Altitude|Minimum|Flag|ContourData"
)
_FACTOR = re.compile(r"Scaling|Ratio|Slope|Factor|Number|Count")
_PIXEL_GROUP = 0x0028
_DEEPEST = 3

# A code that says that there was one (PS3.5 section 7.4: Type 1 must have a value).
_CODE = {0x00080100: REMOVED, 0x00080102: "99SIDELIGHT", 0x00080104: "Removed"}
_CONTENT_SEQUENCE = 0x0040A730
# PS3.3 section C.10.10: an annotation is a text unless it is a code; section C.10.5: a graphic
# annotation has texts or graphics, and a text has a point where it is not in a box.
_CONDITIONAL = {
    0x0040B020: {0x00700006: "1"},
    0x00700001: {0x00700008: "1"},
    0x00700008: {0x00700004: "1", 0x00700014: "1", 0x00700015: "1"},
}
_ENUMERATED = {_IMAGE_TYPE: b"DERIVED\\SECONDARY", 0x00700004: b"PIXEL", 0x00700015: b"N"}
_CONCEPT_NAME = 0x0040A043


def dummy_value(tag: int, vr: str, dummy_uid: str, encoding: Encoding) -> bytes:
    """A value of this attribute that says nothing: as many of its VR as the attribute must have.

    A number is one that a reader can work with: 1 for sizes, spacings, factors, counts and numbers
    of items, 0 for places, angles, offsets and moments, axes and matrices of an image that is not
    turned, and a window over all of 12 bits.

    Parameters
    ----------
    tag:
        The attribute.
    vr:
        Value Representation; of ``"US or SS"`` and the like the first.
    dummy_uid:
        What to write for a UI: a UID can't be without meaning, only without a known one.
    encoding:
        Byte order of the data set.
    """
    vr = vr[:2]
    if vr == "UI":
        return dummy_uid.encode("ascii")
    count = _least_values(tag)
    if tag in _ENUMERATED:
        return _ENUMERATED[tag]
    if vr in _TEXTS:
        return "\\".join([_TEXTS[vr]] * count).encode("ascii")
    if vr in ("DS", "IS"):
        return "\\".join(map(str, _numbers(tag, count))).encode("ascii")
    if vr in _NUMBERS:
        order = "<" if encoding.little_endian else ">"
        return struct.pack(f"{order}{count}{_NUMBERS[vr]}", *_numbers(tag, count))
    return bytes(_SIZES.get(vr, 2) * count)


def _numbers(tag: int, count: int) -> tuple[int, ...]:
    if tag in _BY_TAG:
        return _BY_TAG[tag]
    keyword = keyword_for_tag(tag)
    if count == len(_IDENTITY):
        return _IDENTITY
    if _DIRECTION.search(keyword) and count in (len(_AXES), len(_NORMAL)):
        return _AXES if count == len(_AXES) else _NORMAL
    binary = tag >> 16 == _PIXEL_GROUP and dictionary_VR(tag)[:2] in ("US", "SS")
    nothing = _NOTHING.search(keyword) and not _FACTOR.search(keyword)
    return (0 if binary or nothing else 1,) * count


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
            value = dummy_value(child, vr, dummy_uid, encoding)
        elements.append(Element(child, vr[:2], value))
    return elements


def _least_values(tag: int) -> int:
    least = dictionary_VM(tag).split("-", 1)[0] if dictionary_has_tag(tag) else ""
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
