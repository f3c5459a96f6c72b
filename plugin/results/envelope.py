# SPDX-License-Identifier: AGPL-3.0-or-later
"""What every result object has around its content: series, equipment, identity, private mark."""

from __future__ import annotations

from highdicom import ContributingEquipment, SOPClass
from highdicom.content import AlgorithmIdentificationSequence
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from plugin.results import codes, private, uids
from plugin.results.identity import copy_identity
from plugin.results.image_result import ImageResult, software_version
from plugin.results.objects import SERIES_NUMBER_OFFSET, Kind
from plugin.results.private import PrivateElement

MANUFACTURER = "Sidelight"
IMPLEMENTATION_CLASS_UID = uids.derive("implementation", "Sidelight")
LONG_STRING = 64
"""Characters in a value of VR LO (PS3.5 Table 6.2-1)."""


def new_object(result: ImageResult, kind: Kind, sop_class_uid: str) -> Dataset:
    """An object without content."""
    return SOPClass(
        study_instance_uid=result.source.study_uid,
        series_instance_uid=result.series_uid(kind),
        series_number=result.options.series_number_base + SERIES_NUMBER_OFFSET[kind],
        series_description=_series_description(result, kind),
        modality=kind,
        sop_class_uid=sop_class_uid,
        sop_instance_uid=result.uid("instance", kind),
        instance_number=result.source.instance_number,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=shorten(result.title),
        software_versions=shorten(software_version()),
        # Type 1 in the Enhanced General Equipment module of a SEG (PS3.3 C.7.5.2).
        device_serial_number=shorten(result.analysis.digest) or "0",
        transfer_syntax_uid=ExplicitVRLittleEndian,
    )


def seal(dataset: Dataset, result: ImageResult) -> Dataset:
    """Write whose study it is and who made it; the last step of every object."""
    copy_identity(result.header, dataset)
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


def algorithm(result: ImageResult, parameters: dict[str, str]) -> AlgorithmIdentificationSequence:
    """Algorithm Identification Macro (PS3.3 Table 10-19)."""
    return AlgorithmIdentificationSequence(
        name=shorten(result.algorithm_name),
        version=shorten(result.algorithm_version),
        family=codes.ALGORITHM_FAMILY,
        source=MANUFACTURER,
        parameters=parameters,
    )


def shorten(text: str, length: int = LONG_STRING) -> str:
    """Text that fits a short VR: one line, no backslash, a cut shown by three dots."""
    line = " ".join(text.replace("\\", "/").split())
    return line if len(line) <= length else line[: length - 3].rstrip() + "..."


def _series_description(result: ImageResult, kind: Kind) -> str:
    return f"Sidelight {shorten(result.title, LONG_STRING - 14)} {kind}"


def _equipment(result: ImageResult) -> Dataset:
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
