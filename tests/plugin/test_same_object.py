# SPDX-License-Identifier: AGPL-3.0-or-later
"""An object is the same one in every transfer syntax, and no other one is."""

from __future__ import annotations

import io
from collections.abc import Callable

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGLSLossless, RLELossless

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
    first, second = written(scan(), stored), written(scan(), made)
    assert same_object(first, second, just_stored=True)
    assert same_object(first, second) == ((stored == RLELossless) == (made == RLELossless))


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
    assert not same_object(written(other, syntax), written(scan()), just_stored=True)


def test_pixels_of_another_encoding_are_not_taken_for_the_same() -> None:
    other = scan()
    other.PixelData = bytes(len(other.PixelData))
    assert not same_object(written(other, RLELossless), written(scan()))


def test_what_has_no_pixels_is_the_same_in_whatever_encoding() -> None:
    document, stored = scan(), scan()
    del document.PixelData, stored.PixelData
    document.EncapsulatedDocument = stored.EncapsulatedDocument = b"%PDF-1.7"
    made = written(document)
    assert same_object(written(stored, JPEGLSLossless), made)
    stored.EncapsulatedDocument = b"%PDF-1.6"
    assert not same_object(written(stored, JPEGLSLossless), made)


@pytest.mark.parametrize(
    ("representation", "one", "other"),
    [
        ("US", 65, 0x2041),
        ("FD", 0.0, float.fromhex("0x1p-511")),
        ("OW", b"\1\0", b"\1\x20"),
        ("OB", b"a\0", b"a "),
    ],
)
def test_a_number_that_ends_as_padding_does_is_another_number(
    representation: str, one: object, other: object
) -> None:
    first, second = scan(), scan()
    for dataset, value in ((first, one), (second, other)):
        dataset.private_block(0x5349, "SIDELIGHT").add_new(0x30, representation, value)
    assert not same_object(written(first), written(second))
    assert not same_object(written(first), written(second, ImplicitVRLittleEndian))


def test_the_padding_of_words_is_none_of_their_letters() -> None:
    first, second = scan(), scan()
    for dataset, value in ((first, "refused"), (second, "refused  ")):
        dataset.private_block(0x5349, "SIDELIGHT").add_new(0x30, "LO", value)
    assert same_object(written(first), written(second, ImplicitVRLittleEndian))


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
