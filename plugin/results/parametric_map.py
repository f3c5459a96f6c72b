# SPDX-License-Identifier: AGPL-3.0-or-later
"""Parametric maps (PS3.3 A.75): the probabilities themselves, as floats, one object per class.

A map keeps the grid that the model answered on: a frame has the map's own rows and columns, with
its own spacing and position in the patient. Nothing is interpolated, and a CT of 300 slices takes
megabytes instead of gigabytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dictionary
from pydicom.uid import ParametricMapStorage

from inference.contract import ClassProbability, FindingClass
from plugin.results import codes
from plugin.results.envelope import new_object, referenced_series, seal, shorten
from plugin.results.objects import KindNotPossibleError, ResultObject
from plugin.results.scan_result import ImageResult, ScanResult
from plugin.results.segment_frames import Frame, parts, write_frames
from plugin.results.source import PlaneGeometry, SourceImage

CONTENT_LABEL = "SIDELIGHT"
_MISSING = (
    "a Parametric Map needs Frame of Reference UID, Image Position, Image Orientation and Pixel "
    "Spacing, which the original lacks; the map itself is at "
    "/instances/{id}/sidelight/heatmaps/{finding}/matrix"
)


def needs_frame_of_reference(source: SourceImage) -> str:
    """Why no parametric map can be made of this image, or nothing.

    Frame of Reference is mandatory in the Parametric Map IOD (PS3.3 Table A.75-1).
    """
    return "" if source.geometry is not None else _MISSING


def build_parametric_maps(result: ScanResult) -> list[ResultObject]:
    """One object per class that has maps, present or not, and per grid in space.

    Raises:
        KindNotPossibleError: an image has no place in a frame of reference.
    """
    for image in result.images:
        reason = needs_frame_of_reference(image.source)
        if reason:
            raise KindNotPossibleError(reason)
    found = []
    for finding, _ in result.classes:
        mapped = [image for image in result.images if _map_of(image, finding) is not None]
        for number, images in enumerate(_alike(mapped, finding)):
            found.append(_build(result, finding, images, number))
    return found


def _build(
    result: ScanResult, finding: FindingClass, images: list[ImageResult], number: int
) -> ResultObject:
    part = (finding.key, number)
    dataset = new_object(result, "PM", str(ParametricMapStorage), images[0], part)
    dataset.SeriesDescription = shorten(f"{dataset.SeriesDescription} {finding.name}")
    dataset.SeriesInstanceUID = result.series_uid("PM", _frame_of_reference(images), finding.key)
    grids = [_values(image, finding) for image in images]
    _image(dataset, result, images, grids[0])
    frames = [
        Frame(image, None, map_plane(image, *grid.shape))
        for image, grid in zip(images, grids, strict=True)
    ]
    write_frames(dataset, frames, dictionary.DCM.UnspecifiedMethodOfCalculation)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    shared.RealWorldValueMappingSequence = [_mapping(finding)]
    shared.PixelValueTransformationSequence = [_transformation()]
    shared.FrameVOILUTSequence = [_window()]
    frame_type = Dataset()
    frame_type.FrameType = dataset.ImageType
    shared.ParametricMapFrameTypeSequence = [frame_type]
    dataset.FloatPixelData = b"".join(grid.astype("<f4").tobytes() for grid in grids)
    return ResultObject("PM", seal(dataset, result))


def map_plane(image: ImageResult, rows: int, columns: int) -> PlaneGeometry:
    """The plane of a map of ``rows x columns`` cells that covers its extent of an image.

    Raises:
        KindNotPossibleError: the image has no place in a frame of reference.
    """
    geometry, extent = image.source.geometry, image.extent
    if geometry is None or extent is None:
        raise KindNotPossibleError(_MISSING)
    height = (extent.bottom - extent.top) / rows
    width = (extent.right - extent.left) / columns
    along, down = np.array(geometry.orientation).reshape(2, 3)
    # Image Position is the centre of the first pixel (PS3.3 C.7.6.2.1.1), which is (0.5, 0.5).
    x = (extent.left + width / 2 - 0.5) * geometry.spacing[1]
    y = (extent.top + height / 2 - 0.5) * geometry.spacing[0]
    position = np.array(geometry.position) + x * along + y * down
    return replace(
        geometry,
        position=tuple(float(part) for part in position),
        spacing=(geometry.spacing[0] * height, geometry.spacing[1] * width),
    )


def _frame_of_reference(images: list[ImageResult]) -> str:
    geometry = images[0].source.geometry
    return geometry.frame_of_reference_uid if geometry else ""


def _alike(images: list[ImageResult], finding: FindingClass) -> Iterator[list[ImageResult]]:
    """Images whose maps have one grid: one multi-frame object holds frames of one size."""
    for part in parts(images):
        together: dict[object, list[ImageResult]] = {}
        for image in part:
            grid = _values(image, finding)
            together.setdefault((grid.shape, image.extent), []).append(image)
        yield from together.values()


def _map_of(image: ImageResult, finding: FindingClass) -> ClassProbability | None:
    found = [analysed for known, analysed in image.classes if known.key == finding.key]
    return found[0] if found and found[0].maps else None


def _values(image: ImageResult, finding: FindingClass) -> np.ndarray:
    analysed = _map_of(image, finding)
    if analysed is None:
        raise KindNotPossibleError("the answer holds no map of an image")
    return analysed.maps[max(analysed.maps)].array()


def _image(
    dataset: Dataset, result: ScanResult, images: list[ImageResult], grid: np.ndarray
) -> None:
    dataset.ImageType = ["DERIVED", "PRIMARY", "VOLUME", "QUANTITY"]
    dataset.Rows, dataset.Columns = grid.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = 32
    dataset.PresentationLUTShape = "IDENTITY"
    dataset.PixelPresentation = "MONOCHROME"
    dataset.LossyImageCompression = "00"
    dataset.BurnedInAnnotation = "NO"
    dataset.RecognizableVisualFeatures = "NO"
    dataset.ContentQualification = "RESEARCH"
    dataset.AcquisitionContextSequence = []
    dataset.ImageComments = result.disclaimer
    dataset.FrameOfReferenceUID = _frame_of_reference(images)
    dataset.PositionReferenceIndicator = ""
    # Type 2C of the General Series without Image Laterality.
    dataset.Laterality = ""
    dataset.ReferencedSeriesSequence = referenced_series(images)
    dataset.ContentLabel = CONTENT_LABEL
    dataset.ContentDescription = shorten(result.disclaimer)
    dataset.ContentCreatorName = "Sidelight"


def _mapping(finding: FindingClass) -> Dataset:
    """Stored values are probabilities from 0 to 1 (PS3.3 C.7.6.16.2.11)."""
    item = Dataset()
    item.LUTLabel = "PROBABILITY"
    item.LUTExplanation = shorten(f"Probability of {finding.name}")
    item.MeasurementUnitsCodeSequence = [codes.code_item(codes.NO_UNITS)]
    item.DoubleFloatRealWorldValueFirstValueMapped = 0.0
    item.DoubleFloatRealWorldValueLastValueMapped = 1.0
    item.RealWorldValueIntercept = 0.0
    item.RealWorldValueSlope = 1.0
    quantity = Dataset()
    quantity.ValueType = "CODE"
    quantity.ConceptNameCodeSequence = [codes.code_item(codes.QUANTITY)]
    quantity.ConceptCodeSequence = [codes.code_item(codes.probability_of(finding))]
    item.QuantityDefinitionSequence = [quantity]
    return item


def _transformation() -> Dataset:
    item = Dataset()
    item.RescaleIntercept, item.RescaleSlope, item.RescaleType = "0", "1", "US"
    return item


def _window() -> Dataset:
    item = Dataset()
    item.WindowCenter, item.WindowWidth = "0.5", "1"
    # LINEAR would take one off the width (PS3.3 C.11.2.1.3.2).
    item.VOILUTFunction = "LINEAR_EXACT"
    return item
