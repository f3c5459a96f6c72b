# SPDX-License-Identifier: Apache-2.0
"""Cleans Encapsulated PDF (PS3.3 section A.45.1): its text is read, cleaned, and set anew.

A PDF hides text in many places, so nothing of the file itself leaves. Where it can't be read or
set, such as a scanned page, the document leaves as empty as without this stage.
"""

from __future__ import annotations

from deid.elements import Element
from deid.free_text import DetectedText
from deid.header import HeaderCleaner
from deid.report import Action, ElementRecord
from deid.site_vocabulary import SiteVocabulary
from deid.stages import Instance

ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
_DOCUMENT, _LENGTH = 0x00420011, 0x00420015
_PAGE = "\n\f\n"


class EncapsulatedPdfStage:
    """Puts the cleaned text of an Encapsulated PDF in the place of the file.

    Parameters
    ----------
    cleaner:
        Knows whose instance it is, and the stand-ins.
    vocabulary:
        Words that the site knows better.
    """

    def __init__(self, cleaner: HeaderCleaner, vocabulary: SiteVocabulary | None = None) -> None:
        self._cleaner = cleaner
        self._text = DetectedText(vocabulary)

    def apply(self, instance: Instance) -> None:
        """Do so for Encapsulated PDF, and nothing to any other."""
        document = instance.original.header.get(_DOCUMENT)
        if instance.original.sop_class != ENCAPSULATED_PDF or document is None:
            return
        # Looked up here: only documents need what reads and sets them.
        from deid.reports.errors import ReportError  # noqa: PLC0415
        from deid.reports.pdf import PdfReport, set_anew  # noqa: PLC0415

        try:
            # All pages at once: what one of them reveals is looked for in the others.
            text = _PAGE.join(PdfReport(bytes(document.value)).texts().values())
            clean = self._text.clean(text, self._cleaner.context(instance.original))
            made = set_anew(clean.split("\f"))
        except ReportError as error:
            why = f"left empty: {error}"
            instance.records.append(ElementRecord(f"{_DOCUMENT:08X}", why, Action.CLEANED))
            return
        instance.elements[_DOCUMENT] = Element(_DOCUMENT, "OB", made + b"\0" * (len(made) % 2))
        if _LENGTH in instance.elements:
            order = "little" if instance.encoding.little_endian else "big"
            length = len(made).to_bytes(4, order)  # type: ignore[arg-type]
            instance.elements[_LENGTH] = Element(_LENGTH, "UL", length)
        instance.records.append(ElementRecord(f"{_DOCUMENT:08X}", "text set anew", Action.CLEANED))
