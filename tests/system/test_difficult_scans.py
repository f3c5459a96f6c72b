# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whatever Orthanc stores: never a crash, always a clear state, and the scan itself stays."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from plugin.demo.server import OrthancServer
from plugin.states import Status
from plugin.worker.sop_classes import is_image
from tests.shipped_files import shipped_files
from tests.system.pacs import SHARED_DATA, finished, store

FINAL = {status.value for status in Status if not status.in_progress}
Change = Callable[[Dataset], None]


def chest(change: Change, path: Path) -> bytes:
    """A chest radiograph, spoilt by ``change``."""
    dataset = pydicom.dcmread(path)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.SOPInstanceUID = generate_uid()
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    change(dataset)
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def without_pixels(dataset: Dataset) -> None:
    del dataset.PixelData


def truncated(dataset: Dataset) -> None:
    dataset.PixelData = dataset.PixelData[: len(dataset.PixelData) // 2 & ~1]


def inverted(dataset: Dataset) -> None:
    dataset.PhotometricInterpretation = "MONOCHROME1"
    dataset.PresentationLUTShape = "INVERSE"
    pixels = np.frombuffer(dataset.PixelData, np.uint16)
    dataset.PixelData = ((1 << dataset.BitsStored) - 1 - pixels).astype(np.uint16).tobytes()


def signed(dataset: Dataset) -> None:
    pixels = np.frombuffer(dataset.PixelData, np.uint16).astype(np.int32)
    dataset.PixelRepresentation = 1
    dataset.BitsStored, dataset.HighBit = 16, 15
    dataset.PixelData = (pixels - 2048).astype(np.int16).tobytes()
    if "WindowCenter" in dataset:
        dataset.WindowCenter = float(dataset.WindowCenter) - 2048


def one_bit(dataset: Dataset) -> None:
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 1, 1, 0
    dataset.PixelData = bytes(dataset.Rows * dataset.Columns // 8)


def palette(dataset: Dataset) -> None:
    dataset.PhotometricInterpretation = "PALETTE COLOR"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelData = bytes(dataset.Rows * dataset.Columns)
    for colour in ("Red", "Green", "Blue"):
        descriptor = tag_for_keyword(f"{colour}PaletteColorLookupTableDescriptor")
        dataset.add_new(descriptor, "US", [256, 0, 16])
        setattr(dataset, f"{colour}PaletteColorLookupTableData", bytes(512))


def several_frames(dataset: Dataset) -> None:
    dataset.NumberOfFrames = 2
    dataset.PixelData = dataset.PixelData * 2


def missing_type_1(dataset: Dataset) -> None:
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "ImageType", "BitsStored"):
        if keyword in dataset:
            delattr(dataset, keyword)


def empty_type_1(dataset: Dataset) -> None:
    dataset.Modality = ""
    dataset.InstanceNumber = None
    dataset.SeriesNumber = None
    dataset.PatientID = ""


def without_patient(dataset: Dataset) -> None:
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyDate"):
        if keyword in dataset:
            delattr(dataset, keyword)


def foreign_letters(dataset: Dataset) -> None:
    dataset.SpecificCharacterSet = "ISO_IR 144"
    dataset.PatientName = "\u0424\u0430\u043d\u0442\u043e\u043c"


def burned_in(dataset: Dataset) -> None:
    dataset.BurnedInAnnotation = "YES"


def dog(dataset: Dataset) -> None:
    dataset.PatientSpeciesDescription = "Canis lupus familiaris"


def quality_control(dataset: Dataset) -> None:
    dataset.QualityControlImage = "YES"


CASES: dict[Change, set[str]] = {
    without_pixels: {"refused", "failed"},
    truncated: {"refused", "failed"},
    inverted: {"findings", "no-findings", "abstained"},
    signed: {"findings", "no-findings", "abstained"},
    one_bit: {"findings", "no-findings", "abstained", "refused"},
    palette: {"findings", "no-findings", "abstained", "refused"},
    several_frames: {"findings", "no-findings", "abstained", "refused"},
    missing_type_1: {"findings", "no-findings", "abstained", "refused", "failed"},
    empty_type_1: {"findings", "no-findings", "abstained", "no-application"},
    without_patient: {"findings", "no-findings", "abstained"},
    foreign_letters: {"findings", "no-findings", "abstained"},
    burned_in: {"refused"},
    dog: {"no-application"},
    quality_control: {"no-application"},
}


@pytest.mark.parametrize("change", CASES, ids=lambda change: change.__name__)
def test_a_difficult_radiograph_has_a_clear_state_and_stays_stored(
    server: OrthancServer, phantoms: list[Path], change: Change
) -> None:
    stored = store(server, chest(change, phantoms[0]))
    (scan,) = finished(server, stored["ParentStudy"])["scans"]
    assert scan["status"] in CASES[change], scan["reason"]
    if scan["status"] in ("refused", "failed", "abstained"):
        assert scan["reason"]
        assert {item["kind"] for item in scan["objects"]} == {"SR"}, scan["quarantined"]
    assert scan["quarantined"] == {}
    assert server.client.get(f"/instances/{stored['ID']}/file").status_code == 200


def every_file() -> Iterator[Path]:
    yield from shipped_files()
    if SHARED_DATA.exists():
        for folder in ("pydicom-data", "transfer-syntaxes"):
            yield from sorted(p for p in (SHARED_DATA / folder).iterdir() if p.is_file())
        yield from sorted((SHARED_DATA / "mr-nih").rglob("*.dcm"))[::150]


def test_every_real_file_that_orthanc_stores_ends_in_a_clear_state(server: OrthancServer) -> None:
    if not SHARED_DATA.exists():
        print("../shared/data is absent: only pydicom's own files are sent")  # noqa: T201
    studies: dict[str, str] = {}
    for path in every_file():
        answer = server.client.post("/instances", content=path.read_bytes())
        if answer.status_code == 200 and isinstance(answer.json(), dict):
            studies[answer.json()["ID"]] = answer.json()["ParentStudy"]
    assert len(studies) > 30
    images = {
        study
        for instance, study in studies.items()
        if is_image(server.client.get(f"/instances/{instance}/metadata/SopClassUid").text)
    }
    for study in sorted(images):
        for scan in finished(server, study, seconds=60)["scans"]:
            assert scan["status"] in FINAL
            assert scan["status"] != "failed" or scan["reason"]
            assert scan["quarantined"] == {}, scan
    queue = server.status()["queue"]
    assert queue["dead"] == 0
    assert all(child["restarts"] == 0 for child in server.status()["processes"])
    for instance in studies:
        assert server.client.get(f"/instances/{instance}").status_code == 200


def test_no_application_is_said_within_a_second_of_storing(server: OrthancServer) -> None:
    """Bounded loosely: a figure is the benchmark's work, a minute would be a defect."""
    path = str(get_testdata_file("CT_small.dcm"))

    def head(dataset: Dataset) -> None:
        dataset.BodyPartExamined = "HEAD"

    stored = store(server, chest(head, Path(path)))
    answer: dict[str, Any] = finished(server, stored["ParentStudy"], seconds=10)
    assert answer["scans"][0]["reason"] == "no application for CT HEAD"
