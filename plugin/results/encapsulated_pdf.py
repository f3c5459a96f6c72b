# SPDX-License-Identifier: AGPL-3.0-or-later
"""The Encapsulated PDF (PS3.3 A.45.1): one page for those who have no viewer at hand."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dictionary
from pydicom.uid import EncapsulatedPDFStorage

from plugin.results import codes
from plugin.results.envelope import new_object, seal, shorten
from plugin.results.objects import ResultObject
from plugin.results.scan_result import ImageResult, ScanResult
from plugin.results.summary_page import summary_page

TITLE = "AI result summary"


def build_pdf(result: ScanResult) -> ResultObject:
    """The summary of one scan; every outcome has one."""
    dataset = new_object(result, "PDF", str(EncapsulatedPDFStorage), result.lead)
    dataset.ConversionType = "WSD"
    # Its pictures may show what is burned into the originals.
    dataset.BurnedInAnnotation = "YES"
    dataset.DocumentTitle = f"{TITLE}: {shorten(result.title)}"
    dataset.ConceptNameCodeSequence = [codes.code_item(dictionary.LN.DiagnosticImagingReport)]
    dataset.AcquisitionDateTime = ""
    dataset.SourceInstanceSequence = _sources(result.key_images)
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    page = summary_page(result)
    dataset.EncapsulatedDocumentLength = len(page)
    dataset.EncapsulatedDocument = page + b"\0" * (len(page) % 2)
    return ResultObject("PDF", seal(dataset, result))


def _sources(images: list[ImageResult]) -> list[Dataset]:
    known: dict[str, Dataset] = {}
    for image in images:
        item = Dataset()
        item.ReferencedSOPClassUID = image.source.sop_class_uid
        item.ReferencedSOPInstanceUID = image.source.sop_instance_uid
        known.setdefault(image.source.sop_instance_uid, item)
    return list(known.values())
