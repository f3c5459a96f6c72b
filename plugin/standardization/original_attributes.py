# SPDX-License-Identifier: AGPL-3.0-or-later
"""Changing attributes so that what stood there stays on record, in the instance itself.

Every change adds an item to the Original Attributes Sequence (PS3.3 C.12.1.1.9): what was there,
by whom and when it was changed, and why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from typing import Literal

from pydicom import config
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.valuerep import validate_value

from plugin import __version__
from plugin.results import header as read
from plugin.results.private import MANUFACTURER, PrivateElement, mark

Reason = Literal["COERCE", "CORRECT"]
"""Reason for the Attribute Modification (0400,0565): made standard, or a wrong value replaced."""

MODIFYING_SYSTEM = f"{MANUFACTURER} {__version__}"
_UNDECODED = "\N{REPLACEMENT CHARACTER}"
_SIGNATURES = ("DigitalSignaturesSequence", "MACParametersSequence")
"""They no longer hold once an attribute has changed (PS3.3 C.12.1.1.3)."""


def stored_values(dataset: Dataset, keywords: Iterable[str]) -> dict[str, bytes]:
    """The bytes of attributes as they came, of those of which nothing has been read yet.

    What was read is text, and text is not always what the bytes said: a character set that is
    declared wrong leaves replacement characters.
    """
    found: dict[str, object] = {
        keyword: dataset.get_item(keyword) for keyword in keywords if keyword in dataset
    }
    return {
        keyword: element.value
        for keyword, element in found.items()
        if isinstance(element, RawDataElement) and isinstance(element.value, bytes)
    }


def change(
    dataset: Dataset,
    changes: Mapping[str, str | None],
    reason: Reason = "COERCE",
    source: str = "",
    stored: Mapping[str, bytes] | None = None,
) -> None:
    """Set attributes anew, and keep on record what they were.

    Args:
        dataset: is changed.
        changes: values by DICOM keyword, each valid for its VR; None removes the attribute.
        reason: why.
        source: Source of Previous Values (0400,0564); empty where it is not known.
        stored: the bytes that lie in the file, by keyword; of the data set itself if left out.
    """
    stored = stored_values(dataset, changes) if stored is None else stored
    before, nonconforming = Dataset(), []
    added = [key for key, value in changes.items() if value is not None and key not in dataset]
    for keyword in (*changes, *_SIGNATURES):
        if keyword not in dataset:
            continue  # an attribute that is new has no original value (PS3.3 C.12.1.1.9)
        element = dataset[keyword]
        if _conforms(element):
            # A copy of the element: setting the attribute anew would change this one too.
            before.add(deepcopy(element))
        else:
            nonconforming.append(_as_bytes(element, stored.get(keyword)))
    _set(dataset, changes)
    item = Dataset()
    item.SourceOfPreviousValues = source
    item.AttributeModificationDateTime = now()
    item.ModifyingSystem = MODIFYING_SYSTEM
    item.ReasonForTheAttributeModification = reason
    item.ModifiedAttributesSequence = [before]
    if nonconforming:
        item.NonconformingModifiedAttributesSequence = nonconforming
    if added:
        # Without it nobody could tell later which values are ours (PS3.5 section 7.8).
        mark(item, {PrivateElement.ADDED: "\\".join(added)})
    earlier = read.items(dataset, "OriginalAttributesSequence")
    dataset.OriginalAttributesSequence = [*earlier, item]


def now() -> str:
    """Attribute Modification DateTime (0400,0562), in UTC."""
    return datetime.now(UTC).strftime("%Y%m%d%H%M%S+0000")


def _set(dataset: Dataset, changes: Mapping[str, str | None]) -> None:
    for keyword in _SIGNATURES:
        if keyword in dataset:
            del dataset[keyword]
    for keyword, value in changes.items():
        if value is not None:
            setattr(dataset, keyword, value)
        elif keyword in dataset:
            del dataset[keyword]


def _conforms(element: DataElement) -> bool:
    if _UNDECODED in str(element.value):
        return False
    try:
        validate_value(element.VR, element.value, config.RAISE)
    except read.UNREADABLE:
        return False
    return True


def _as_bytes(element: DataElement, stored: bytes | None) -> Dataset:
    """An item of the Nonconforming Modified Attributes Sequence (PS3.3 Table C.12-1)."""
    item = Dataset()
    item.SelectorAttribute = Tag(element.tag)
    item.SelectorValueNumber = 0
    value = str(element.value).encode("utf-8", "replace") if stored is None else stored
    item.NonconformingDataElementValue = value + b"\0" * (len(value) % 2)
    return item
