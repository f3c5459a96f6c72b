# SPDX-License-Identifier: Apache-2.0
"""Small data sets for tests."""

from __future__ import annotations

import io
from typing import Any

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from deid import DeidentificationKey, Option

KEY = DeidentificationKey(bytes(range(32)))
PIPELINE = (Option.CLEAN_DESCRIPTORS, Option.MODIFIED_DATES)
ROOT = "1.2.826.0.1.3680043.9.7777"


def ct(**attributes: Any) -> Dataset:
    """A CT image with little in it; ``None`` leaves an attribute out."""
    dataset = Dataset()
    values = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": f"{ROOT}.3",
        "StudyInstanceUID": f"{ROOT}.1",
        "SeriesInstanceUID": f"{ROOT}.2",
        "Modality": "CT",
        "PatientID": "4711",
        "PatientName": "Doe^Jane",
    } | attributes
    for keyword, value in values.items():
        if value is not None:
            setattr(dataset, keyword, value)
    if "PixelData" in dataset:
        dataset["PixelData"].VR = "OW"
    return dataset


def file_of(dataset: Dataset, transfer_syntax: str = ExplicitVRLittleEndian) -> bytes:
    """The Part 10 file of a data set."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = transfer_syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", CTImageStorage)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", f"{ROOT}.3")
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()
