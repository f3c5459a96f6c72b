# SPDX-License-Identifier: AGPL-3.0-or-later
"""The Key Object Selection of the images worth a look (PS3.3 A.35.4, PS3.16 TID 2010)."""

from __future__ import annotations

from highdicom.sr import ObserverContext
from highdicom.sr.templates import DeviceObserverIdentifyingAttributes
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dictionary
from pydicom.uid import KeyObjectSelectionDocumentStorage

from plugin.results import codes, content
from plugin.results.envelope import evidence, new_object, seal
from plugin.results.objects import ResultObject
from plugin.results.private import MANUFACTURER
from plugin.results.scan_result import ImageResult, ScanResult


def build_key_objects(result: ScanResult) -> ResultObject:
    """The selection for a scan with findings: at most ``MOST_KEY_IMAGES``, likeliest first."""
    images = result.key_images
    dataset = new_object(result, "KO", str(KeyObjectSelectionDocumentStorage), images[0])
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.CurrentRequestedProcedureEvidenceSequence = evidence(images)
    dataset.ValueType = "CONTAINER"
    dataset.ContinuityOfContent = "SEPARATE"
    dataset.ConceptNameCodeSequence = [codes.code_item(codes.OF_INTEREST)]
    template = Dataset()
    template.MappingResource = "DCMR"
    template.TemplateIdentifier = "2010"
    dataset.ContentTemplateSequence = [template]
    dataset.ContentSequence = [*_context(result), *(_image(image) for image in images)]
    return ResultObject("KO", seal(dataset, result))


def _context(result: ScanResult) -> list[Dataset]:
    observer = ObserverContext(
        dictionary.DCM.Device,
        DeviceObserverIdentifyingAttributes(
            uid=result.device_uid(),
            name=result.algorithm_name,
            manufacturer_name=MANUFACTURER,
            model_name=result.title,
        ),
    )
    present = [finding.name for finding, analysed in result.classes if analysed.present]
    words = f"{result.title}: {', '.join(present)}. {result.disclaimer}"
    return [*observer, content.text(codes.KEY_OBJECT_DESCRIPTION, words)]


def _image(image: ImageResult) -> Dataset:
    """An IMAGE, which TID 2010 gives no concept name."""
    item = Dataset()
    item.RelationshipType = "CONTAINS"
    item.ValueType = "IMAGE"
    item.ReferencedSOPSequence = [image.source.reference()]
    return item
