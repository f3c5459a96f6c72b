# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reading real headers: an attribute that can't be understood counts as absent, and is logged."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

LOGGER = logging.getLogger(__name__)

# What pydicom raises for values that don't fit their VR, unknown character sets and VRs.
UNREADABLE = (ValueError, TypeError, LookupError, ArithmeticError, NotImplementedError)


def value(header: Dataset, keyword: str) -> object | None:
    """The value of an attribute, or None where it is absent, empty or unreadable."""
    try:
        found = header.get(keyword)
    except UNREADABLE:
        LOGGER.warning("%s of the original can't be read and counts as absent", keyword)
        return None
    if found is None or (isinstance(found, str | bytes | Sequence) and len(found) == 0):
        return None
    return found  # type: ignore[no-any-return]


def text(header: Dataset, keyword: str) -> str:
    """The value as text without padding; several values joined by a backslash; empty if absent."""
    found = value(header, keyword)
    if found is None:
        return ""
    try:
        if isinstance(found, MultiValue | list | tuple):
            return "\\".join(str(part) for part in found).strip(" \0")
        return str(found).strip(" \0")
    except UNREADABLE:
        LOGGER.warning("%s of the original can't be decoded and counts as absent", keyword)
        return ""


def numbers(header: Dataset, keyword: str) -> tuple[float, ...]:
    """All values as finite numbers; empty where one of them isn't."""
    found = value(header, keyword)
    if found is None:
        return ()
    parts = found if isinstance(found, MultiValue | list | tuple) else [found]
    try:
        read = tuple(float(str(part)) for part in parts)
    except UNREADABLE:
        LOGGER.warning("%s of the original isn't a number and counts as absent", keyword)
        return ()
    return read if all(math.isfinite(part) for part in read) else ()


def integer(header: Dataset, keyword: str) -> int | None:
    """The first value as an integer, or None."""
    read = numbers(header, keyword)
    return int(read[0]) if read else None


def items(header: Dataset, keyword: str) -> list[Dataset]:
    """Items of a sequence; empty where it is absent or isn't one."""
    found = value(header, keyword)
    if not isinstance(found, Sequence) or isinstance(found, str | bytes):
        return []
    return [item for item in found if isinstance(item, Dataset)]


def functional_group(header: Dataset, keyword: str, frame_number: int) -> Dataset:
    """A functional group's item for one frame (PS3.3 C.7.6.16), or an empty data set."""
    per_frame = items(header, "PerFrameFunctionalGroupsSequence")
    groups = per_frame[frame_number - 1 : frame_number]
    for group in [*groups, *items(header, "SharedFunctionalGroupsSequence")]:
        found = items(group, keyword)
        if found:
            return found[0]
    return Dataset()
