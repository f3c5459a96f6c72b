# SPDX-License-Identifier: Apache-2.0
"""What stands where an attribute must have a value and its own may not stay."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, GrayscaleSoftcopyPresentationStateStorage

from deid import Deidentifier
from deid.dummies import dummy_value
from deid.elements import Encoding
from tests.deid.made_scans import KEY, PIPELINE, ct, file_of
from tests.deid.test_deid_real_files import dciodvfy_errors, needs_dciodvfy

PLAN = "1.2.840.10008.5.1.4.1.1.481.5"


def cleaned(dataset: Dataset, syntax: str = "1.2.840.10008.1.2.1") -> Dataset:
    scan = Deidentifier(KEY, PIPELINE).deidentify(file_of(dataset, syntax))
    return dcmread(BytesIO(scan.to_bytes()))


@pytest.mark.parametrize(
    ("keyword", "kind", "left"),
    [
        ("CTDIvol", "3", None),
        ("Exposure", "3", None),
        ("SliceThickness", "2", None),
        ("InstanceNumber", "2", None),
        ("PixelSpacing", "1", [1, 1]),
        ("ImagePositionPatient", "1", [0, 0, 0]),
        ("ImageOrientationPatient", "1", [1, 0, 0, 0, 1, 0]),
        ("RescaleSlope", "1", 1),
        ("RescaleIntercept", "1", 0),
    ],
)
def test_a_number_that_is_none_goes_as_its_type_says(keyword: str, kind: str, left: object) -> None:
    dataset = ct()
    tag = tag_for_keyword(keyword)
    assert tag is not None
    dataset.add_new(tag, "LO", "FENWICK")
    made = cleaned(dataset)
    if kind == "3":
        assert keyword not in made
    else:
        assert dictionary_VR(tag) == made[keyword].VR
        assert made[keyword].value == left


def test_a_required_number_of_an_item_gets_a_value_too() -> None:
    beam = Dataset()
    beam.add_new(0x300A00C0, "LO", "FENWICK")
    made = cleaned(ct(SOPClassUID=PLAN, Modality="RTPLAN", BeamSequence=Sequence([beam])))
    assert made.BeamSequence[0].BeamNumber == 1


def test_a_dummy_of_bytes_is_in_the_byte_order_of_its_object() -> None:
    little, big = (Encoding(implicit=False, little_endian=one) for one in (True, False))
    tag = tag_for_keyword("SegmentNumber") or 0
    assert dummy_value(tag, "US", "", little) == b"\1\0"
    assert dummy_value(tag, "US", "", big) == b"\0\1"
    assert cleaned(ct(), ExplicitVRBigEndian).PatientID


def test_no_dummy_of_a_size_or_a_step_lets_a_reader_divide_by_nothing() -> None:
    encoding = Encoding(implicit=False, little_endian=True)
    for keyword in (
        "PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "SpacingBetweenSlices",
        "RescaleSlope", "WindowWidth", "DoseGridScaling", "NumberOfFrames", "FrameTime",
        "PixelAspectRatio",
    ):  # fmt: skip
        tag = tag_for_keyword(keyword)
        assert tag is not None
        value = dummy_value(tag, dictionary_VR(tag), "", encoding)
        assert all(float(part) > 0 for part in value.split(b"\\")), keyword


@needs_dciodvfy
def test_a_dummy_of_a_graphic_annotation_is_a_text_with_its_place(tmp_path: Path) -> None:
    text, graphic = Dataset(), Dataset()
    text.AnchorPointAnnotationUnits, text.AnchorPoint = "PIXEL", [9.0, 9.0]
    text.UnformattedTextValue, text.AnchorPointVisibility = "DOE JANE", "Y"
    graphic.GraphicLayer, graphic.TextObjectSequence = "LAYER", Sequence([text])
    state = ct(
        SOPClassUID=GrayscaleSoftcopyPresentationStateStorage, Modality="PR",
        GraphicAnnotationSequence=Sequence([graphic]),
    )  # fmt: skip
    before, after = tmp_path / "before.dcm", tmp_path / "after.dcm"
    before.write_bytes(file_of(state))
    after.write_bytes(Deidentifier(KEY, PIPELINE).deidentify(before.read_bytes()).to_bytes())

    assert b"DOE" not in after.read_bytes()
    assert not dciodvfy_errors(after) - dciodvfy_errors(before)
    (made,) = dcmread(after).GraphicAnnotationSequence[0].TextObjectSequence
    assert list(made.AnchorPoint) == [0.0, 0.0]
