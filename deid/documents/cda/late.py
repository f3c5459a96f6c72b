# SPDX-License-Identifier: Apache-2.0
"""Loads what reads clinical documents with the first of them."""

from __future__ import annotations

from deid.documents.pdf import EncapsulatedPdfStage
from deid.header import HeaderCleaner
from deid.site_vocabulary import SiteVocabulary
from deid.stages import Instance, Stage

ENCAPSULATED_CDA = "1.2.840.10008.5.1.4.1.1.104.2"


class LateCdaStage:
    """``deid.documents.cda.stage.EncapsulatedCdaStage``, made when it is first needed.

    Parameters
    ----------
    cleaner, vocabulary, pdf:
        As of that.
    """

    def __init__(
        self, cleaner: HeaderCleaner, vocabulary: SiteVocabulary | None, pdf: EncapsulatedPdfStage
    ) -> None:
        self._of = cleaner, vocabulary, pdf
        self._made: Stage | None = None

    def apply(self, instance: Instance) -> None:
        """Clean an Encapsulated CDA; any other is left alone."""
        if instance.original.sop_class != ENCAPSULATED_CDA:
            return
        if self._made is None:
            from deid.documents.cda.stage import EncapsulatedCdaStage  # noqa: PLC0415

            self._made = EncapsulatedCdaStage(*self._of)
        self._made.apply(instance)
