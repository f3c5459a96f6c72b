# SPDX-License-Identifier: Apache-2.0
"""What was sealed passes unchanged; nobody without the key makes a seal, and none can be moved."""

from __future__ import annotations

import io

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from deid import DeidentificationKey, Deidentifier, Option, PixelDataNotReadError
from tests.deid.made_scans import KEY, PIPELINE, ct, file_of
from tests.deid.planted import planted_ct

PIXELS = {
    "Rows": 4, "Columns": 4, "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2",
    "BitsAllocated": 16, "BitsStored": 16, "HighBit": 15, "PixelRepresentation": 0,
    "PixelData": np.arange(16, dtype="<u2").tobytes(),
}  # fmt: skip


def once(key: DeidentificationKey = KEY, options: tuple[Option, ...] = PIPELINE) -> Deidentifier:
    return Deidentifier(key, options, once=True)


def original() -> bytes:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "T-D3000", "SRT", "Chest"
    return file_of(ct(AnatomicRegionSequence=[item], StudyDate="20240229", **PIXELS))


def changed(file: bytes, **attributes: object) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(file))
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "syntax",
    [
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
    ],
)
def test_what_was_sealed_passes_unchanged(syntax: str) -> None:
    dataset = pydicom.dcmread(io.BytesIO(original()))
    if syntax == ExplicitVRBigEndian:
        del dataset.PixelData
    first = once().deidentify(file_of(dataset, syntax)).to_bytes()
    assert once().deidentify(first).to_bytes() == first


def test_an_identity_is_removed_from_a_file_full_of_identifiers_before_it_is_sealed() -> None:
    planted = planted_ct()
    first = once().deidentify(planted.content).to_bytes()
    assert not [place for place, word in planted.identifiers.items() if word in first]
    assert once().deidentify(first).to_bytes() == first


def test_a_sealed_instance_passes_however_another_program_encodes_its_sequences() -> None:
    first = once().deidentify(original()).to_bytes()
    dataset = pydicom.dcmread(io.BytesIO(first))
    dataset["AnatomicRegionSequence"].is_undefined_length = True
    dataset.file_meta.ImplementationVersionName = "ANOTHER"
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    assert buffer.getvalue() != first
    assert once().deidentify(buffer.getvalue()).to_bytes() == first


def test_without_once_nothing_is_sealed_and_no_seal_counts() -> None:
    plain = Deidentifier(KEY, PIPELINE)
    first = once().deidentify(original()).to_bytes()
    assert b"Sidelight seal" not in plain.deidentify(original()).to_bytes()
    again = plain.deidentify(first)
    assert b"Sidelight seal" not in again.to_bytes()
    assert again.sop_instance_uid != once().deidentify(first).sop_instance_uid


@pytest.mark.parametrize(
    "change",
    [
        {"PatientName": "Doe^Jane"},
        {"InstitutionName": "Somewhere"},
        {"PixelData": bytes(32)},
        {"ImageComments": "seen by Dr. Doe"},
    ],
)
def test_a_seal_does_not_hold_on_a_changed_instance(change: dict[str, object]) -> None:
    first = once().deidentify(original())
    forged = changed(first.to_bytes(), **change)
    again = once().deidentify(forged)
    assert again.sop_instance_uid != first.sop_instance_uid
    assert b"Doe" not in again.to_bytes()
    assert b"Somewhere" not in again.to_bytes()


def test_a_seal_copied_to_an_original_does_not_hold() -> None:
    first = once().deidentify(original()).dataset
    forged = changed(
        original(),
        DeidentificationMethod=first.DeidentificationMethod,
        PatientIdentityRemoved="YES",
        SOPInstanceUID=first.SOPInstanceUID,
    )
    again = once().deidentify(forged)
    assert b"Doe" not in again.to_bytes()
    assert b"4711" not in again.to_bytes()
    assert again.sop_instance_uid != first.SOPInstanceUID


@pytest.mark.parametrize(
    "other",
    [
        once(DeidentificationKey(bytes(range(1, 33)))),
        once(options=(Option.CLEAN_DESCRIPTORS,)),
    ],
)
def test_a_seal_of_another_key_or_of_other_options_does_not_hold(other: Deidentifier) -> None:
    first = once().deidentify(original())
    assert other.deidentify(first.to_bytes()).sop_instance_uid != first.sop_instance_uid


def test_what_stands_around_a_sealed_data_set_does_not_pass_with_it() -> None:
    first = once().deidentify(original()).to_bytes()
    padding = b"\xfc\xff\xfc\xffOB\0\0\x08\0\0\0Doe^Jane"
    around = b"Doe^Jane".ljust(128, b"\0") + first[128:] + padding
    assert once().deidentify(around).to_bytes() == first


def test_of_a_sealed_header_alone_the_header_passes() -> None:
    first = once().deidentify(original())
    header = once().deidentify_header(first.to_bytes())
    assert header.header_json() == first.header_json()
    with pytest.raises(PixelDataNotReadError):
        header.to_bytes()
