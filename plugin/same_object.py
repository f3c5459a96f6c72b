# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether two files hold the same object, in whatever transfer syntax each is written.

Orthanc may store what it gets in another syntax (IngestTranscoding). Values are compared as they
are encoded, so nothing is decoded: pixel data of different encodings can't be told to be the same.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from io import BytesIO
from typing import Any

import pydicom
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag
from pydicom.valuerep import STR_VR, VR
from pydicom.values import convert_SQ

from plugin.results.discretion import values_unquoted

LOGGER = logging.getLogger(__name__)

_PIXEL_DATA = Tag("PixelData")
_OF_THE_ENCODING = frozenset(
    {_PIXEL_DATA, Tag("PhotometricInterpretation"), Tag("PlanarConfiguration")}
)
"""What compressing without loss may change (PS3.5 section 8.2)."""
_TRAILING_PADDING = Tag(0xFFFC, 0xFFFC)
_PADDING = b"\0 "
_UNKNOWN = "UN"


def same_object(
    stored: bytes, made: bytes, but: Collection[str] = (), *, just_stored: bool = False
) -> bool:
    """Whether two PS3.10 files hold the same values.

    Args:
        stored: one file.
        made: the other one.
        but: keywords of the data set that are left out.
        just_stored: whether the one is what Orthanc has just made of the other: pixel data of
            another encoding are the same then. Else they make another object.
    """
    with values_unquoted():
        try:
            first, second = (pydicom.dcmread(BytesIO(one)) for one in (stored, made))
            left_out = {Tag(keyword) for keyword in but}
            if _pixels(first) != _pixels(second):
                if not just_stored and any(_PIXEL_DATA in one for one in (first, second)):
                    return False
                left_out |= _OF_THE_ENCODING
            return _same(first, second, left_out)
        except Exception as error:  # noqa: BLE001
            # pydicom raises whatever a broken file provokes, and its messages can quote the file.
            LOGGER.warning("a stored object can't be compared (%s)", type(error).__name__)
            return False


def _pixels(dataset: Dataset) -> str:
    """How pixel data are encoded; both uncompressed little endian syntaxes encode them alike."""
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax is None or (syntax.is_little_endian and not syntax.is_encapsulated):
        return ""
    return str(syntax)


def _same(first: Dataset, second: Dataset, left_out: Collection[BaseTag] = ()) -> bool:
    tags = _tags(first, left_out)
    return tags == _tags(second, left_out) and all(
        _same_element(first, second, tag) for tag in tags
    )


def _tags(dataset: Dataset, left_out: Collection[BaseTag]) -> list[BaseTag]:
    return sorted(
        tag
        for tag in dataset.keys()  # noqa: SIM118 - a data set is no mapping: it iterates elements
        if tag.element != 0 and tag != _TRAILING_PADDING and tag not in left_out
    )


def _same_element(first: Dataset, second: Dataset, tag: BaseTag) -> bool:
    sequences = [_has_items(one, tag) for one in (first, second)]
    if not any(sequences):
        told = [_representation(one, tag) for one in (first, second)]
        # A private value in an implicit syntax: nothing tells what it is, but the other file.
        by = told[1] if told[0] == _UNKNOWN else told[0]
        return _unpadded(_encoded(first, tag), by) == _unpadded(_encoded(second, tag), by)
    one, other = _items(first, tag), _items(second, tag)
    return len(one) == len(other) and all(map(_same, one, other))


def _has_items(dataset: Dataset, tag: BaseTag) -> bool:
    return _representation(dataset, tag) == "SQ"


def _representation(dataset: Dataset, tag: BaseTag) -> str:
    """Value Representation (PS3.5 section 6.2), or UN where the file does not tell."""
    found: Any = dataset.get_item(tag)  # raw, if nobody has decoded it
    if found.VR is None:  # as an implicit syntax leaves it
        return dictionary_VR(tag) if dictionary_has_tag(tag) else _UNKNOWN
    return str(found.VR)


def _items(dataset: Dataset, tag: BaseTag) -> Sequence:
    if _has_items(dataset, tag):
        items: Sequence = dataset[tag].value
        return items
    # A private sequence in an implicit syntax: nothing tells what it is, but the other file.
    value = dataset.get_item(tag).value
    return convert_SQ(
        value if isinstance(value, bytes) else b"", is_implicit_VR=True, is_little_endian=True
    )


def _encoded(dataset: Dataset, tag: BaseTag) -> bytes:
    """The value as it stands in a file of little endian syntax."""
    found: Any = dataset.get_item(tag)  # raw, if nobody has decoded it
    if isinstance(found, RawDataElement) and found.is_little_endian:
        return found.value or b""
    written = DicomBytesIO()
    written.is_implicit_VR, written.is_little_endian = True, True
    write_data_element(written, dataset[tag], dataset._character_set)
    return bytes(written.getvalue())[8:]


def _unpadded(value: bytes, representation: str) -> bytes:
    """Without what makes its length even (PS3.5 section 6.2): numbers end in such bytes, too."""
    if representation in STR_VR:
        return value.rstrip(_PADDING)
    return value.removesuffix(b"\0") if representation in (VR.OB, VR.UN) else value
