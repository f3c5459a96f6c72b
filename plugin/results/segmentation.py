# SPDX-License-Identifier: AGPL-3.0-or-later
"""The segmentation (PS3.3 A.51): heat map of the present findings as segments on the image.

Written module by module instead of with highdicom's ``Segmentation``: that one demands geometry
attributes that real headers lack, and expands every segment to a full frame of bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from highdicom.color import CIELabColor
from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dictionary
from pydicom.tag import BaseTag, Tag
from pydicom.uid import SegmentationStorage

from inference.contract import FindingClass
from plugin.results import codes
from plugin.results.bands import Band, Window, bands
from plugin.results.envelope import algorithm, new_object, seal, shorten
from plugin.results.image_result import ImageResult
from plugin.results.objects import ResultObject
from plugin.results.pixel_packing import pack
from plugin.results.planes import plane_groups
from plugin.results.regions import LocatedFinding

CONTENT_LABEL = "SIDELIGHT"
FULL = 255
"""Maximum Fractional Value: stands for probability 1."""


@dataclass(frozen=True)
class Segment:
    """What the Segment Sequence says of one segment."""

    label: str
    finding: FindingClass
    colour: tuple[int, int, int]
    parameters: dict[str, str]


def build_segmentation(
    result: ImageResult, form: Literal["BINARY", "FRACTIONAL"]
) -> ResultObject | None:
    """The SEG of one image that has regions; None where no pixel's centre lies in one."""
    if form == "BINARY":
        masks = [band for located in result.located for band in _bands(result, located)]
        segments = [_band_segment(band) for band in masks]
        pixels = pack(masks, result.source.rows, result.source.columns)
    else:
        segments = [_fractional_segment(located) for located in result.located]
        pixels = _fractions(result)
    if not segments:
        return None
    dataset = new_object(result, "SEG", SegmentationStorage)
    _general_image(dataset, result)
    _segmentation_image(dataset, form)
    dataset.SegmentsOverlap = "NO" if len(result.located) == 1 else "UNDEFINED"
    dataset.SegmentSequence = [
        _description(result, number, segment) for number, segment in enumerate(segments, start=1)
    ]
    _functional_groups(dataset, result, len(segments))
    dataset.PixelData = pixels
    dataset["PixelData"].VR = "OB"
    return ResultObject("SEG", seal(dataset, result))


def band_colour(band: Band) -> tuple[int, int, int]:
    """The finding's colour for its highest band, mixed with white below."""
    white = 0.6 * (1 - band.strength)
    red, green, blue = (round(part + white * (255 - part)) for part in band.finding.colour)
    return red, green, blue


def _bands(result: ImageResult, located: LocatedFinding) -> Iterator[Band]:
    source = result.source
    return bands(located, result.options.bands, source.rows, source.columns)


def _band_segment(band: Band) -> Segment:
    parameters = {"probability from": f"{band.lower:.4g}", "to": f"{band.upper:.4g}"}
    return Segment(band.label, band.finding, band_colour(band), parameters)


def _fractional_segment(located: LocatedFinding) -> Segment:
    finding = located.finding
    return Segment(f"{finding.name} probability", finding, finding.colour, {})


def _fractions(result: ImageResult) -> bytes:
    source = result.source
    whole = Window(top=0, bottom=source.rows, left=0, right=source.columns)
    frames = [
        np.rint(located.field.sample(whole.x, whole.y) * FULL).astype(np.uint8).tobytes()
        for located in result.located
    ]
    data = b"".join(frames)
    return data + b"\0" * (len(data) % 2)


def _general_image(dataset: Dataset, result: ImageResult) -> None:
    source = result.source
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.Rows = source.rows
    dataset.Columns = source.columns
    dataset.ImageComments = result.disclaimer
    if source.geometry is None:
        # Type 2C where no plane orientation is required (PS3.3 C.7.6.1).
        dataset.PatientOrientation = list(source.patient_orientation)
    else:
        dataset.FrameOfReferenceUID = source.geometry.frame_of_reference_uid
        dataset.PositionReferenceIndicator = ""
    instance = Dataset()
    instance.ReferencedSOPClassUID = source.sop_class_uid
    instance.ReferencedSOPInstanceUID = source.sop_instance_uid
    series = Dataset()
    series.SeriesInstanceUID = source.series_uid
    series.ReferencedInstanceSequence = [instance]
    dataset.ReferencedSeriesSequence = [series]
    dataset.ContentLabel = CONTENT_LABEL
    dataset.ContentDescription = shorten(result.disclaimer)
    dataset.ContentCreatorName = "Sidelight"


def _segmentation_image(dataset: Dataset, form: Literal["BINARY", "FRACTIONAL"]) -> None:
    bits = 1 if form == "BINARY" else 8
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelRepresentation = 0
    dataset.BitsAllocated = bits
    dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.LossyImageCompression = "00"
    dataset.SegmentationType = form
    if form == "FRACTIONAL":
        dataset.SegmentationFractionalType = "PROBABILITY"
        dataset.MaximumFractionalValue = FULL


def _description(result: ImageResult, number: int, segment: Segment) -> SegmentDescription:
    site = codes.site(result.model)
    digest = {"bundle sha256": result.analysis.digest} if result.analysis.digest else {}
    return SegmentDescription(
        segment_number=number,
        segment_label=shorten(segment.label),
        segmented_property_category=codes.ABNORMAL_STRUCTURE,
        segmented_property_type=codes.concept(segment.finding.code),
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=algorithm(result, digest | segment.parameters),
        anatomic_regions=None if site is None else [site],
        display_color=CIELabColor.from_rgb(*segment.colour),
    )


def _functional_groups(dataset: Dataset, result: ImageResult, segments: int) -> None:
    shared, per_plane = plane_groups(result)
    indices = [(Tag("ReferencedSegmentNumber"), Tag("SegmentIdentificationSequence"))]
    if result.source.geometry is not None:
        indices.append((Tag("ImagePositionPatient"), Tag("PlanePositionSequence")))
    organization = Dataset()
    organization.DimensionOrganizationUID = result.uid("dimensions")
    dataset.DimensionOrganizationSequence = [organization]
    dataset.DimensionIndexSequence = [
        _dimension(organization.DimensionOrganizationUID, *index) for index in indices
    ]
    dataset.NumberOfFrames = segments
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = [
        _frame(result, number, len(indices), per_plane) for number in range(1, segments + 1)
    ]


def _dimension(organization_uid: str, pointer: BaseTag, group: BaseTag) -> Dataset:
    item = Dataset()
    item.DimensionOrganizationUID = organization_uid
    item.DimensionIndexPointer = pointer
    item.FunctionalGroupPointer = group
    return item


def _frame(result: ImageResult, segment: int, dimensions: int, per_plane: Dataset) -> Dataset:
    item = Dataset()
    item.update(per_plane)
    content = Dataset()
    content.DimensionIndexValues = [segment, 1][:dimensions]
    item.FrameContentSequence = [content]
    source_image = result.source.reference()
    source_image.PurposeOfReferenceCodeSequence = [
        codes.code_item(dictionary.DCM.SourceImageForImageProcessingOperation)
    ]
    source_image.SpatialLocationsPreserved = "YES"
    derivation = Dataset()
    derivation.SourceImageSequence = [source_image]
    derivation.DerivationCodeSequence = [codes.code_item(dictionary.DCM.Segmentation)]
    item.DerivationImageSequence = [derivation]
    identification = Dataset()
    identification.ReferencedSegmentNumber = segment
    item.SegmentIdentificationSequence = [identification]
    return item
