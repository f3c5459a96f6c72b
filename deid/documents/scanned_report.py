# SPDX-License-Identifier: Apache-2.0
"""A report in PDF of which some pages were scanned, as one of a study's texts."""

from __future__ import annotations

from deid.documents.keeping import KeptWords
from deid.documents.pdf_pages import pages_of
from deid.documents.scanned import ScannedPages, told
from deid.policy import ScannedPages as Decision
from deid.reports.errors import ReportError
from deid.reports.pdf import Drawn, PdfReport, set_anew
from deid.reports.report import Cleaning
from deid.text import Lexicon


class ScannedPdfReport(PdfReport):
    """One PDF; the words of its scanned pages are read.

    Parameters
    ----------
    content:
        The bytes of the file.
    decision:
        What becomes of scanned pages.
    scanned:
        Reads and masks them.

    Raises
    ------
    ReportError
        If it can't be read, has more than 50 scanned pages, or has one and a person is to look at
        those.
    """

    def __init__(self, content: bytes, decision: Decision, scanned: ScannedPages) -> None:
        self._scanned = scanned
        self._drawn = pages_of(content)
        if decision is Decision.REVIEW and any(page.picture is not None for page in self._drawn):
            raise ReportError("a page of the PDF is scanned: a person is to look at it, by policy")
        self._words = scanned.read_all(self._drawn, decision)
        self._pages = [told(*one) for one in zip(self._drawn, self._words, strict=True)]

    def cleaned(self, cleaning: Cleaning) -> bytes:
        """The PDF as it may leave: texts set anew, of scanned pages the words that may stay."""
        keeping = KeptWords(Lexicon(), cleaning.names)
        made: list[str | Drawn] = []
        for page, words, text in zip(
            self._drawn, self._words, cleaning.texts.values(), strict=True
        ):
            if page.picture is None:
                made.append(text.text)
            elif words is None:
                made.append("")
            else:
                masked = self._scanned.masked(words, keeping, text.spans, 0)
                made.append(masked.drawn(page.size))
        return set_anew(made)
