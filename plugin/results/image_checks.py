# SPDX-License-Identifier: AGPL-3.0-or-later
"""What segmentations, maps and pictures must have so that viewers show them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydicom.dataset import Dataset

from plugin.results import header as read
from plugin.results.viewer_profiles import ViewerProfile

_NARROWEST_CAPTURE = 320


def segmentation_errors(dataset: Dataset, profile: ViewerProfile) -> Iterator[str]:
    """Errors of a SEG."""
    segments = read.items(dataset, "SegmentSequence")
    frames = read.items(dataset, "PerFrameFunctionalGroupsSequence")
    numbers = [read.integer(segment, "SegmentNumber") for segment in segments]
    label_map = read.text(dataset, "SegmentationType") == "LABELMAP"
    # A label map describes its background as segment 0.
    first = 0 if label_map else 1
    if numbers != list(range(first, len(segments) + first)) or not segments:
        yield f"Segment Sequence: numbers must count from {first}"
    if any(len(read.numbers(item, "RecommendedDisplayCIELabValue")) != 3 for item in segments):
        yield "Segment Sequence: a segment has no Recommended Display CIELab Value"
    if not label_map:
        yield from _segments_of_frames(frames, numbers)
    yield from _frames(dataset, frames)
    shared = read.items(dataset, "SharedFunctionalGroupsSequence")
    most = profile.most_segmentation_frames
    if most is not None and len(frames) > most:
        yield f"Number of Frames: viewers of this profile show nothing beyond {most}"
    if profile.plane_groups_for_projections:
        yield from _planes(frames, shared)


def _segments_of_frames(frames: list[Dataset], numbers: list[int | None]) -> Iterator[str]:
    if {_segment(frame) for frame in frames} != set(numbers):
        yield "Segment Identification: every segment needs a frame, every frame a segment"


def _frames(dataset: Dataset, frames: list[Dataset]) -> Iterator[str]:
    count = read.integer(dataset, "NumberOfFrames") or 0
    if len(frames) != count:
        yield "Number of Frames: there are more or fewer functional groups; overlays would shift"
    if not all(_source(frame) for frame in frames):
        yield "Derivation Image: a frame doesn't name its source image"
    bits = (read.integer(dataset, "Rows") or 0) * (read.integer(dataset, "Columns") or 0) * count
    bits *= read.integer(dataset, "BitsAllocated") or 0
    length = -(-bits // 8)
    pixels = read.value(dataset, "PixelData")
    if not isinstance(pixels, bytes) or len(pixels) != length + length % 2 or not bits:
        yield "Pixel Data: isn't as long as rows, columns and frames say"


def _segment(frame: Dataset) -> int | None:
    items = read.items(frame, "SegmentIdentificationSequence")
    return read.integer(items[0], "ReferencedSegmentNumber") if items else None


def _source(frame: Dataset) -> bool:
    return any(
        read.text(image, "ReferencedSOPInstanceUID")
        for derivation in read.items(frame, "DerivationImageSequence")
        for image in read.items(derivation, "SourceImageSequence")
    )


def _planes(frames: list[Dataset], shared: list[Dataset]) -> Iterator[str]:
    wanted = {
        "PixelMeasuresSequence": "PixelSpacing",
        "PlaneOrientationSequence": "ImageOrientationPatient",
        "PlanePositionSequence": "ImagePositionPatient",
    }
    for sequence, keyword in wanted.items():
        for frame in frames:
            places = [*read.items(frame, sequence)]
            places += [item for group in shared for item in read.items(group, sequence)]
            if not any(read.numbers(place, keyword) for place in places):
                yield f"{keyword}: a frame has none; OHIF fails on it"
                break


def map_errors(dataset: Dataset, _profile: ViewerProfile) -> Iterator[str]:
    """Errors of a parametric map."""
    if not read.text(dataset, "FrameOfReferenceUID"):
        yield "Frame of Reference UID: missing; mandatory for a Parametric Map"
    frames = read.items(dataset, "PerFrameFunctionalGroupsSequence")
    shared = read.items(dataset, "SharedFunctionalGroupsSequence")
    if len(frames) != (read.integer(dataset, "NumberOfFrames") or 0):
        yield "Number of Frames: there are more or fewer functional groups"
    yield from _planes(frames, shared)
    if not any(read.items(group, "RealWorldValueMappingSequence") for group in shared):
        yield "Real World Value Mapping: missing; values would have no meaning"
    cells = (read.integer(dataset, "Rows") or 0) * (read.integer(dataset, "Columns") or 0)
    values = read.value(dataset, "FloatPixelData")
    if not isinstance(values, bytes) or not cells or len(values) != 4 * cells * len(frames):
        yield "Float Pixel Data: isn't as long as rows, columns and frames say"
    elif not _are_probabilities(values):
        yield "Float Pixel Data: holds values that are no probabilities"


def _are_probabilities(values: bytes) -> bool:
    numbers = np.frombuffer(values, "<f4")
    # A comparison with NaN is false.
    return bool(((numbers >= 0) & (numbers <= 1)).all())


def capture_errors(dataset: Dataset, _profile: ViewerProfile) -> Iterator[str]:
    """Errors of a secondary capture."""
    if read.text(dataset, "BurnedInAnnotation") != "YES":
        yield "Burned In Annotation: must say that there are words in the pixels"
    if not read.items(dataset, "SourceImageSequence"):
        yield "Source Image: missing; nobody could tell what the picture was made of"
    length = (read.integer(dataset, "Rows") or 0) * (read.integer(dataset, "Columns") or 0) * 3
    pixels = read.value(dataset, "PixelData")
    if not isinstance(pixels, bytes) or not length or len(pixels) != length + length % 2:
        yield "Pixel Data: isn't as long as rows and columns say"
    if (read.integer(dataset, "Columns") or 0) < _NARROWEST_CAPTURE:
        yield "Columns: too few for words that can be read"
