# SPDX-License-Identifier: AGPL-3.0-or-later
"""An instance with a standard header in place of its own: before it is stored, and read again."""

from __future__ import annotations

import io
from copy import deepcopy

import pydicom
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import data_element_generator
from pydicom.multival import MultiValue
from pydicom.tag import Tag

from plugin.results.discretion import values_unquoted
from plugin.results.header import items, text
from plugin.results.private import (
    MANUFACTURER,
    PRIVATE_CREATOR,
    PRIVATE_GROUP,
    PrivateElement,
)
from plugin.standardization.arriving import Wanted
from plugin.standardization.entries import ChangedOnArrival
from plugin.standardization.original_attributes import change, stored_values

_VRS_OF_PIXELS = (b"OB", b"OW", b"OF", b"OD", b"UN")
# Float, double and integer pixels are (7FE0,0008) to (7FE0,0010), PS3.3 C.7.6.24 and C.7.6.25.
_FIRST_OF_PIXELS = 0x7FE00000
_LONG = 1 << 10


def standardized(received: bytes, wanted: Wanted) -> bytes | None:
    """A received file with the wanted entries; None where its header has them all.

    UIDs, pixel data and transfer syntax stay as they are. Pixels, and what follows them, go over as
    they lie in the file: read and written anew, a long loop would be there several times.

    Args:
        received: a PS3.10 file.
        wanted: entries, why, and from whom the file came.

    Raises:
        Exception: whatever a broken file provokes in pydicom.
    """
    with values_unquoted():
        dataset, rest = _parted(received)
        stored = stored_values(dataset, wanted.entries)
        present = {key: text(dataset, key) for key in wanted.entries if key in dataset}
        changes = wanted.changes(present)
        if not changes:
            return None
        change(dataset, changes, wanted.reason, wanted.source, stored)
        buffer = io.BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
    with buffer.getbuffer() as header:
        return b"".join((header, rest))


def _parted(received: bytes) -> tuple[Dataset, memoryview]:
    """What lies before the pixel data, and the bytes from there on.

    Where the data set is written otherwise than the transfer syntax says, where it is deflated, and
    where part of the header follows the pixel data, all of it is read: it is written anew as a
    whole.
    """
    file = io.BytesIO(received)
    header = pydicom.dcmread(file, stop_before_pixels=True)
    syntax = header.file_meta.get("TransferSyntaxUID")
    if syntax and not syntax.is_deflated:
        said = (syntax.is_implicit_VR, syntax.is_little_endian)
        rest = memoryview(received)[file.tell() :]
        if _is_written(header, rest, said) and _ascends(file, said):
            return header, rest
    return pydicom.dcmread(io.BytesIO(received)), memoryview(b"")


def _is_written(header: Dataset, rest: memoryview, said: tuple[bool, bool]) -> bool:
    """Whether a data set is in the encoding, implicit VR and little endian, that the file says.

    pydicom finds out about each element, and keeps for the whole what the file says.
    """
    elements: list[object] = list(map(header.get_item, header.keys()))
    raw = [one for one in elements if isinstance(one, RawDataElement)]
    found = {(one.is_implicit_VR, one.is_little_endian) for one in raw}
    # The VRs of pixels, read as a length, are odd: no length is (PS3.5 7.1.1).
    implicit = bytes(rest[4:6]) not in _VRS_OF_PIXELS
    return found == {said} and (not rest or implicit == said[0])


def _ascends(file: io.BytesIO, said: tuple[bool, bool]) -> bool:
    """Whether what follows the pixel data belongs there (PS3.5 7.1), from where a file is read."""
    # What is long is passed over.
    following = data_element_generator(file, *said, defer_size=_LONG)
    return all(element.tag >= _FIRST_OF_PIXELS for element in following)


def changed_on_arrival(header: Dataset) -> ChangedOnArrival | None:
    """What Sidelight changed in an instance before it was stored; None: nothing."""
    ours = _ours(header)
    if not ours:
        return None
    found = {
        keyword
        for item in ours
        for keyword in (*_before(item), *_nonconforming(item), *_added(item))
    }
    reasons = {text(item, "ReasonForTheAttributeModification") for item in ours}
    return ChangedOnArrival(
        keywords=tuple(sorted(found)), reason="CORRECT" if "CORRECT" in reasons else "COERCE"
    )


def as_it_came(header: Dataset) -> Dataset | None:
    """The header with what stood there before Sidelight changed it; None where it did not.

    Who recognizes anatomy must not read the answer of an earlier look.
    """
    ours = _ours(header)
    if not ours:
        return None
    restored = deepcopy(header)
    del restored.OriginalAttributesSequence
    for item in reversed(ours):
        for keyword in _added(item):
            if keyword in restored:
                delattr(restored, keyword)
        for before in items(item, "ModifiedAttributesSequence"):
            restored.update(before)
        for keyword, value in _nonconforming(item).items():
            _put_back(restored, keyword, value)
    return restored


def _put_back(restored: Dataset, keyword: str, value: bytes) -> None:
    """A value that breaks its VR, as the bytes that it was; it is read as any other of the file."""
    if keyword in restored:
        delattr(restored, keyword)
    if value:
        tag = Tag(keyword)
        vr = dictionary_VR(tag)
        restored[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)


def _ours(header: Dataset) -> list[Dataset]:
    return [item for item in items(header, "OriginalAttributesSequence") if is_ours(item)]


def is_ours(item: Dataset) -> bool:
    """Whether an item of the Original Attributes Sequence is about a change by Sidelight."""
    return text(item, "ModifyingSystem").startswith(f"{MANUFACTURER} ")


def _before(item: Dataset) -> list[str]:
    return [
        element.keyword
        for before in items(item, "ModifiedAttributesSequence")
        for element in before
        if element.keyword
    ]


def _nonconforming(item: Dataset) -> dict[str, bytes]:
    """Values that broke their VR, by keyword; empty where who read the header left them out."""
    found = {}
    for one in items(item, "NonconformingModifiedAttributesSequence"):
        tag = one.get("SelectorAttribute")
        if isinstance(tag, int) and (keyword := keyword_for_tag(tag)):
            value = one.get("NonconformingDataElementValue")
            found[keyword] = value if isinstance(value, bytes) else b""
    return found


def _added(item: Dataset) -> list[str]:
    try:
        block = item.private_block(PRIVATE_GROUP, PRIVATE_CREATOR)
        value: object = block[PrivateElement.ADDED].value
    except KeyError:
        return []
    if isinstance(value, bytes):
        # Implicit VR names none, and no dictionary knows ours: it reads as UN (PS3.5 6.2.2).
        value = value.decode("ascii", "replace")
    values = value.split("\\") if isinstance(value, str) else value
    if not isinstance(values, list | MultiValue):
        return []
    return [word for one in values if (word := str(one).strip(" \0"))]
