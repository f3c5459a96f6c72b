# SPDX-License-Identifier: AGPL-3.0-or-later
"""A hanging as DICOM Hanging Protocol (PS3.3 A.44), for viewers that read such objects.

It names nobody: it is about kinds of images. Whether a contrast agent is named is said in the label
of the image set alone: Filter-by Attribute Presence (0072,0404) would ask for it, but dciodvfy has
the condition of Filter-by Operator (0072,0406) the other way round than PS3.3 C.23.3, and refuses
every filter by an attribute.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian, HangingProtocolStorage

from plugin import __version__
from plugin.anatomy.regions import codes_of
from plugin.configuration.hanging_table import Box, Hanging
from plugin.hanging.filling import words

_ANATOMIC_REGION = 0x00082218
_SELECTORS = {
    "Modality": 0x00080060,
    "ViewPosition": 0x00185101,
    "ImageLaterality": 0x00200062,
    "PresentationIntentType": 0x00080068,
}
_RAW_TOO = frozenset({"DX", "MG"})
"""Of these a device may send the raw values beside the image."""
_PLANES = {"axial": "TRANSVERSE", "coronal": "CORONAL", "sagittal": "SAGITTAL"}
"""Values of the filter by plane, PS3.3 C.23.3.1.1."""
_CREATOR = "Sidelight"


@dataclass(frozen=True)
class _ImageSet:
    number: int
    hanging: Hanging
    box: Box


def hanging_protocol(hanging: Hanging, created: datetime | None = None) -> bytes:
    """The Part 10 file of a hanging.

    Args:
        hanging: what is laid out.
        created: Hanging Protocol Creation DateTime (0072,000A); now where it is left out.
    """
    moment = created or datetime.now(UTC)
    # The same rules give the same object: a viewer that has it need not get it twice.
    uid = UID(f"2.25.{uuid5(NAMESPACE_URL, f'sidelight {hanging.model_dump_json()}').int}")
    dataset = FileDataset(io.BytesIO(), Dataset(), preamble=bytes(128), file_meta=_meta(uid))
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID, dataset.SOPInstanceUID = HangingProtocolStorage, uid
    sets = [_ImageSet(n, hanging, box) for n, box in enumerate(hanging.boxes, start=1)]
    _define(dataset, hanging, moment, sets)
    # Environment (PS3.3 C.23.2): any screen; type 2, so both are there.
    dataset.NumberOfScreens = 1
    dataset.NominalScreenDefinitionSequence = Sequence()
    _display(dataset, sets)
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _meta(uid: UID) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = HangingProtocolStorage, uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationVersionName = f"SIDELIGHT_{__version__}"[:16]
    return meta


def _define(dataset: Dataset, hanging: Hanging, moment: datetime, sets: list[_ImageSet]) -> None:
    """Hanging Protocol Definition (PS3.3 C.23.1)."""
    dataset.HangingProtocolName = hanging.name
    dataset.HangingProtocolDescription = hanging.description
    dataset.HangingProtocolLevel = "SITE"
    dataset.HangingProtocolCreator = _CREATOR
    dataset.HangingProtocolCreationDateTime = moment.strftime("%Y%m%d%H%M%S%z")
    dataset.HangingProtocolDefinitionSequence = Sequence([_definition(hanging)])
    dataset.NumberOfPriorsReferenced = hanging.priors
    dataset.ImageSetsSequence = Sequence([_image_set(one) for one in sets])
    dataset.HangingProtocolUserIdentificationCodeSequence = Sequence()


def _definition(hanging: Hanging) -> Dataset:
    """For studies of which anatomy; of which modality, the selectors of each image set say.

    Modality and Anatomic Region Sequence are each type 1C in absence of the other (PS3.3 C.23.1).
    They may stand together, but validators refuse that; in two items they would be alternatives,
    and a protocol for chests would hang every study of its modality. So the region stands here,
    and an image of another modality matches no image set: the protocol then hangs nothing.
    """
    item = Dataset()
    item.AnatomicRegionSequence = _regions(hanging.regions)
    item.Laterality = None  # type 2C beside the region: any side
    item.ProcedureCodeSequence = Sequence()
    item.ReasonForRequestedProcedureCodeSequence = Sequence()
    return item


def _regions(regions: tuple[str, ...]) -> Sequence:
    items = []
    for code in codes_of(regions):  # type: ignore[arg-type]
        item = Dataset()
        item.CodeValue = code.value
        item.CodingSchemeDesignator = code.scheme
        item.CodeMeaning = code.meaning
        items.append(item)
    return Sequence(items)


def _image_set(one: _ImageSet) -> Dataset:
    item = Dataset()
    item.ImageSetSelectorSequence = Sequence(_selectors(one))
    timed = Dataset()
    timed.ImageSetNumber = one.number
    if one.box.prior:
        timed.ImageSetSelectorCategory = "ABSTRACT_PRIOR"
        # First and last of a range of priors, 1 being the latest.
        timed.AbstractPriorValue = [one.box.prior, one.box.prior]
    else:
        timed.ImageSetSelectorCategory = "RELATIVE_TIME"
        timed.RelativeTime = [0, 0]
        timed.RelativeTimeUnits = "DAYS"
    timed.ImageSetLabel = words(one.hanging, one.box)[:64]
    item.TimeBasedImageSetsSequence = Sequence([timed])
    return item


def _selectors(one: _ImageSet) -> list[Dataset]:
    modalities, regions = one.hanging.shown_by(one.box)
    found = [_coded("Modality", modalities), _region_selector(regions)]
    if one.box.views:
        found.append(_coded("ViewPosition", one.box.views))
    if one.box.laterality != "any":
        found.append(_coded("ImageLaterality", (one.box.laterality,)))
    if _RAW_TOO.intersection(modalities):
        found.append(_coded("PresentationIntentType", ("FOR PRESENTATION",), missing="MATCH"))
    return found


def _coded(keyword: str, values: tuple[str, ...], missing: str = "NO_MATCH") -> Dataset:
    """Match one attribute of VR CS; ``missing`` says whether an image that lacks it matches."""
    item = Dataset()
    item.ImageSetSelectorUsageFlag = missing
    item.SelectorAttribute = _SELECTORS[keyword]
    item.SelectorAttributeVR = "CS"
    item.SelectorCSValue = list(values)
    item.SelectorValueNumber = 1
    return item


def _region_selector(regions: tuple[str, ...]) -> Dataset:
    """Match Anatomic Region Sequence; most images lack it, and match then."""
    item = Dataset()
    item.ImageSetSelectorUsageFlag = "MATCH"
    item.SelectorAttribute = _ANATOMIC_REGION
    item.SelectorAttributeVR = "SQ"
    item.SelectorCodeSequenceValue = _regions(regions)
    item.SelectorValueNumber = 0  # any item
    return item


def _display(dataset: Dataset, sets: list[_ImageSet]) -> None:
    """Hanging Protocol Display (PS3.3 C.23.3)."""
    dataset.DisplaySetsSequence = Sequence([_display_set(one) for one in sets])
    dataset.PartialDataDisplayHandling = "MAINTAIN_LAYOUT"


def _display_set(one: _ImageSet) -> Dataset:
    item = Dataset()
    item.DisplaySetNumber = one.number
    item.DisplaySetPresentationGroup = 1
    item.ImageSetNumber = one.number
    item.ImageBoxesSequence = Sequence([_image_box(one)])
    plane = _PLANES.get(one.box.orientation)
    item.FilterOperationsSequence = Sequence([] if plane is None else [_of_plane(plane)])
    item.SortingOperationsSequence = Sequence()
    return item


def _of_plane(plane: str) -> Dataset:
    """Show images of this plane only; a viewer derives it from Image Orientation (Patient)."""
    item = Dataset()
    item.FilterByCategory = "IMAGE_PLANE"
    item.ImageSetSelectorUsageFlag = "NO_MATCH"
    item.SelectorAttributeVR = "CS"
    item.SelectorCSValue = plane
    item.FilterByOperator = "MEMBER_OF"
    return item


def _image_box(one: _ImageSet) -> Dataset:
    row, column = one.hanging.place(one.box)
    wide, high = 1.0 / one.hanging.columns, 1.0 / one.hanging.rows
    item = Dataset()
    item.ImageBoxNumber = 1
    # Left, top, right, bottom; the origin is the lower left corner (PS3.3 C.23.2.1.1).
    item.DisplayEnvironmentSpatialPosition = [
        (column - 1) * wide,
        1.0 - (row - 1) * high,
        column * wide,
        1.0 - row * high,
    ]
    item.ImageBoxLayoutType = "STACK"
    return item
