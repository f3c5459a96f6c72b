# SPDX-License-Identifier: AGPL-3.0-or-later
"""The private block by which Sidelight knows its own objects again (PS3.5 section 7.8).

What is stored comes back as a new instance; without this mark it would be analysed in turn.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MANUFACTURER = "Sidelight"
PRIVATE_CREATOR = "SIDELIGHT"
PRIVATE_GROUP = 0x5349
STANDARDIZED_COPY = "standardized copy"
"""Purpose of a scan with a standard header, here and as Contribution Description."""


class PrivateElement(IntEnum):
    """Element numbers inside the block, all LO; listed in ``docs/results.md``."""

    OUTCOME = 0x01
    MODEL = 0x02
    MODEL_VERSION = 0x03
    MODEL_DIGEST = 0x04
    CONFIGURATION_DIGEST = 0x05
    SOFTWARE_VERSION = 0x06
    PURPOSE = 0x10
    ADDED = 0x11
    """In an item of the Original Attributes Sequence: keywords of what was not there before."""


def mark(dataset: Dataset, values: dict[PrivateElement, str]) -> None:
    """Write the private block; empty values are left out."""
    block = dataset.private_block(PRIVATE_GROUP, PRIVATE_CREATOR, create=True)
    for element, value in values.items():
        if value:
            block.add_new(element, "LO", value)


def is_own_object(header: Dataset) -> bool:
    """Whether the header carries the private creator of Sidelight.

    Works on any header, also one read from Orthanc's DICOM JSON or without a known VR.
    """
    for element in range(0x10, 0x100):
        tag = (PRIVATE_GROUP, element)
        if tag in header and _text(header[tag].value) == PRIVATE_CREATOR:
            return True
    return False


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("ascii", "replace").strip(" \0")
    return str(value).strip(" \0")
