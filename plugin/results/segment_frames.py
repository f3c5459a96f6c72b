# SPDX-License-Identifier: AGPL-3.0-or-later
"""Frames of a segmentation and of a map: functional groups and dimensions (PS3.3 C.7.6.16, .17).

A series makes thousands of frames that are alike but for a few numbers: what belongs to an image or
to a segment is made once and stands in every frame of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.sr.codedict import codes as dictionary
from pydicom.sr.coding import Code
from pydicom.tag import BaseTag, Tag

from plugin.results import codes, uids
from plugin.results.planes import depth, position_group, shared_groups
from plugin.results.scan_result import ImageResult
from plugin.results.source import PlaneGeometry

_SEGMENT = (Tag("ReferencedSegmentNumber"), Tag("SegmentIdentificationSequence"))
_POSITION = (Tag("ImagePositionPatient"), Tag("PlanePositionSequence"))
_STACK = (Tag("InStackPositionNumber"), Tag("FrameContentSequence"))


@dataclass(frozen=True)
class Frame:
    """One frame.

    Attributes:
        image: that it was derived from.
        segment: number of the segment shown; None where a frame shows none or all.
        plane: where it lies; None for nowhere.
    """

    image: ImageResult
    segment: int | None
    plane: PlaneGeometry | None


def parts(images: Sequence[ImageResult]) -> list[list[ImageResult]]:
    """Images that one multi-frame object can hold: slices of one size, spacing and orientation in
    one frame of reference. Images without a place in the patient stand alone."""
    together: dict[object, list[ImageResult]] = {}
    for index, image in enumerate(images):
        source, geometry = image.source, image.source.geometry
        size = (source.rows, source.columns)
        key: object = index
        if geometry is not None:
            place = (geometry.frame_of_reference_uid, geometry.orientation, geometry.spacing)
            key = (*size, *place, geometry.thickness)
        together.setdefault(key, []).append(image)
    return list(together.values())


def write_frames(dataset: Dataset, frames: Sequence[Frame], derivation: Code) -> None:
    """Write the Multi-frame Functional Groups and Multi-frame Dimension modules.

    Args:
        dataset: to write to.
        frames: at least one; all of one of ``parts``.
        derivation: how a frame came from its image (CID 7203).
    """
    first = frames[0].image.source
    by_segment = frames[0].segment is not None
    indices = [_SEGMENT] if by_segment else []
    if first.geometry is not None:
        indices.append(_POSITION)
    elif not by_segment:
        indices.append(_STACK)
    organization = Dataset()
    organization.DimensionOrganizationUID = uids.derive("dimensions", str(dataset.SOPInstanceUID))
    dataset.DimensionOrganizationSequence = [organization]
    dataset.DimensionIndexSequence = [
        _dimension(organization.DimensionOrganizationUID, *index) for index in indices
    ]
    dataset.NumberOfFrames = len(frames)
    dataset.SharedFunctionalGroupsSequence = [shared_groups(frames[0].plane)]
    writer = _FrameWriter(derivation, _ranks(frames), len(indices))
    dataset.PerFrameFunctionalGroupsSequence = [writer.groups(frame) for frame in frames]


def _dimension(organization_uid: str, pointer: BaseTag, group: BaseTag) -> Dataset:
    item = Dataset()
    item.DimensionOrganizationUID = organization_uid
    item.DimensionIndexPointer = pointer
    item.FunctionalGroupPointer = group
    return item


def _ranks(frames: Sequence[Frame]) -> dict[int, int]:
    """Position of each image in space, counted from 1, by identity of the image."""
    images = {id(frame.image): frame.image for frame in frames}
    depths = {
        key: depth(image.source.geometry) if image.source.geometry else 0.0
        for key, image in images.items()
    }
    order = {value: rank for rank, value in enumerate(sorted(set(depths.values())), start=1)}
    return {key: order[value] for key, value in depths.items()}


class _FrameWriter:
    """Makes the functional groups of one frame after the other."""

    def __init__(self, derivation: Code, ranks: dict[int, int], dimensions: int) -> None:
        self._derivation, self._ranks, self._dimensions = derivation, ranks, dimensions
        self._of_image: dict[int, Dataset] = {}
        self._of_segment: dict[int, DataElement] = {}

    def groups(self, frame: Frame) -> Dataset:
        """An item of the Per-frame Functional Groups Sequence."""
        item = Dataset()
        item.update(self._image(frame))
        rank = self._ranks[id(frame.image)]
        content = Dataset()
        if frame.segment is None:
            content.DimensionIndexValues = [rank]
            if frame.image.source.geometry is None:
                content.StackID = "1"
                content.InStackPositionNumber = rank
        else:
            content.DimensionIndexValues = [frame.segment, rank][: self._dimensions]
            item.add(self._segment(frame.segment))
        item.FrameContentSequence = [content]
        return item

    def _image(self, frame: Frame) -> Dataset:
        known = self._of_image.get(id(frame.image))
        if known is None:
            known = position_group(frame.plane)
            known.DerivationImageSequence = [self._derivation_of(frame.image)]
            self._of_image[id(frame.image)] = known
        return known

    def _derivation_of(self, image: ImageResult) -> Dataset:
        source_image = image.source.reference()
        source_image.PurposeOfReferenceCodeSequence = [
            codes.code_item(dictionary.DCM.SourceImageForImageProcessingOperation)
        ]
        source_image.SpatialLocationsPreserved = "YES"
        derivation = Dataset()
        derivation.SourceImageSequence = [source_image]
        derivation.DerivationCodeSequence = [codes.code_item(self._derivation)]
        return derivation

    def _segment(self, number: int) -> DataElement:
        known = self._of_segment.get(number)
        if known is None:
            identification = Dataset()
            identification.ReferencedSegmentNumber = number
            known = DataElement(_SEGMENT[1], "SQ", Items([identification]))
            self._of_segment[number] = known
        return known
