# SPDX-License-Identifier: AGPL-3.0-or-later
"""What every result object has around its content: series, equipment, identity, private mark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from highdicom import ContributingEquipment, SOPClass
from highdicom.content import AlgorithmIdentificationSequence
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from plugin.results import codes, private, uids
from plugin.results.clock import say_in_zone_of_original
from plugin.results.identity import copy_identity
from plugin.results.objects import KINDS, Kind
from plugin.results.private import MANUFACTURER, PrivateElement
from plugin.results.scan_result import ImageResult, ScanResult, software_version

IMPLEMENTATION_CLASS_UID = uids.derive("implementation", "Sidelight")
_IN_SPACE: tuple[Kind, ...] = ("SEG", "SEG-LABELMAP", "SEG-FRACTIONAL", "PM")
LONG_STRING = 64
"""Characters in a value of VR LO (PS3.5 Table 6.2-1)."""


def new_object(
    result: ScanResult,
    kind: Kind,
    sop_class_uid: str,
    image: ImageResult,
    part: tuple[str | int, ...] = (),
) -> Dataset:
    """An object without content.

    Args:
        result: that it tells of.
        kind: of the object.
        sop_class_uid: of the object.
        image: the first one that it refers to.
        part: tells objects of one scan and kind apart.
    """
    geometry = image.source.geometry
    in_space = geometry is not None and kind in _IN_SPACE
    frame_of_reference = geometry.frame_of_reference_uid if geometry and in_space else ""
    return SOPClass(
        study_instance_uid=image.source.study_uid,
        series_instance_uid=result.series_uid(kind, frame_of_reference),
        series_number=result.series_number(kind),
        series_description=_series_description(result, kind),
        modality=KINDS[kind].modality or image.source.modality or "OT",
        sop_class_uid=sop_class_uid,
        sop_instance_uid=result.uid("instance", kind, *part),
        instance_number=image.source.instance_number,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=shorten(result.title),
        software_versions=shorten(software_version()),
        # Type 1 in the Enhanced General Equipment module of a SEG (PS3.3 C.7.5.2).
        device_serial_number=shorten(result.analysis.digest) or "0",
        transfer_syntax_uid=ExplicitVRLittleEndian,
    )


def seal(dataset: Dataset, result: ScanResult) -> Dataset:
    """Write whose study it is and who made it; the last step of every object."""
    copy_identity(result.images[0].header, dataset)
    say_in_zone_of_original(dataset)
    dataset.ContributingEquipmentSequence = [_equipment(result)]
    analysis = result.analysis
    private.mark(
        dataset,
        {
            PrivateElement.OUTCOME: result.outcome.value,
            PrivateElement.MODEL: shorten(analysis.model),
            PrivateElement.MODEL_VERSION: shorten(analysis.version),
            PrivateElement.MODEL_DIGEST: shorten(analysis.digest),
            PrivateElement.CONFIGURATION_DIGEST: shorten(result.options.configuration_digest),
            PrivateElement.SOFTWARE_VERSION: shorten(software_version()),
        },
    )
    dataset.file_meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    dataset.file_meta.ImplementationVersionName = f"SIDELIGHT_{software_version()}"[:16]
    return dataset


def algorithm(result: ScanResult, parameters: dict[str, str]) -> AlgorithmIdentificationSequence:
    """Algorithm Identification Macro (PS3.3 Table 10-19)."""
    return AlgorithmIdentificationSequence(
        name=shorten(result.algorithm_name),
        version=shorten(result.algorithm_version),
        family=codes.ALGORITHM_FAMILY,
        source=MANUFACTURER,
        parameters=parameters,
    )


def evidence(images: Sequence[ImageResult]) -> list[Dataset]:
    """Items of a hierarchical reference (PS3.3 Table C.17-3): each instance once only.

    Measured with OHIF and Stone, see ``docs/results.md``.
    """
    studies: dict[str, Dataset] = {}
    for image in images:
        uid = image.source.study_uid
        if uid not in studies:
            studies[uid] = Dataset()
            studies[uid].StudyInstanceUID = uid
    for uid, study in studies.items():
        ours = [image for image in images if image.source.study_uid == uid]
        study.ReferencedSeriesSequence = _series_items(ours, "ReferencedSOPSequence")
    return list(studies.values())


def referenced_series(images: Iterable[ImageResult]) -> list[Dataset]:
    """Items of a Referenced Series Sequence (PS3.3 Table C.12-8): each instance once only."""
    return _series_items(images, "ReferencedInstanceSequence")


def _series_items(images: Iterable[ImageResult], sequence: str) -> list[Dataset]:
    together: dict[str, dict[str, Dataset]] = {}
    for image in images:
        instance = Dataset()
        instance.ReferencedSOPClassUID = image.source.sop_class_uid
        instance.ReferencedSOPInstanceUID = image.source.sop_instance_uid
        instances = together.setdefault(image.source.series_uid, {})
        instances.setdefault(image.source.sop_instance_uid, instance)
    items = []
    for series_uid, instances in together.items():
        item = Dataset()
        item.SeriesInstanceUID = series_uid
        setattr(item, sequence, list(instances.values()))
        items.append(item)
    return items


def shorten(text: str, length: int = LONG_STRING) -> str:
    """Text that fits a short VR: one line, no backslash, a cut shown by three dots."""
    line = " ".join(text.replace("\\", "/").split())
    return line if len(line) <= length else line[: length - 3].rstrip() + "..."


def _series_description(result: ScanResult, kind: Kind) -> str:
    words = KINDS[kind].words
    return f"Sidelight {shorten(result.title, LONG_STRING - 11 - len(words))} {words}"


def _equipment(result: ScanResult) -> Dataset:
    item = ContributingEquipment(
        manufacturer=MANUFACTURER,
        purpose_of_reference=codes.PROCESSING_EQUIPMENT,
        manufacturer_model_name=shorten(result.title),
        software_versions=[shorten(result.algorithm_version), shorten(software_version())],
        device_serial_number=shorten(result.analysis.digest) or None,
        contribution_description=result.disclaimer[:1024],
    )
    item.DeviceUID = result.device_uid()
    return item
