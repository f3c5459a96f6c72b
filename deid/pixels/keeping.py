# SPDX-License-Identifier: Apache-2.0
"""Lines that may stay: what they say, and where they were read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from deid.pixels.areas import box_of
from deid.pixels.detector import Found
from deid.pixels.hints import Hints
from deid.vocabulary import folded, words_of

_CORE, _SAME = 0.6, 0.7
"""Length and height of the middle of a line, and the share of it that lies where one was kept from
which it is that line, seen once more: boxes of smaller pictures are wider than the line."""
# What a keep-list may hold: side, projection, scale and depth. All of the line must be that.
_KEPT = re.compile(
    r"(?:[LR]|LEFT|RIGHT|(?:[LR] ?)?(?:CC|MLO|ML|LM|AP|PA|LAT)|SUPINE|PRONE|ERECT|PORTABLE"
    r"|\d{1,3}(?:[.,]\d{1,2})? ?(?:CM|MM|HZ|MHZ|%|DB|FPS|KV|MAS))",
    re.IGNORECASE,
)


class Keep(StrEnum):
    """What text may stay."""

    NOTHING = "nothing"
    TECHNICAL = "technical"
    """Laterality, projection, scale and depth, where that is all that the line says."""


class KeptLines:
    """Remembers frame by frame where a line was read that may stay.

    A line is seen in several windows, in smaller pictures, and in the image turned by a right
    angle, where it stands upright and is misread. Read once, it stays, unless another reading says
    more or somebody's name.

    Parameters
    ----------
    keep:
        What may stay.
    shape:
        Frames, rows and columns.
    """

    def __init__(self, keep: Keep, shape: tuple[int, ...]) -> None:
        self._keep = keep
        self._kept = np.zeros(shape if keep is not Keep.NOTHING else (0, 0, 0), np.bool_)

    def others(
        self, frame: int, found: Iterable[Found], hints: Hints, *, turned: bool = False
    ) -> list[Found]:
        """Of all lines found in a frame at one look, those that must go.

        Parameters
        ----------
        hints:
            A line that holds a denied word never stays.
        turned:
            Whether the lines are those of the image turned by a right angle.
        """
        found = list(found)
        if self._keep is Keep.NOTHING:
            return found
        # A view of the array: turned, it writes into the upright one.
        kept = np.rot90(self._kept[frame]) if turned else self._kept[frame]
        others = []
        for one in found:
            if _may_stay(one.text, hints):
                kept[box_of(one.corners, kept.shape)] = True
            else:
                others.append(one)
        return [one for one in others if not _is_kept(one, kept, hints)]


def _may_stay(text: str, hints: Hints) -> bool:
    # Readers write letters as wide as Han ones.
    plain = unicodedata.normalize("NFKC", text)
    return bool(_KEPT.fullmatch(plain)) and not _is_denied(plain, hints)


def _is_denied(text: str, hints: Hints) -> bool:
    # Readers lose the spaces between words.
    read = folded("".join(words_of(text)))
    return any(word in read for word in hints.denied) or hints.is_denied(read)


def _is_kept(one: Found, kept: NDArray[np.bool_], hints: Hints) -> bool:
    middle = one.corners.mean(axis=0)
    area = box_of(middle + _CORE * (one.corners - middle), kept.shape)
    return bool(area.any()) and kept[area].mean() > _SAME and not _is_denied(one.text, hints)
