# SPDX-License-Identifier: AGPL-3.0-or-later
"""An object is the same one in every transfer syntax, and no other one is."""

from __future__ import annotations

import io
from collections.abc import Callable

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from plugin.same_object import same_object

SYNTAXES = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, RLELossless]


def scan() -> Dataset:
    """An image with nested items, private elements and words of two alphabets."""
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    dataset.SpecificCharacterSet = ["ISO_IR 192"]
    dataset.StudyDescription = "Schädel Ω"
    code, inner = Dataset(), Dataset()
    inner.CodeValue, inner.CodeMeaning = "1", "Größe"
    code.ConceptCodeSequence = [inner]
    code.NumericValue = ["1.50", "2"]
    dataset.ContentSequence = [code, Dataset()]
    dataset.ReferencedStudySequence = []
    block = dataset.private_block(0x5349, "SIDELIGHT", create=True)
    block.add_new(0x01, "LO", "findings")
    block.add_new(0x20, "SQ", [inner])
    return dataset


def written(dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    if syntax == RLELossless:
        dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.PlanarConfiguration = 1
    buffer = io.BytesIO()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(
        buffer,
        implicit_vr=syntax == ImplicitVRLittleEndian,
        little_endian=True,
        enforce_file_format=True,
    )
    return buffer.getvalue()


@pytest.mark.parametrize("stored", SYNTAXES)
@pytest.mark.parametrize("made", SYNTAXES)
def test_an_object_is_the_same_in_every_transfer_syntax(stored: str, made: str) -> None:
    assert same_object(written(scan(), stored), written(scan(), made))


def _inner(dataset: Dataset) -> None:
    dataset.ContentSequence[0].ConceptCodeSequence[0].CodeMeaning = "Grösse"


def _private(dataset: Dataset) -> None:
    dataset.private_block(0x5349, "SIDELIGHT")[0x01].value = "refused"


def _item(dataset: Dataset) -> None:
    dataset.ContentSequence.pop()


def _missing(dataset: Dataset) -> None:
    del dataset.StudyDescription


@pytest.mark.parametrize("change", [_inner, _private, _item, _missing])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_an_object_that_says_something_else_is_another_one(
    change: Callable[[Dataset], None], syntax: str
) -> None:
    other = scan()
    change(other)
    assert not same_object(written(other, syntax), written(scan()))


def test_pixels_are_compared_where_both_are_encoded_alike() -> None:
    other = scan()
    other.PixelData = other.PixelData[:-2] + b"\x01\x07"
    assert not same_object(written(other, ImplicitVRLittleEndian), written(scan()))


def test_what_is_left_out_may_differ() -> None:
    other = scan()
    other.ContentTime = "010203"
    assert not same_object(written(other), written(scan()))
    assert same_object(written(other), written(scan()), but=["ContentTime"])


def test_what_is_no_dicom_file_is_another_object() -> None:
    assert not same_object(b"no DICOM", written(scan()))


def test_a_private_value_that_is_no_sequence_in_the_other_file_makes_another_object() -> None:
    other = scan()
    block = other.private_block(0x5349, "SIDELIGHT")
    del block[0x20]
    block.add_new(0x20, "UN", b"no items at all here")
    assert not same_object(written(other, ImplicitVRLittleEndian), written(scan()))
