# SPDX-License-Identifier: Apache-2.0
"""Phantoms as DICOM: Digital X-Ray Image Storage - For Presentation, and a CT head series.

The patients are invented and say so in their names. UIDs are derived from the seed (2.25 form,
PS3.5 B.2), so that a phantom made twice is the same instance.
"""

from __future__ import annotations

import uuid

import numpy as np
from pydicom import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
)

from inference.phantoms.chest import ChestPhantom
from inference.phantoms.ct_head import HeadSlice

_NAMESPACE = uuid.UUID("6d0b7a52-3c0f-4e0a-9a53-5b0a51d31164")
_MANUFACTURER = "Sidelight phantom generator"
_DETECTOR_MM = 360.0


def phantom_uid(*parts: object) -> UID:
    """A UID of the 2.25 form that the same parts always give."""
    name = "/".join(str(part) for part in parts)
    return UID(f"2.25.{uuid.uuid5(_NAMESPACE, name).int}")


def chest_dataset(phantom: ChestPhantom, *, inverted: bool = False) -> Dataset:
    """A DX instance For Presentation (PS3.3 A.26.3) of a phantom, ready to be saved.

    Parameters
    ----------
    phantom:
        What it shows.
    inverted:
        Store it as MONOCHROME1 (bright is thin) instead of MONOCHROME2.
    """
    ds = _instance(DigitalXRayImageStorageForPresentation, "chest", phantom.seed, 1)
    _patient(ds, "CHEST", phantom.seed)
    ds.Modality = "DX"
    ds.PresentationIntentType = "FOR PRESENTATION"
    ds.StudyDescription = "Phantom chest radiograph"
    ds.SeriesDescription = "PA"
    _dx_acquisition(ds)
    _dx_image(ds, phantom, inverted=inverted)
    return ds


def head_datasets(slices: list[HeadSlice], seed: int) -> list[Dataset]:
    """A CT series (PS3.3 A.3.3) of head slices, one instance each, from foot to head."""
    return [_head_instance(image, seed, number) for number, image in enumerate(slices, start=1)]


def _instance(sop_class: UID, kind: str, seed: int, number: int) -> Dataset:
    """SOP common, study, series and equipment attributes with file meta information."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = sop_class
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = sop_class
    ds.SOPInstanceUID = phantom_uid(kind, seed, "instance", number)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.StudyInstanceUID = phantom_uid(kind, seed, "study")
    ds.SeriesInstanceUID = phantom_uid(kind, seed, "series")
    ds.StudyID = "1"
    ds.SeriesNumber = 1
    ds.InstanceNumber = number
    day = 1 + seed % 28
    ds.StudyDate = ds.SeriesDate = ds.ContentDate = ds.AcquisitionDate = f"202401{day:02d}"
    ds.StudyTime = ds.SeriesTime = ds.ContentTime = ds.AcquisitionTime = "093000"
    ds.AccessionNumber = f"PH{seed:08d}"[-16:]
    ds.ReferringPhysicianName = ""
    ds.Manufacturer = _MANUFACTURER
    ds.ManufacturerModelName = kind
    ds.DeviceSerialNumber = "PHANTOM"
    ds.SoftwareVersions = "1"
    return ds


def _patient(ds: Dataset, kind: str, seed: int) -> None:
    ds.PatientName = f"PHANTOM^{kind}^{seed:04d}"
    ds.PatientID = f"PHANTOM-{kind}-{seed:04d}"
    ds.PatientBirthDate = f"19{50 + seed % 50:02d}0101"
    ds.PatientSex = "MFO"[seed % 3]
    ds.PatientAge = f"{74 - seed % 50:03d}Y"
    ds.PatientComments = "Synthetic image of no person"


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _dx_acquisition(ds: Dataset) -> None:
    """DX anatomy, positioning and detector modules (PS3.3 C.8.11)."""
    ds.BodyPartExamined = "CHEST"
    ds.AnatomicRegionSequence = Sequence([_code("816094009", "SCT", "Thorax")])
    ds.ImageLaterality = "U"
    ds.ViewPosition = "PA"
    ds.PositionerType = "NONE"
    view = _code("272479007", "SCT", "postero-anterior")
    view.ViewModifierCodeSequence = Sequence([])
    ds.ViewCodeSequence = Sequence([view])
    ds.PatientOrientation = ["L", "F"]
    ds.AcquisitionContextSequence = Sequence([])
    ds.DetectorType = "DIRECT"
    ds.DetectorConfiguration = "AREA"
    ds.DetectorID = "PHANTOM"
    ds.KVP = "120"
    ds.DistanceSourceToDetector = "1800"


def _dx_image(ds: Dataset, phantom: ChestPhantom, *, inverted: bool) -> None:
    """Image pixel, DX image and VOI LUT modules (PS3.3 C.7.6.3, C.8.11.3, C.11.2)."""
    pixels, (centre, width) = phantom.pixels, phantom.window
    if inverted:
        top = 2**phantom.bits_stored - 1
        pixels, centre = (top - pixels).astype(np.uint16), top - centre
    rows, columns = pixels.shape
    ds.ImageType = ["DERIVED", "PRIMARY"]
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME1" if inverted else "MONOCHROME2"
    ds.Rows, ds.Columns = rows, columns
    ds.BitsAllocated, ds.BitsStored = 16, phantom.bits_stored
    ds.HighBit = phantom.bits_stored - 1
    ds.PixelRepresentation = 0
    ds.PixelIntensityRelationship = "LOG"
    ds.PixelIntensityRelationshipSign = 1 if inverted else -1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"
    ds.PresentationLUTShape = "INVERSE" if inverted else "IDENTITY"
    ds.LossyImageCompression = "00"
    ds.BurnedInAnnotation = "NO"
    spacing = f"{_DETECTOR_MM / rows:.6g}"
    ds.ImagerPixelSpacing = [spacing, spacing]
    ds.WindowCenter, ds.WindowWidth = f"{centre:.1f}", f"{width:.1f}"
    ds.PixelData = pixels.astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"


def _head_instance(image: HeadSlice, seed: int, number: int) -> Dataset:
    ds = _instance(CTImageStorage, "head", seed, number)
    _patient(ds, "HEAD", seed)
    ds.Modality = "CT"
    ds.StudyDescription = "Phantom CT of the head"
    ds.SeriesDescription = "Head, axial"
    ds.BodyPartExamined = "HEAD"
    ds.AnatomicRegionSequence = Sequence([_code("69536005", "SCT", "Head")])
    ds.PatientPosition = "HFS"
    ds.PositionReferenceIndicator = ""
    ds.FrameOfReferenceUID = phantom_uid("head", seed, "frame of reference")
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.AcquisitionNumber = 1
    ds.KVP = "120"
    rows, columns = image.hounsfield.shape
    spacing = image.spacing_mm
    ds.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    corner = -spacing * (columns - 1) / 2.0
    ds.ImagePositionPatient = [f"{corner:.4f}", f"{corner:.4f}", f"{image.position_mm:.4f}"]
    ds.SliceLocation = f"{image.position_mm:.4f}"
    ds.SliceThickness = f"{image.thickness_mm:g}"
    ds.PixelSpacing = [f"{spacing:.6g}", f"{spacing:.6g}"]
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = rows, columns
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    ds.PixelRepresentation = 0
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "-1024", "1", "HU"
    ds.WindowCenter, ds.WindowWidth = "40", "80"
    stored = np.clip(image.hounsfield.astype(np.int32) + 1024, 0, 4095)
    ds.PixelData = stored.astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"
    return ds
