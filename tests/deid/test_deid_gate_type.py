# SPDX-License-Identifier: Apache-2.0
"""A DeidentifiedScan comes from a Deidentifier, and from nowhere else."""

from __future__ import annotations

import copy
import dataclasses
import gc
import pickle

import pytest

from deid import DeidentifiedScan, Deidentifier, ForgedScanError, PixelDataNotReadError
from tests.deid.made_scans import KEY, PIPELINE, ct, file_of


@pytest.fixture
def scan() -> DeidentifiedScan:
    return Deidentifier(KEY, PIPELINE).deidentify(file_of(ct(PixelData=b"\1\2\3\4")))


def test_the_constructor_refuses_everybody_else() -> None:
    with pytest.raises((ForgedScanError, TypeError)):
        DeidentifiedScan()  # type: ignore[call-arg]
    with pytest.raises(ForgedScanError):
        DeidentifiedScan(object(), object())  # type: ignore[arg-type]


def test_an_instance_made_past_the_constructor_holds_nothing(scan) -> None:
    forged = object.__new__(DeidentifiedScan)

    for read in (forged.to_bytes, forged.header_json, lambda: forged.dataset, lambda: repr(forged)):
        with pytest.raises(ForgedScanError):
            read()
    with pytest.raises(AttributeError):
        forged.content = b"Doe^Jane"


def test_it_can_be_neither_pickled_nor_subclassed_nor_replaced(scan) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(ForgedScanError):
            pickle.dumps(scan, protocol)
    with pytest.raises(ForgedScanError):
        type("Forged", (DeidentifiedScan,), {"to_bytes": lambda self: b"Doe^Jane"})
    with pytest.raises(TypeError):
        dataclasses.replace(scan, content=b"Doe^Jane")


def test_its_copy_is_itself(scan) -> None:
    assert copy.copy(scan) is scan
    assert copy.deepcopy(scan) is scan


def test_nothing_of_it_can_be_set(scan) -> None:
    for name in ("dataset", "sop_instance_uid", "report", "to_bytes", "anything"):
        with pytest.raises(AttributeError):
            setattr(scan, name, "Doe^Jane")


def test_changing_what_it_hands_out_changes_no_scan(scan) -> None:
    before = scan.to_bytes()
    scan.dataset.PatientName = "Doe^Jane"
    scan.header_json()["00100010"] = "Doe^Jane"

    assert "Doe" not in str(scan.dataset.PatientName)
    assert scan.header_json()["00100010"] != "Doe^Jane"
    assert scan.to_bytes() == before


def test_it_lets_go_of_its_content(scan) -> None:
    from deid import scan as module

    held = len(module._CONTENTS)
    other = Deidentifier(KEY).deidentify(ct())
    assert len(module._CONTENTS) == held + 1
    del other
    gc.collect()

    assert len(module._CONTENTS) == held


def test_a_scan_of_a_header_alone_has_no_file_to_hand_out() -> None:
    scan = Deidentifier(KEY).deidentify_header(file_of(ct(PixelData=b"\1\2\3\4")))

    assert scan.modality == "CT"
    assert scan.header_json()["00080060"]["Value"] == ["CT"]
    with pytest.raises(PixelDataNotReadError):
        scan.to_bytes()


def test_header_json_holds_neither_pixels_nor_bulk_data() -> None:
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    lut = Dataset()
    lut.LUTDescriptor = [4, 0, 16]
    lut["LUTDescriptor"].VR = "US"
    lut[0x00283006] = DataElement(0x00283006, "OW", b"\1\0\2\0\3\0\4\0")
    scan = Deidentifier(KEY).deidentify(
        file_of(ct(PixelData=b"\1\2\3\4", Rows=2, ModalityLUTSequence=Sequence([lut])))
    )

    header = scan.header_json()

    assert "7FE00010" not in header
    assert header["00280010"]["Value"] == [2]
    assert "00283006" not in header["00283000"]["Value"][0]
    assert "00283002" in header["00283000"]["Value"][0]
