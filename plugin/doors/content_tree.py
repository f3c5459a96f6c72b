# SPDX-License-Identifier: AGPL-3.0-or-later
"""Looking things up in the content tree of a report (PS3.3 C.17.3), by concept name."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from plugin.doors.concepts import Concept


def children(item: Dataset) -> list[Dataset]:
    """Content items below one."""
    return list(item.get("ContentSequence") or ())


def descendants(item: Dataset) -> Iterator[Dataset]:
    """All content items below one, depth first."""
    for child in children(item):
        yield child
        yield from descendants(child)


def concept(item: Dataset, keyword: str) -> Concept | None:
    """The first code of a code sequence (PS3.3 Table 8.8-1), or None."""
    for code in item.get(keyword) or ():
        value = code.get("CodeValue") or code.get("LongCodeValue") or code.get("URNCodeValue") or ""
        scheme = str(code.get("CodingSchemeDesignator") or "")
        return Concept(str(value), scheme, str(code.get("CodeMeaning") or ""))
    return None


def name(item: Dataset) -> Concept | None:
    """The concept name of an item."""
    return concept(item, "ConceptNameCodeSequence")


def value(item: Dataset) -> Concept | None:
    """The value of a CODE."""
    return concept(item, "ConceptCodeSequence")


def same(one: Concept | None, other: Concept) -> bool:
    """Whether two codes are the same: the meaning does not count (PS3.3 section 8.3)."""
    return one is not None and one[:2] == other[:2]


def named(item: Dataset, wanted: Concept) -> list[Dataset]:
    """Children with this concept name."""
    return [child for child in children(item) if same(name(child), wanted)]


def below(item: Dataset, *path: Concept) -> list[Dataset]:
    """Items at the end of a path of concept names."""
    found = [item]
    for step in path:
        found = [child for parent in found for child in named(parent, step)]
    return found


def code(item: Dataset, wanted: Concept) -> Concept | None:
    """Value of the first CODE child of this name, or None."""
    return next((found for child in named(item, wanted) if (found := value(child))), None)


def text(item: Dataset, wanted: Concept) -> str:
    """Value of the first TEXT or UIDREF child of this name, or nothing."""
    return next(iter(texts(item, wanted)), "")


def texts(item: Dataset, wanted: Concept) -> list[str]:
    """Values of all TEXT or UIDREF children of this name."""
    return [
        str(child.get("TextValue") or child.get("UID") or "").strip()
        for child in named(item, wanted)
    ]


def references(item: Dataset) -> Iterator[tuple[str, int | None]]:
    """SOP Instance UID and frame of every image that an item or one below it refers to."""
    for one in (item, *descendants(item)):
        for reference in one.get("ReferencedSOPSequence") or ():
            frames = reference.get("ReferencedFrameNumber")
            first = frames[0] if isinstance(frames, MultiValue) else frames
            uid = str(reference.ReferencedSOPInstanceUID)
            yield uid, None if first is None else int(first)


def number(item: Dataset) -> float | None:
    """Value of a NUM, or None where it has none (PS3.3 C.18.1)."""
    for measured in item.get("MeasuredValueSequence") or ():
        if measured.get("NumericValue") is not None:
            return float(measured.NumericValue)
    return None
