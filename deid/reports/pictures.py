# SPDX-License-Identifier: Apache-2.0
"""Text of scanned pages, read from their pictures.

A reader that mistakes a letter of a name gives the detectors another word: what was read from a
picture is cleaned with less certainty than what was typed.
"""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
from PIL import Image, UnidentifiedImageError

from deid.pixels.detector import Found, RapidText
from deid.reports.errors import ReportError

_MOST_PIXELS = 40_000_000
_SAME_LINE = 0.6
"""Share of a line's height by which the middles of its words may differ."""


class PictureReader:
    """Reads a page's picture, line by line; it is a ``PageReader`` of :mod:`deid.reports.pdf`.

    Parameters
    ----------
    threads:
        Of each of the reader's networks, which are loaded with the first picture.
    """

    def __init__(self, threads: int = 1) -> None:
        self._text = RapidText(threads)

    def __call__(self, picture: bytes) -> str:
        """The text of a PNG, JPEG, TIFF or JPEG 2000 picture.

        Raises
        ------
        ReportError
            If it is no picture that can be read, or has more than 40 million pixels.
        """
        try:
            with Image.open(io.BytesIO(picture)) as opened:
                if opened.width * opened.height > _MOST_PIXELS:
                    raise ReportError("a page's picture has more than 40 million pixels")
                pixels = np.asarray(opened.convert("RGB"), np.uint8)
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
            raise ReportError(f"a page's picture can't be read ({type(error).__name__})") from None
        return "\n".join(_lines(self._text.find(pixels)))


def _lines(found: list[Found]) -> list[str]:
    """Words of one line side by side, lines from top to bottom."""
    words = sorted(((*_middle(one), one.text) for one in found), key=lambda word: word[1])
    if not words:
        return []
    lines = [[words[0]]]
    for before, word in pairwise(words):
        if word[1] - before[1] > _SAME_LINE * max(word[2], before[2]):
            lines.append([])
        lines[-1].append(word)
    return [" ".join(word[3] for word in sorted(line)) for line in lines]


def _middle(one: Found) -> tuple[float, float, float]:
    """Left edge, middle from the top, and height of a box."""
    corners = np.asarray(one.corners, np.float32)
    top, bottom = float(corners[:, 1].min()), float(corners[:, 1].max())
    return float(corners[:, 0].min()), (top + bottom) / 2.0, bottom - top
