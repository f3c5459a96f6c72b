# SPDX-License-Identifier: Apache-2.0
"""What is known of an image before its text is looked for: where no anatomy is, and who it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deid.parsing import MalformedError, RawDataSet
from deid.vocabulary import folded, words_of

_REGIONS = 0x00186011
_CORNERS = (0x00186018, 0x0018601A, 0x0018601C, 0x0018601E)
"""Region Location Min X0, Min Y0, Max X1 and Max Y1, in pixels from 0 (PS3.3 section C.8.5.5.1)."""
_SHORTEST = 4
_PER_SLIP = 6
_ALIKE = str.maketrans("015826|!", "olsbzgll")
"""Digits and strokes that readers take for letters, and the letters."""


class Hints(NamedTuple):
    """What a search for text may rely on.

    Attributes
    ----------
    outside:
        ``(rows, columns)``, where the image shows nothing of the patient, so that what looks like
        writing is writing; ``None`` where that is not known.
    denied:
        Folded words that identify: a line that reads like one is text, however badly it reads.
    """

    outside: NDArray[np.bool_] | None = None
    denied: frozenset[str] = frozenset()

    def turned(self) -> Hints:
        """The same for the image turned by a right angle."""
        return self if self.outside is None else self._replace(outside=np.rot90(self.outside))

    def is_outside(self, corners: NDArray[np.float32]) -> bool:
        """Whether the middle of a box lies where nothing of the patient is shown."""
        if self.outside is None:
            return False
        x, y = corners.mean(axis=0)
        rows, columns = self.outside.shape
        return bool(self.outside[min(max(int(y), 0), rows - 1), min(max(int(x), 0), columns - 1)])

    def is_denied(self, text: str) -> bool:
        """Whether a line holds one of the words, some letters of it misread."""
        read = _letters("".join(words_of(text)))
        return any(_is_in(word, read) for word in self._long_words())

    def _long_words(self) -> Iterable[str]:
        return (_letters(word) for word in self.denied if len(word) >= _SHORTEST)


def outside_of_regions(
    header: RawDataSet, shape: tuple[int, int], *, little_endian: bool = True
) -> NDArray[np.bool_] | None:
    """Where an ultrasound image shows none of its regions; ``None`` where it declares none.

    Parameters
    ----------
    header:
        As it came, with Sequence of Ultrasound Regions (0018,6011).
    shape:
        Rows and columns.
    little_endian:
        The byte order of the header.
    """
    order: Literal["little", "big"] = "little" if little_endian else "big"
    element = header.get(_REGIONS)
    if element is None:
        return None
    outside = np.ones(shape, np.bool_)
    try:
        for item in element.items:
            left, top, right, bottom = (_number(item, tag, order) for tag in _CORNERS)
            outside[top : bottom + 1, left : right + 1] = False
    except (LookupError, MalformedError, ValueError):
        # What can't be read tells nothing; text is looked for without it.
        return None
    return None if outside.all() or not outside.any() else outside


def _number(item: RawDataSet, tag: int, order: Literal["little", "big"]) -> int:
    element = item.get(tag)
    if element is None or len(element.value) != 4:
        raise ValueError("no location")
    return int.from_bytes(element.value, order)


def _letters(word: str) -> str:
    return folded(word).translate(_ALIKE)


def _is_in(word: str, read: str) -> bool:
    """Whether ``read`` holds ``word`` with one wrong letter in each six (Sellers, 1980)."""
    slips = len(word) // _PER_SLIP
    row = list(range(len(word) + 1))
    for letter in read:
        before, row = row, [0]  # it may start anywhere
        for at, wanted in enumerate(word, 1):
            row.append(min(before[at - 1] + (letter != wanted), before[at] + 1, row[-1] + 1))
        if row[-1] <= slips:
            return True
    return False
