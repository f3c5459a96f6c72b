# SPDX-License-Identifier: AGPL-3.0-or-later
"""Result objects as PS3.10 files: Explicit VR Little Endian, text in UTF-8.

pydicom looks at every element of every nested item again for character sets, undefined lengths and
ambiguous VRs; a report of a thousand items or a segmentation of as many frames takes it longer to
write than to make. Result objects are known to have none of that, and elements that stand in many
items are encoded once. Byte for byte the file is the one that pydicom writes; tests hold both
against each other.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import correct_ambiguous_vr_element, write_file_meta_info
from pydicom.multival import MultiValue
from pydicom.tag import Tag

_NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
_LONG = frozenset(
    {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
)  # 32-bit length (PS3.5 Table 7.1-1)
_ITEM = b"\xfe\xff\x00\xe0"
_PREAMBLE = b"\0" * 128 + b"DICM"


def encode_file(dataset: Dataset, meta: FileMetaDataset) -> bytes:
    """The whole file.

    Args:
        dataset: without group lengths, in ISO_IR 192.
        meta: complete file meta information.
    """
    head = DicomBytesIO()
    write_file_meta_info(head, meta, enforce_standard=True)
    return _PREAMBLE + head.getvalue() + _Encoder().dataset(dataset)


class _Encoder:
    """Encodes one file; remembers sequences that stand in it more than once."""

    def __init__(self) -> None:
        self._known: dict[int, bytes] = {}

    def dataset(self, dataset: Dataset) -> bytes:
        parts: list[bytes] = []
        for tag in sorted(dataset.keys()):
            element: Any = dataset[tag]
            if element.VR == "SQ":
                parts.append(self._sequence(element))
                continue
            if len(element.VR) != 2:
                element = correct_ambiguous_vr_element(element, dataset, is_little_endian=True)
            parts += _element(element, _value(element))
        return b"".join(parts)

    def _sequence(self, element: DataElement) -> bytes:
        known = self._known.get(id(element))
        if known is None:
            items = [self.dataset(item) for item in element.value]
            content = b"".join(_ITEM + struct.pack("<I", len(item)) + item for item in items)
            known = b"".join(_element(element, content))
            self._known[id(element)] = known
        return known


def _element(element: DataElement, content: bytes) -> tuple[bytes, bytes]:
    tag, vr = element.tag, element.VR.encode("ascii")
    form = "<HH2sHI" if element.VR in _LONG else "<HH2sH"
    reserved = (0,) if element.VR in _LONG else ()
    return struct.pack(form, tag.group, tag.element, vr, *reserved, len(content)), content


def _value(element: DataElement) -> bytes:
    vr, value = str(element.VR), element.value
    if value is None:
        return b""
    if vr in _NUMBERS:
        numbers = _several(value)
        return struct.pack(f"<{len(numbers)}{_NUMBERS[vr]}", *numbers)
    if vr == "AT":
        tags = [Tag(tag) for tag in _several(value)]
        return b"".join(struct.pack("<HH", tag.group, tag.element) for tag in tags)
    if isinstance(value, bytes):
        return _even(value, b"\0")
    text = "\\".join(map(_TEXT.get(vr, str), _several(value)))
    return _even(text.encode("utf-8"), b"\0" if vr == "UI" else b" ")


def _several(value: object) -> list[Any]:
    if isinstance(value, MultiValue | list | tuple):
        return list(value)
    return [] if value == "" else [value]


def _as_written(value: object) -> str:
    # A number that came as text goes as the same text.
    return str(getattr(value, "original_string", None) or value)


def _even(content: bytes, padding: bytes) -> bytes:
    return content + padding if len(content) % 2 else content


_TEXT: dict[str, Callable[[object], str]] = dict.fromkeys(
    ("DS", "IS", "DA", "DT", "TM"), _as_written
)
