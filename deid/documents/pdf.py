# SPDX-License-Identifier: Apache-2.0
"""Cleans Encapsulated PDF (PS3.3 section A.45.1): its text is read, cleaned, and set anew.

A PDF hides text in many places, so nothing of the file itself leaves. Of a scanned page the words
leave that are sure to be read and to identify nobody. What can't be read or set leaves empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deid.elements import Element
from deid.errors import DocumentForReviewError
from deid.free_text import DetectedText
from deid.header import HeaderCleaner
from deid.policy import ScannedPages as Policy
from deid.report import Action, ElementRecord
from deid.site_vocabulary import SiteVocabulary
from deid.stages import Instance

if TYPE_CHECKING:
    from deid.context import HeaderContext
    from deid.documents.page_words import PageWords
    from deid.documents.pdf_pages import Page
    from deid.documents.scanned import ScannedPages
    from deid.reports.pdf import Drawn

ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
_DOCUMENT, _LENGTH = 0x00420011, 0x00420015
_PAGE = "\n\f\n"


class EncapsulatedPdfStage:
    """Puts the cleaned pages of an Encapsulated PDF in the place of the file.

    Parameters
    ----------
    cleaner:
        Knows whose instance it is, and the stand-ins; its policy says what becomes of scans.
    vocabulary:
        Words that the site knows better.
    """

    def __init__(self, cleaner: HeaderCleaner, vocabulary: SiteVocabulary | None = None) -> None:
        self._cleaner = cleaner
        self._vocabulary = vocabulary
        self._text = DetectedText(vocabulary)
        self._scanned: ScannedPages | None = None

    def apply(self, instance: Instance) -> None:
        """Do so for Encapsulated PDF, and nothing to any other.

        Raises
        ------
        DocumentForReviewError
            If a page was scanned and a person is to look at those.
        """
        document = instance.original.header.get(_DOCUMENT)
        if instance.original.sop_class != ENCAPSULATED_PDF or document is None:
            return
        # Looked up here: only documents need what reads and sets them.
        from deid.reports.errors import ReportError  # noqa: PLC0415
        from deid.reports.pdf import set_anew  # noqa: PLC0415

        context = self._cleaner.context(instance.original)
        try:
            made = set_anew(self.cleaned(bytes(document.value), context))
        except ReportError as error:
            why = f"left empty: {error}"
            instance.records.append(ElementRecord(f"{_DOCUMENT:08X}", why, Action.CLEANED))
            return
        put_document(instance, made, "text set anew")

    def cleaned(self, content: bytes, context: HeaderContext) -> list[str | Drawn]:
        """The pages of a PDF as they may leave: texts, and pictures of scanned ones.

        Raises
        ------
        ReportError
            If the file can't be read, or has more than 50 scanned pages.
        DocumentForReviewError
            As ``apply``.
        """
        from deid.documents.pdf_pages import pages_of  # noqa: PLC0415 - as above
        from deid.documents.scanned import told  # noqa: PLC0415

        pages = pages_of(content)
        read = self._read(pages)
        # All pages at once: what one of them reveals is looked for in the others.
        texts = [told(page, words) for page, words in zip(pages, read, strict=True)]
        clean = self._text.clean(_PAGE.join(texts), context).split("\f")
        made: list[str | Drawn] = []
        for at, (page, words) in enumerate(zip(pages, read, strict=True)):
            if page.picture is None:
                made.append(clean[at] if len(clean) == len(pages) else "")
            elif words is None:
                made.append("")
            else:
                start = sum(len(text) + len(_PAGE) for text in texts[:at])
                made.append(self._masked(page, words, (_PAGE.join(texts), start), context))
        return made

    def _read(self, pages: list[Page]) -> list[PageWords | None]:
        """The words of scanned pages; None for others, and where the policy drops scans."""
        decision = self._cleaner.policy.scanned_pages
        if all(page.picture is None for page in pages):
            return [None] * len(pages)
        if decision is Policy.REVIEW:
            raise DocumentForReviewError(
                "a scanned page waits for a person to look at it, by policy", "scanned page"
            )
        if self._scanned is None:
            from deid.documents.scanned import ScannedPages  # noqa: PLC0415 - as above

            self._scanned = ScannedPages()
        return self._scanned.read_all(pages, decision)

    def _masked(
        self, page: Page, words: PageWords, whole: tuple[str, int], context: HeaderContext
    ) -> Drawn:
        from deid.documents.keeping import KeptWords  # noqa: PLC0415 - as above
        from deid.text import Lexicon  # noqa: PLC0415

        assert self._scanned is not None  # noqa: S101 - it read the words
        text, start = whole
        site = self._vocabulary.words() if self._vocabulary else None
        keeping = KeptWords(Lexicon(site=site), context.denied)
        masked = self._scanned.masked(words, keeping, self._text.found(text, context), start)
        return masked.drawn(page.size)


def put_document(instance: Instance, content: bytes, rule: str) -> None:
    """Make ``content`` the Encapsulated Document (0042,0011) of what leaves, and record why."""
    padded = content + b"\0" * (len(content) % 2)
    instance.elements[_DOCUMENT] = Element(_DOCUMENT, "OB", padded)
    if _LENGTH in instance.elements:
        order = "little" if instance.encoding.little_endian else "big"
        length = len(content).to_bytes(4, order)  # type: ignore[arg-type]
        instance.elements[_LENGTH] = Element(_LENGTH, "UL", length)
    instance.records.append(ElementRecord(f"{_DOCUMENT:08X}", rule, Action.CLEANED))
