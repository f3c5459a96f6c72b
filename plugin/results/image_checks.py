# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a segmentation and a presentation state must have so that viewers show them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydicom.dataset import Dataset

from plugin.results import header as read
from plugin.results import sr_tree
from plugin.results.viewer_profiles import ViewerProfile


def segmentation_errors(dataset: Dataset, profile: ViewerProfile) -> Iterator[str]:
    """Errors of a SEG."""
    segments = read.items(dataset, "SegmentSequence")
    frames = read.items(dataset, "PerFrameFunctionalGroupsSequence")
    numbers = [read.integer(segment, "SegmentNumber") for segment in segments]
    if numbers != list(range(1, len(segments) + 1)) or not segments:
        yield "Segment Sequence: numbers must count from 1"
    if any(len(read.numbers(item, "RecommendedDisplayCIELabValue")) != 3 for item in segments):
        yield "Segment Sequence: a segment has no Recommended Display CIELab Value"
    yield from _frames(dataset, frames, numbers)
    shared = read.items(dataset, "SharedFunctionalGroupsSequence")
    if profile.plane_groups_for_projections:
        yield from _planes(frames, shared)


def _frames(dataset: Dataset, frames: list[Dataset], numbers: list[int | None]) -> Iterator[str]:
    count = read.integer(dataset, "NumberOfFrames") or 0
    if len(frames) != count:
        yield "Number of Frames: there are more or fewer functional groups; overlays would shift"
    shown = [_segment(frame) for frame in frames]
    if set(shown) != set(numbers):
        yield "Segment Identification: every segment needs a frame, every frame a segment"
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
                yield f"{keyword}: a frame has none; OHIF fails on the segmentation"
                break


def presentation_errors(dataset: Dataset) -> Iterator[str]:
    """Errors of a presentation state."""
    if "Laterality" not in dataset:
        yield "Laterality: missing; type 2C without Image Laterality"
    layers = {
        read.text(item, "GraphicLayer") for item in read.items(dataset, "GraphicLayerSequence")
    }
    areas = read.items(dataset, "DisplayedAreaSelectionSequence")
    corner = read.numbers(areas[0], "DisplayedAreaBottomRightHandCorner") if areas else ()
    if len(corner) != 2:
        yield "Displayed Area: missing"
        return
    for annotation in read.items(dataset, "GraphicAnnotationSequence"):
        if read.text(annotation, "GraphicLayer") not in layers:
            yield "Graphic Annotation: its layer isn't described"
        for graphic in read.items(annotation, "GraphicObjectSequence"):
            outline = sr_tree.points(graphic)
            if (outline < 0).any() or (outline > np.array(corner)).any():
                yield "Graphic Object: points lie outside the image"
