# SPDX-License-Identifier: AGPL-3.0-or-later
"""Headers as real scanners write them, and maps as models answer them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from inference.contract import ClassProbability, MapExtent, ProbabilityMap

DIGEST = "ab" * 32
FINDINGS = (
    ("pulmonary-nodule", "Pulmonary nodule", "427359005", (255, 170, 0)),
    ("pleural-effusion", "Pleural effusion", "60046008", (0, 170, 255)),
    ("pneumothorax", "Pneumothorax", "36118008", (255, 0, 0)),
)


def blob(row: float, column: float, width: float, peak: float, size: int = 64) -> np.ndarray:
    """A smooth hill on a square map."""
    y, x = np.mgrid[:size, :size]
    hill = peak * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * width**2))
    return hill.astype(np.float32)


def letterbox(rows: int, columns: int) -> MapExtent:
    """The extent of a square map around an image of any shape."""
    side = max(rows, columns)
    left, top = (columns - side) / 2, (rows - side) / 2
    return MapExtent(left=left, top=top, right=left + side, bottom=top + side)


def analysed(key: str, array: np.ndarray, *, present: bool, probability: float) -> ClassProbability:
    """The answer about one class."""
    maps = {array.shape[0]: ProbabilityMap.of(array)}
    return ClassProbability(key=key, probability=probability, present=present, maps=maps)


def dx_header(rows: int = 300, columns: int = 200) -> Dataset:
    """A frontal chest radiograph as a modern detector writes it, without pixels."""
    header = Dataset()
    header.SOPClassUID = uid.DigitalXRayImageStorageForPresentation
    header.SOPInstanceUID = "1.2.826.0.1.3680043.8.498.11"
    header.StudyInstanceUID = "1.2.826.0.1.3680043.8.498.12"
    header.SeriesInstanceUID = "1.2.826.0.1.3680043.8.498.13"
    header.Modality = "DX"
    header.PatientName = "Phantom^Chest"
    header.PatientID = "P-1"
    header.PatientBirthDate = "19700102"
    header.PatientSex = "F"
    header.StudyDate = "20260304"
    header.StudyTime = "101112"
    header.StudyID = "S1"
    header.AccessionNumber = "A-1"
    header.ReferringPhysicianName = "Referrer^R"
    header.InstanceNumber = 7
    header.Rows = rows
    header.Columns = columns
    header.SamplesPerPixel = 1
    header.PhotometricInterpretation = "MONOCHROME2"
    header.ImagerPixelSpacing = [0.2, 0.2]
    header.PatientOrientation = ["L", "F"]
    header.WindowCenter = 2000
    header.WindowWidth = 3000
    header.RescaleSlope = 1
    header.RescaleIntercept = 0
    return header


def _mg() -> Dataset:
    header = dx_header(400, 300)
    header.SOPClassUID = uid.DigitalMammographyXRayImageStorageForPresentation
    header.Modality = "MG"
    header.ImageLaterality = "L"
    header.ViewPosition = "MLO"
    return header


def _monochrome1() -> Dataset:
    header = dx_header()
    header.PhotometricInterpretation = "MONOCHROME1"
    header.PresentationLUTShape = "INVERSE"
    return header


def _bare() -> Dataset:
    """Only what no result can do without."""
    full, header = dx_header(), Dataset()
    for keyword in (
        "SOPClassUID",
        "SOPInstanceUID",
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "Rows",
        "Columns",
    ):
        header[keyword] = full[keyword]
    return header


def _emptied() -> Dataset:
    """Every attribute there, every optional one empty."""
    header, kept = dx_header(), _bare()
    for element in header:
        if element.tag not in kept:
            element.value = None
    return header


def _slice_without_plane() -> Dataset:
    header = read_sample("CT_small.dcm")
    del header.ImagePositionPatient
    return header


def _slice_without_frame_of_reference() -> Dataset:
    header = read_sample("CT_small.dcm")
    del header.FrameOfReferenceUID
    return header


def read_sample(name: str) -> Dataset:
    """A real file's header, from pydicom's wheel or pydicom-data."""
    path = _pydicom_data(name) or get_testdata_file(name, download=False)
    if path is None:
        pytest.skip(f"{name} isn't installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(path, stop_before_pixels=True)


def _pydicom_data(name: str) -> Path | None:
    try:
        found = files("pydicom-data") or []
    except PackageNotFoundError:
        return None
    return next((Path(file.locate()) for file in found if file.name == name), None)


SOURCES: dict[str, Callable[[], Dataset]] = {
    "DX": dx_header,
    "MG": _mg,
    "MONOCHROME1": _monochrome1,
    "bare header": _bare,
    "emptied header": _emptied,
    "CT with its plane": lambda: read_sample("CT_small.dcm"),
    "CT without its plane": _slice_without_plane,
    "CT without frame of reference": _slice_without_frame_of_reference,
    "CT, de-identified": lambda: read_sample("693_UNCR.dcm"),
    "CT, illegal UIDs": lambda: read_sample("bad_sequence.dcm"),
    "MR": lambda: read_sample("MR_small.dcm"),
    "CR, MONOCHROME1": lambda: read_sample("RG1_UNCR.dcm"),
    "US, RGB": lambda: read_sample("examples_rgb_color.dcm"),
    "US, palette": lambda: read_sample("examples_palette.dcm"),
    "US, multi-frame": lambda: read_sample("examples_ybr_color.dcm"),
    "US, two frames in a single-frame class": lambda: read_sample("OBXXXX1A_2frame.dcm"),
    "enhanced CT": lambda: read_sample("eCT_Supplemental.dcm"),
    "enhanced MR": lambda: read_sample("emri_small.dcm"),
    "SC, modality LUT": lambda: read_sample("mlut_18.dcm"),
    "SC, VOI LUT": lambda: read_sample("vlut_04.dcm"),
    "SC, 3 x 3": lambda: read_sample("SC_rgb_small_odd.dcm"),
}
