# SPDX-License-Identifier: AGPL-3.0-or-later
"""The analysed image as results refer to it, read once from the original's header.

Real headers lack type 1 attributes and hold empty ones. What an object can't be made without is
demanded here, by name; everything else may be missing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset

from plugin.results import header as read
from plugin.results.objects import ResultBuildError

# PS3.4 Table B.5-1: classes whose instances have one frame, whatever Number of Frames says.
_SINGLE_FRAME = frozenset(
    {
        uid.ComputedRadiographyImageStorage,
        uid.CTImageStorage,
        uid.DigitalIntraOralXRayImageStorageForPresentation,
        uid.DigitalIntraOralXRayImageStorageForProcessing,
        uid.DigitalMammographyXRayImageStorageForPresentation,
        uid.DigitalMammographyXRayImageStorageForProcessing,
        uid.DigitalXRayImageStorageForPresentation,
        uid.DigitalXRayImageStorageForProcessing,
        uid.MRImageStorage,
        uid.PositronEmissionTomographyImageStorage,
        uid.SecondaryCaptureImageStorage,
        uid.UltrasoundImageStorage,
    }
)
_NO_IMAGE = frozenset({uid.RTDoseStorage, uid.SegmentationStorage, uid.ParametricMapStorage})
_COLOUR = ("RGB", "YBR", "PALETTE", "ARGB", "CMYK", "HSV")


@dataclass(frozen=True)
class PlaneGeometry:
    """Where a slice lies in the patient (PS3.3 C.7.6.2 and C.7.6.16.2.1-4), in mm."""

    frame_of_reference_uid: str
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing: tuple[float, ...]
    thickness: float | None


@dataclass(frozen=True)
class SourceImage:
    """One frame of the original, reduced to what results need.

    Attributes:
        rows, columns: size of the stored image in pixels.
        frame_number: the analysed frame; counts from 1.
        multiframe: whether references must name the frame.
        colour: whether pixels are RGB, YBR or go through a palette.
        inverted: MONOCHROME1, the lowest value is white.
        spacing: row and column distance in mm, None where the header doesn't say.
        geometry: None for projection images and for slices with incomplete geometry.
    """

    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    modality: str
    rows: int
    columns: int
    frame_number: int
    multiframe: bool
    colour: bool
    inverted: bool
    instance_number: int
    patient_orientation: tuple[str, ...]
    spacing: tuple[float, ...] | None
    geometry: PlaneGeometry | None

    @property
    def has_size(self) -> bool:
        """Whether anything can be placed on the image."""
        return self.rows > 0 and self.columns > 0

    @property
    def frame_numbers(self) -> list[int] | None:
        """Frames to name in a reference; None where the image has only one."""
        return [self.frame_number] if self.multiframe else None

    def reference(self) -> Dataset:
        """An item of a Referenced Image Sequence (PS3.3 Table 10-3)."""
        item = Dataset()
        item.ReferencedSOPClassUID = self.sop_class_uid
        item.ReferencedSOPInstanceUID = self.sop_instance_uid
        if self.multiframe:
            item.ReferencedFrameNumber = self.frame_number
        return item


def read_source(header: Dataset, frame_number: int = 1, *, sized: bool = True) -> SourceImage:
    """Read the original's header; pixel data isn't needed.

    Args:
        header: the original's.
        frame_number: that was analysed, counted from 1.
        sized: False where nothing is to be placed on the image: a size that is missing is 0.

    Raises:
        ResultBuildError: an essential attribute is missing, empty or can't be right.
    """
    frames = read.integer(header, "NumberOfFrames") or 1
    if not 1 <= frame_number <= frames:
        raise ResultBuildError(
            f"the analysis is about frame {frame_number}, the original has {frames}"
        )
    sop_class_uid = _essential(header, "SOPClassUID")
    if sop_class_uid in _NO_IMAGE:
        raise ResultBuildError("the original is no image in the sense of a report; no result")
    photometric = read.text(header, "PhotometricInterpretation").upper()
    samples = read.integer(header, "SamplesPerPixel") or 1
    return SourceImage(
        sop_class_uid=sop_class_uid,
        sop_instance_uid=_essential(header, "SOPInstanceUID"),
        study_uid=_essential(header, "StudyInstanceUID"),
        series_uid=_essential(header, "SeriesInstanceUID"),
        modality=read.text(header, "Modality").upper(),
        rows=_size(header, "Rows") if sized else read.integer(header, "Rows") or 0,
        columns=_size(header, "Columns") if sized else read.integer(header, "Columns") or 0,
        frame_number=frame_number,
        multiframe=_names_frames(header, sop_class_uid, frames, frame_number),
        colour=samples > 1 or photometric.startswith(_COLOUR),
        inverted=photometric == "MONOCHROME1",
        instance_number=_instance_number(header),
        patient_orientation=_patient_orientation(header),
        spacing=_spacing(header, frame_number),
        geometry=_geometry(header, frame_number),
    )


def _names_frames(header: Dataset, sop_class_uid: str, frames: int, frame_number: int) -> bool:
    if sop_class_uid in _SINGLE_FRAME:
        # Illegal, but seen: the first frame goes without saying, another one must be named.
        return frame_number > 1
    return frames > 1 or "PerFrameFunctionalGroupsSequence" in header


def _essential(header: Dataset, keyword: str) -> str:
    found = read.text(header, keyword)
    if not found or "\\" in found:
        raise ResultBuildError(
            f"the original has no usable {keyword}: no result can refer to it; "
            "the scan stays stored without one"
        )
    return found


def _size(header: Dataset, keyword: str) -> int:
    found = read.integer(header, keyword)
    if found is None or not 0 < found <= 65535:
        raise ResultBuildError(
            f"the original has no usable {keyword}: regions can't be placed on it; "
            "the scan stays stored without a result"
        )
    return found


def _instance_number(header: Dataset) -> int:
    found = read.integer(header, "InstanceNumber")
    return found if found is not None and 0 < found < 2**31 else 1


def _patient_orientation(header: Dataset) -> tuple[str, ...]:
    parts = tuple(read.text(header, "PatientOrientation").upper().split("\\"))
    allowed = set("APRLHF")
    usable = len(parts) == 2 and all(part and set(part) <= allowed for part in parts)
    return parts if usable else ()


def _spacing(header: Dataset, frame_number: int) -> tuple[float, ...] | None:
    measures = read.functional_group(header, "PixelMeasuresSequence", frame_number)
    keywords = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
    found = [read.numbers(header, keyword) for keyword in keywords]
    for spacing in [read.numbers(measures, "PixelSpacing"), *found]:
        if len(spacing) == 2 and min(spacing) > 0:
            return spacing
    return None


def _geometry(header: Dataset, frame_number: int) -> PlaneGeometry | None:
    frame_of_reference = read.text(header, "FrameOfReferenceUID")
    spacing = _spacing(header, frame_number)
    position = _plane(header, "PlanePositionSequence", "ImagePositionPatient", frame_number)
    orientation = _plane(
        header, "PlaneOrientationSequence", "ImageOrientationPatient", frame_number
    )
    if not frame_of_reference or spacing is None or len(position) != 3:
        return None
    if not _orthonormal(orientation):
        return None
    thickness = read.numbers(header, "SliceThickness")
    return PlaneGeometry(
        frame_of_reference_uid=frame_of_reference,
        position=position,
        orientation=orientation,
        spacing=spacing,
        thickness=thickness[0] if thickness and thickness[0] > 0 else None,
    )


def _plane(header: Dataset, group: str, keyword: str, frame_number: int) -> tuple[float, ...]:
    found = read.numbers(read.functional_group(header, group, frame_number), keyword)
    return found or read.numbers(header, keyword)


def _orthonormal(orientation: tuple[float, ...]) -> bool:
    if len(orientation) != 6:
        return False
    axes = np.array(orientation).reshape(2, 3)
    return bool(np.allclose(axes @ axes.T, np.eye(2), atol=1e-3))
