# SPDX-License-Identifier: Apache-2.0
"""Where an element stands, in sequences too: ``(0040,0275)[1].(0040,0007)``.

Items are numbered from 1, as PS3.3 numbers them. A path is written with brackets or, as in reports,
without: ``00400275[1].00400007``. A private element may be named by its creator, wherever the
creator's block lies (PS3.5 section 7.8.1): ``(0029,"SIEMENS CSA HEADER",08)``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from pydicom.datadict import keyword_for_tag

from deid.errors import CorrectionError
from deid.parsing import DEEPEST, MalformedError, RawDataSet, RawElement

# 33 steps with items of three digits.
LONGEST_PATH = 480
_STEP = re.compile(
    r"(?:([0-9A-F]{4})([0-9A-F]{4})|\(([0-9A-F]{4}),([0-9A-F]{4})\)"
    r'|\(([0-9A-F]{4}),"([^"\\\x00-\x1f]{1,64})",([0-9A-F]{2})\))'
    r"(?:\[([1-9]\d{0,6})\])?",
    re.ASCII | re.IGNORECASE,
)


class PathStep(NamedTuple):
    """One element of a way down.

    Attributes
    ----------
    tag:
        Group and element number.
    item:
        Number, from 1, of the item in which the way goes on; 0 where it ends.
    """

    tag: int
    item: int = 0

    def __str__(self) -> str:
        return f"{self.tag:08X}" + (f"[{self.item}]" if self.item else "")


class TagPath(tuple[PathStep, ...]):
    """The way from the top of a data set to one element; as text as in reports."""

    __slots__ = ()

    @property
    def tag(self) -> int:
        """The element at its end."""
        return self[-1].tag

    @property
    def above(self) -> tuple[PathStep, ...]:
        """The sequences and items on the way."""
        return self[:-1]

    @property
    def parent(self) -> int | None:
        """The sequence in whose items the element stands; ``None`` at the top."""
        return self[-2].tag if len(self) > 1 else None

    def __str__(self) -> str:
        return ".".join(map(str, self))


def at_top(tag: int) -> TagPath:
    """The path of an element that is in no sequence."""
    return TagPath((PathStep(tag),))


def parsed_path(text: str, header: RawDataSet | None = None) -> TagPath:
    """Read a path.

    Parameters
    ----------
    text:
        In any of the three ways of writing.
    header:
        The data set in which private creators are looked up.

    Raises
    ------
    CorrectionError
        If the text is no path, or names a creator that the data set does not have there.
    """
    steps: list[PathStep] = []
    position = 0
    while match := _STEP.match(text[:LONGEST_PATH], position):
        steps.append(PathStep(_tag_of(match, steps, header), int(match[8] or 0)))
        position = match.end()
        if text[position : position + 1] != "." or not match[8]:
            break
        position += 1
    if not steps or position != len(text) or steps[-1].item or len(steps) > DEEPEST + 1:
        raise CorrectionError("no path of a tag: such as (0008,1030) or (0040,0275)[1].(0040,0007)")
    return TagPath(steps)


def _tag_of(match: re.Match[str], above: Sequence[PathStep], header: RawDataSet | None) -> int:
    if match[6] is None:
        return int((match[1] or match[3]) + (match[2] or match[4]), 16)
    group, element = int(match[5], 16), int(match[7], 16)
    dataset = header if header is None or not above else item_at(header, above)
    for block in range(0x10, 0x100) if dataset is not None and group & 1 else ():
        if dataset is not None and dataset.text(group << 16 | block) == match[6]:
            return group << 16 | block << 8 | element
    raise CorrectionError(f"({group:04X},xx{element:02X}) has no such private creator beside it")


def item_at(header: RawDataSet, steps: Sequence[PathStep]) -> RawDataSet | None:
    """The item to which steps lead; ``None`` where the data set has none there."""
    for tag, item in steps:
        items = _items(header.get(tag))
        if not 0 < item <= len(items):
            return None
        header = items[item - 1]
    return header


def _items(element: RawElement | None) -> list[RawDataSet]:
    if element is None or element.vr not in ("SQ", "UN", None):
        return []
    try:
        return element.items
    except MalformedError:
        return []  # what is no sequence has no items


def shown_path(path: TagPath, header: RawDataSet) -> str:
    """A path as people read it, with private creators by their names."""
    steps = []
    for at, (tag, item) in enumerate(path):
        creator = ""
        if tag & 0x10000 and tag & 0xFFFF > 0xFF:
            dataset = item_at(header, path[:at])
            creator = dataset.text(tag >> 16 << 16 | (tag & 0xFF00) >> 8) if dataset else ""
        named = f'"{creator}",{tag & 0xFF:02X}' if creator else f"{tag & 0xFFFF:04X}"
        steps.append(f"({tag >> 16:04X},{named})" + (f"[{item}]" if item else ""))
    return ".".join(steps)


def path_keywords(path: TagPath) -> str:
    """Keywords on the way, as far as the data dictionary has them: ``RequestAttributes…[1] …``."""
    return " \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} ".join(
        (keyword_for_tag(tag) or f"{tag:08X}") + (f" {item}" if item else "") for tag, item in path
    )
