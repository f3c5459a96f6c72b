# SPDX-License-Identifier: Apache-2.0
"""Cleans Encapsulated CDA (PS3.3 section A.45.2): the document is built anew from what may leave.

Typed fields of its header follow the rules of the DICOM header, with the same stand-ins and the
same shift; texts are read by the detectors together with the names that those fields give.
"""

from __future__ import annotations

from deid.context import HeaderContext
from deid.documents.cda.document import ClinicalDocument, words_of_people
from deid.documents.cda.late import ENCAPSULATED_CDA
from deid.documents.cda.values import CdaValues
from deid.documents.pdf import EncapsulatedPdfStage, put_document
from deid.elements import Element
from deid.free_text import DetectedText
from deid.header import HeaderCleaner
from deid.report import Action, ElementRecord
from deid.reports.errors import ReportError
from deid.reports.pdf import set_anew
from deid.site_vocabulary import SiteVocabulary
from deid.stages import Instance
from deid.text import KnownTerms
from deid.vocabulary import folded

_DOCUMENT, _INSTANCE_IDENTIFIER = 0x00420011, 0x0040E001
_BREAK = "\n\f\n"


class EncapsulatedCdaStage:
    """Puts the cleaned document in the place of the original.

    Parameters
    ----------
    cleaner:
        Knows whose instance it is, the options, and the stand-ins.
    vocabulary:
        Words that the site knows better.
    pdf:
        Cleans a PDF that is the body of a document.
    """

    def __init__(
        self,
        cleaner: HeaderCleaner,
        vocabulary: SiteVocabulary | None,
        pdf: EncapsulatedPdfStage,
    ) -> None:
        self._cleaner = cleaner
        self._text = DetectedText(vocabulary)
        self._pdf = pdf

    def apply(self, instance: Instance) -> None:
        """Do so for Encapsulated CDA, and nothing to any other.

        Raises
        ------
        DocumentForReviewError
            If its body is a PDF with a scanned page and a person is to look at those.
        """
        document = instance.original.header.get(_DOCUMENT)
        if instance.original.sop_class != ENCAPSULATED_CDA or document is None:
            return
        context = self._cleaner.context(instance.original)
        try:
            made, identifier = self._cleaned(bytes(document.value), context)
        except ReportError as error:
            why = f"left empty: {error}"
            instance.records.append(ElementRecord(f"{_DOCUMENT:08X}", why, Action.CLEANED))
            return
        put_document(instance, made, "clinical document built anew")
        if _INSTANCE_IDENTIFIER in instance.original.header:
            instance.elements[_INSTANCE_IDENTIFIER] = Element(
                _INSTANCE_IDENTIFIER, "ST", identifier.encode("ascii")
            )

    def _cleaned(self, content: bytes, context: HeaderContext) -> tuple[bytes, str]:
        """The document as it may leave, and its own identifier."""
        document = ClinicalDocument(content)
        people = document.people()
        known = KnownTerms.of(people)
        denied = frozenset(folded(word) for word in words_of_people(people) if len(word) > 2)

        def cleaned(texts: list[str]) -> list[str]:
            # Together: what one of them reveals is looked for in the others.
            whole = self._text.clean_with(_BREAK.join(texts), context, known, denied)
            parts = whole.split(_BREAK)
            if len(parts) == len(texts):
                return parts
            return [self._text.clean_with(text, context, known, denied) for text in texts]

        def pdf(inside: bytes) -> bytes:
            return set_anew(self._pdf.cleaned(inside, context))

        values = CdaValues(context, self._cleaner.options)
        return document.cleaned(values, cleaned, pdf), document.identifier(values)
