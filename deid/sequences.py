# SPDX-License-Identifier: Apache-2.0
"""Items of sequences, whichever way they are encoded."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_sequence

MALFORMED = (
    BytesLengthException,
    InvalidDicomError,
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    NotImplementedError,
    OSError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What pydicom raises on data that breaks its assumptions."""

AnyElement = DataElement | RawDataElement

# One item per frame: thousands, and no names in any of their macros.
_FUNCTIONAL_GROUPS = frozenset({0x52009229, 0x52009230})


class Items:
    """Parses sequences once, however often they are asked for."""

    def __init__(self) -> None:
        self._parsed: dict[int, list[Dataset]] = {}

    def of(self, element: AnyElement) -> list[Dataset]:
        """The items of a sequence; its value may still be raw, also as UN (PS3.5 section 6.2.2).

        Raises
        ------
        Exception
            One of ``MALFORMED`` where the value is no sequence of items.
        """
        if isinstance(element, DataElement):
            return list(element.value or ())
        items = self._parsed.get(id(element))
        if items is None:
            items = self._parsed[id(element)] = _parsed(element)
        return items


def _parsed(element: RawDataElement) -> list[Dataset]:
    value = element.value or b""
    # Of unknown VR means implicit VR little endian inside, whatever the data set around it is.
    unknown = element.VR == "UN"
    return list(
        read_sequence(
            io.BytesIO(value),
            unknown or element.is_implicit_VR,
            unknown or element.is_little_endian,
            len(value),
            "iso8859",
        )
    )


def elements_of(dataset: Dataset, items: Items) -> Iterator[tuple[int, AnyElement]]:
    """Tag and element of a data set and of the items of its public sequences, to any depth."""
    for key, element in dataset.items():
        tag = int(key)
        yield tag, element
        if element.VR != "SQ" or tag in _FUNCTIONAL_GROUPS or tag >> 16 & 1:
            continue
        try:
            children = items.of(element)
        except MALFORMED:
            # Its rule will meet the same and remove it; names in it are not known then.
            continue
        for child in children:
            yield from elements_of(child, items)
