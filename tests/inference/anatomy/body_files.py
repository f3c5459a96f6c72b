# SPDX-License-Identifier: Apache-2.0
"""Stretches of a phantom body as the DICOM files of a CT series."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from inference.phantoms.body import FIELD_MM, SIZE, body_volume


def body_files(region: str, seed: int = 5, **attributes: Any) -> list[bytes]:
    """Axial slices that show one region, from head to foot; ``None`` leaves an attribute out."""
    volume = body_volume(seed)
    shown = [n for n, named in enumerate(volume.regions) if named == region]
    study, series = generate_uid(), generate_uid()
    files = []
    for number, at in enumerate(shown, start=1):
        dataset = _slice(volume.slices[at])
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
        dataset.InstanceNumber = str(number)
        dataset.ImagePositionPatient = [
            -FIELD_MM / 2,
            -FIELD_MM / 2,
            round(-float(volume.heights[at]), 3),
        ]
        for keyword, value in attributes.items():
            if value is None:
                dataset.pop(keyword, None)
            else:
                setattr(dataset, keyword, value)
        files.append(_file(dataset))
    return files


def _slice(values: Any) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, generate_uid()
    dataset.Modality = "CT"
    dataset.PatientID, dataset.PatientName = "phantom", "Phantom^Body"
    dataset.PatientIdentityRemoved = "YES"
    dataset.StudyDate, dataset.StudyTime = "20260101", "120000"
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing = [round(FIELD_MM / SIZE, 6)] * 2
    dataset.SliceThickness = "20"
    dataset.Rows = dataset.Columns = SIZE
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.RescaleSlope, dataset.RescaleIntercept = "1", "-1024"
    dataset.PixelData = np.clip(values + 1024, 0, 4095).astype("<u2").tobytes()
    dataset["PixelData"].VR = "OW"
    return dataset


def _file(dataset: Dataset) -> bytes:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    buffer = BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()
