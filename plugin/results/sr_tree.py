# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reading a content tree, tolerant of anything that may be in it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from plugin.results import header as read


def children(item: Dataset) -> list[Dataset]:
    """Content items below one."""
    return read.items(item, "ContentSequence")


def descendants(item: Dataset) -> Iterator[Dataset]:
    """All content items below one, depth first."""
    for child in children(item):
        yield child
        yield from descendants(child)


def is_named(item: Dataset, name: Code) -> bool:
    """Whether the concept name of an item is this code."""
    names = read.items(item, "ConceptNameCodeSequence")
    if not names:
        return False
    found = (read.text(names[0], "CodeValue"), read.text(names[0], "CodingSchemeDesignator"))
    return found == (name.value, name.scheme_designator)


def named(item: Dataset, name: Code) -> list[Dataset]:
    """Children with this concept name."""
    return [child for child in children(item) if is_named(child, name)]


def of_type(item: Dataset, value_type: str) -> list[Dataset]:
    """Children of one value type."""
    return [child for child in children(item) if read.text(child, "ValueType") == value_type]


def points(scoord: Dataset) -> NDArray[np.float64]:
    """Graphic Data as ``(n, 2)`` of (column, row)."""
    data = read.numbers(scoord, "GraphicData")
    return np.array(data[: len(data) // 2 * 2], float).reshape(-1, 2)
