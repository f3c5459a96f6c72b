# SPDX-License-Identifier: AGPL-3.0-or-later
"""Segmentations (PS3.3 A.51 and A.87): heat maps of the present findings as segments.

Written module by module instead of with highdicom's ``Segmentation``: that one demands geometry
attributes that real headers lack, and expands every segment to a full frame of bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dictionary
from pydicom.uid import SegmentationStorage

from plugin.results.bands import Band, Window, bands
from plugin.results.envelope import new_object, referenced_series, seal, shorten
from plugin.results.label_map import labels
from plugin.results.objects import Kind, ResultObject
from plugin.results.pixel_packing import pack
from plugin.results.planes import plane_of
from plugin.results.regions import LocatedFinding
from plugin.results.scan_result import ImageResult, ScanResult
from plugin.results.segment_frames import Frame, parts, write_frames
from plugin.results.segments import (
    Segment,
    background,
    band_segment,
    describe,
    fractional_segment,
)
from plugin.results.source import PlaneGeometry
from plugin.results.viewer_profiles import ViewerProfile

CONTENT_LABEL = "SIDELIGHT"
FULL = 255
"""Maximum Fractional Value: stands for probability 1."""
LABEL_MAP_STORAGE = "1.2.840.10008.5.1.4.1.1.66.7"
"""Label Map Segmentation Storage (PS3.4 Table B.5-1, since 2024c); pydicom 3.0 doesn't know it."""

Form = Literal["BINARY", "LABELMAP", "FRACTIONAL"]


@dataclass(frozen=True)
class Content:
    """Segments, frames and pixels of one segmentation, all frames of one size.

    Attributes:
        segments: numbered from 1 in this order.
    """

    segments: Sequence[Segment]
    frames: Sequence[Frame]
    pixels: bytes


def build_segmentations(result: ScanResult, kind: Kind, form: Form) -> list[ResultObject]:
    """The segmentations of one scan that has regions.

    One, unless the images don't fit into one object (``parts``) or the viewer profile limits the
    number of frames; none where no pixel's centre lies in a region.
    """
    made = {"BINARY": _bands, "LABELMAP": _label_map, "FRACTIONAL": _fractions}[form]
    shown = [image for image in result.images if image.located]
    contents = [
        content
        for images in parts(shown)
        for portion in _portions(result, images)
        if (content := made(result, portion)) is not None
    ]
    return [
        write_segmentation(result, kind, form, content, number)
        for number, content in enumerate(contents)
    ]


def write_segmentation(
    result: ScanResult, kind: Kind, form: Form, content: Content, number: int = 0
) -> ResultObject:
    """Write one segmentation; ``number`` counts those of one scan and kind from 0."""
    first = content.frames[0].image
    sop_class = LABEL_MAP_STORAGE if form == "LABELMAP" else str(SegmentationStorage)
    dataset = new_object(result, kind, sop_class, first, (number,) if number else ())
    _general_image(dataset, result, content)
    _segmentation_image(dataset, form)
    findings = {segment.finding.key for segment in content.segments}
    separate = form == "LABELMAP" or len(findings) == 1
    dataset.SegmentsOverlap = "NO" if separate else "UNDEFINED"
    described: list[Dataset] = [
        describe(result, order, one) for order, one in enumerate(content.segments, 1)
    ]
    if form == "LABELMAP":
        described.insert(0, background(result))
    dataset.SegmentSequence = described
    write_frames(dataset, content.frames, dictionary.DCM.Segmentation)
    dataset.PixelData = content.pixels
    dataset["PixelData"].VR = "OB"
    return ResultObject(kind, seal(dataset, result))


def band_content(frames: Sequence[tuple[ImageResult, Band]], profile: ViewerProfile) -> Content:
    """Masks of bands as segments, in the order of findings, bands and images given."""
    numbers: dict[tuple[str, float], int] = {}
    segments: list[Segment] = []
    for _, band in frames:
        key = (band.finding.key, band.lower)
        if key not in numbers:
            segments.append(band_segment(band))
            numbers[key] = len(segments)
    planes = _Planes(profile)
    ordered = sorted(frames, key=lambda pair: numbers[pair[1].finding.key, pair[1].lower])
    source = ordered[0][0].source
    return Content(
        segments,
        [planes.frame(image, numbers[band.finding.key, band.lower]) for image, band in ordered],
        pack([band for _, band in ordered], source.rows, source.columns),
    )


class _Planes:
    """Works out the plane of each image once."""

    def __init__(self, profile: ViewerProfile) -> None:
        self._profile = profile
        self._known: dict[int, PlaneGeometry | None] = {}

    def frame(self, image: ImageResult, segment: int | None) -> Frame:
        if id(image) not in self._known:
            self._known[id(image)] = plane_of(image.source, self._profile)
        return Frame(image, segment, self._known[id(image)])


def _portions(result: ScanResult, images: list[ImageResult]) -> Iterator[list[ImageResult]]:
    most = result.profile.most_segmentation_frames
    if most is None:
        yield images
        return
    classes = max(1, len(result.found)) * len(result.options.bands)
    step = max(1, most // classes)
    for start in range(0, len(images), step):
        yield images[start : start + step]


def _bands(result: ScanResult, images: Sequence[ImageResult]) -> Content | None:
    found = [
        (image, band)
        for image, located in _by_finding(result, images)
        for band in bands(located, result.options.bands, image.source.rows, image.source.columns)
    ]
    order = {finding.key: number for number, finding in enumerate(result.found)}
    found.sort(key=lambda pair: (order[pair[1].finding.key], pair[1].lower))
    return band_content(found, result.profile) if found else None


def _label_map(result: ScanResult, images: Sequence[ImageResult]) -> Content | None:
    content = _bands(result, images)
    if content is None:
        return None
    numbers = {
        (one.finding.key, one.lower): number for number, one in enumerate(content.segments, start=1)
    }
    drawn = [labels(image, numbers, result.options.bands) for image in images]
    planes = _Planes(result.profile)
    frames = [planes.frame(image, None) for image in images]
    return Content(content.segments, frames, _even(drawn))


def _fractions(result: ScanResult, images: Sequence[ImageResult]) -> Content | None:
    found = _by_finding(result, images)
    keys = list(dict.fromkeys(located.finding.key for _, located in found))
    findings = {located.finding.key: located.finding for _, located in found}
    planes = _Planes(result.profile)
    whole = Window(0, images[0].source.rows, 0, images[0].source.columns)
    drawn = [
        np.rint(located.field.sample(whole.x, whole.y) * FULL).astype(np.uint8)
        for _, located in found
    ]
    return Content(
        [fractional_segment(findings[key]) for key in keys],
        [planes.frame(image, keys.index(located.finding.key) + 1) for image, located in found],
        _even(drawn),
    )


def _by_finding(
    result: ScanResult, images: Sequence[ImageResult]
) -> list[tuple[ImageResult, LocatedFinding]]:
    return [
        (image, located)
        for finding in result.found
        for image in images
        for located in image.located
        if located.finding.key == finding.key
    ]


def _even(frames: Sequence[np.ndarray]) -> bytes:
    data = b"".join(frame.tobytes() for frame in frames)
    return data + b"\0" * (len(data) % 2)


def _general_image(dataset: Dataset, result: ScanResult, content: Content) -> None:
    images = list({id(frame.image): frame.image for frame in content.frames}.values())
    source = images[0].source
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
    dataset.ReferencedSeriesSequence = referenced_series(images)
    dataset.ContentLabel = CONTENT_LABEL
    dataset.ContentDescription = shorten(result.disclaimer)
    dataset.ContentCreatorName = "Sidelight"


def _segmentation_image(dataset: Dataset, form: Form) -> None:
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
    elif form == "LABELMAP":
        dataset.PixelPaddingValue = 0
