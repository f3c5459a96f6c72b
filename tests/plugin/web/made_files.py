# SPDX-License-Identifier: Apache-2.0
"""DICOM files for scans in memory, with the tags and pixels that Orthanc would tell of them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

from tests.plugin.web.fake_archive import FakeArchive


def add_file(archive: FakeArchive, instance: str, pixels: np.ndarray, **more: Any) -> None:
    """Give an instance a CR file with these unsigned 16 bit pixels."""
    series = archive.serieses[archive.instances[instance]["ParentSeries"]]
    study = archive.studies[series["ParentStudy"]]
    number = int(instance[:8], 16)
    dataset = Dataset()
    dataset.SOPClassUID = ComputedRadiographyImageStorage
    dataset.SOPInstanceUID = f"2.25.7{number}"
    dataset.StudyInstanceUID = study["MainDicomTags"]["StudyInstanceUID"]
    dataset.SeriesInstanceUID = f"2.25.8{number}"
    dataset.PatientName = study["PatientMainDicomTags"]["PatientName"]
    dataset.PatientID = study["PatientMainDicomTags"]["PatientID"]
    dataset.PatientBirthDate, dataset.PatientSex = "19700101", "O"
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID = "20261103", "101500", "1"
    dataset.AccessionNumber = study["MainDicomTags"]["AccessionNumber"]
    dataset.Modality, dataset.BodyPartExamined, dataset.ViewPosition = "CR", "CHEST", "PA"
    dataset.InstanceNumber = 1
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = 0
    for keyword, value in more.items():
        setattr(dataset, keyword, value)
    dataset.PixelData = pixels.astype("<u2").tobytes()
    archive.files[instance] = _bytes(dataset)
    archive.tags[instance] = simplified(dataset)
    archive.pixels[instance] = pixels.astype(np.uint16)


def simplified(dataset: Dataset) -> dict[str, Any]:
    """As Orthanc's ``simplified-tags``: text by keyword, values joined by a backslash."""
    tags: dict[str, Any] = {}
    for element in dataset:
        if element.keyword == "PixelData":
            continue
        values = element.value if element.VM > 1 else [element.value]
        tags[element.keyword] = "\\".join(str(value) for value in values)
    return tags


def read(data: bytes) -> Dataset:
    return pydicom.dcmread(io.BytesIO(data))


def _bytes(dataset: Dataset) -> bytes:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
