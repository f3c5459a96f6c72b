# SPDX-License-Identifier: Apache-2.0
"""Scanned pages: of their pictures only the words leave that may stay.

Nothing else of the picture does: no handwriting, stamp, signature, photograph or bar code, and no
line that nobody found.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deid import policy
from deid.documents.keeping import KeptWords, is_other, text_of
from deid.documents.page_words import PageWords, Word, WordReader
from deid.documents.pdf_pages import Page
from deid.reports.errors import ReportError
from deid.reports.pdf import Drawn
from deid.text.folding import readable
from deid.text.kinds import Span

_MOST_SCANNED = 50
"""Pages; each takes some seven seconds."""
_PAPER, _MASK = 255, 190
_PAPER_PERCENTILE, _PAPER_FROM = 50.0, 0.96
"""Where on a page paper is told, and the share of its brightness that counts as white: noise."""


class MaskedPage(NamedTuple):
    """A scanned page that may leave.

    Attributes
    ----------
    picture:
        ``(rows, columns)`` of 8-bit grey: paper, kept words, and bars where words were masked.
    kept, words:
        How many of its words were kept.
    """

    picture: NDArray[np.uint8]
    kept: int
    words: int

    def drawn(self, size: tuple[float, float]) -> Drawn:
        """A page of a PDF; ``size`` in points is that of the page as it was laid."""
        width, height = size
        turned = (width > height) != (self.picture.shape[1] > self.picture.shape[0])
        return Drawn(self.picture, (height, width) if turned else (width, height))


class ScannedPages:
    """Reads and masks scanned pages.

    Parameters
    ----------
    threads:
        Of each network of the reader, which are loaded with the first page.
    """

    def __init__(self, threads: int = 1) -> None:
        self._reader = WordReader(threads)

    def read(self, picture: NDArray[np.uint8]) -> PageWords:
        """What is written on a page, ``(rows, columns)`` of 8-bit grey."""
        return self._reader.read(picture)

    def read_all(
        self, pages: Sequence[Page], decision: policy.ScannedPages
    ) -> list[PageWords | None]:
        """The words of scanned pages; None for others, and where the policy drops scans.

        Raises
        ------
        ReportError
            If there are more than 50.
        """
        if decision is policy.ScannedPages.DROP:
            return [None] * len(pages)
        if sum(page.picture is not None for page in pages) > _MOST_SCANNED:
            raise ReportError(f"the PDF has more than {_MOST_SCANNED} scanned pages: split it")
        return [None if page.picture is None else self.read(page.picture) for page in pages]

    def masked(
        self, page: PageWords, keeping: KeptWords, found: Collection[Span], start: int
    ) -> MaskedPage:
        """The page with the words that may stay.

        Parameters
        ----------
        page:
            As read.
        keeping:
            Decides on words.
        found:
            What the detectors found in the text of all pages.
        start:
            Where the text of this page begins in that.
        """
        kept = keeping.of(page.rows, found, start)
        chosen = _words(page.rows, kept, wanted=True)
        others = _area(page.picture.shape, _words(page.rows, kept, wanted=False))
        picture = np.full(page.picture.shape, _PAPER, np.uint8)
        shown = _area(picture.shape, chosen) & ~others
        picture[shown] = _bleached(page.picture)[shown]
        # Where words of a line were taken for others, what is shown reads otherwise.
        read = self._reader.read_alone(picture, chosen)
        doubted = [word for word, text in zip(chosen, read, strict=True) if is_other(word, text)]
        picture[others | _area(picture.shape, doubted)] = _MASK
        return MaskedPage(picture, len(chosen) - len(doubted), sum(map(len, page.rows)))


def told(page: Page, words: PageWords | None) -> str:
    """The text of a page (NFC); of a scanned one what was read, then what a hidden text says."""
    if words is None:
        return "" if page.picture is not None else page.text
    return readable(f"{text_of(words.rows)}\n{page.text}")


def _bleached(page: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """With paper as white as the rest of the new page."""
    paper = max(1.0, float(np.percentile(page, _PAPER_PERCENTILE)) * _PAPER_FROM)
    return np.asarray(np.clip(page * (255.0 / paper), 0.0, 255.0), np.uint8)


def _words(
    rows: Iterable[Iterable[Word]], kept: Iterable[Iterable[bool]], *, wanted: bool
) -> list[Word]:
    return [
        word
        for row, flags in zip(rows, kept, strict=True)
        for word, flag in zip(row, flags, strict=True)
        if flag is wanted
    ]


def _area(shape: tuple[int, ...], words: Iterable[Word]) -> NDArray[np.bool_]:
    import cv2  # noqa: PLC0415 - only documents need it

    drawn = np.zeros(shape[:2], np.uint8)
    corners = [np.round(word.corners).astype(np.int32) for word in words]
    for one in corners:
        cv2.fillConvexPoly(drawn, one, 1)
    return drawn > 0
