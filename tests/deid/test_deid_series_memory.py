# SPDX-License-Identifier: Apache-2.0
"""What is worked out once for a series holds for no other patient, and numbers hide nowhere."""

from __future__ import annotations

import io

import pydicom
import pytest

from deid import DeidentificationKey, Deidentifier
from deid.denied_numbers import DeniedNumbers
from deid.identifiers import Denied
from tests.deid.made_scans import ct, file_of

KEY = DeidentificationKey(bytes(range(32)))


def treated(deidentifier: Deidentifier, **changes: object) -> pydicom.Dataset:
    content = deidentifier.deidentify(file_of(ct(**changes))).to_bytes()
    return pydicom.dcmread(io.BytesIO(content))


def test_a_text_that_named_nobody_in_one_study_is_removed_where_it_names_the_patient() -> None:
    deidentifier = Deidentifier(KEY)

    before = treated(deidentifier, PatientName="Weber^Anna", ConvolutionKernel="QUILLFEATHER")
    after = treated(deidentifier, PatientName="Quill^Feather", ConvolutionKernel="QUILLFEATHER")

    assert before.ConvolutionKernel == "QUILLFEATHER"
    assert "ConvolutionKernel" not in after or after.ConvolutionKernel != "QUILLFEATHER"


def test_the_same_number_of_two_issuers_stays_two_patients_in_one_run() -> None:
    deidentifier = Deidentifier(KEY)

    names = {
        str(treated(deidentifier, PatientID="4711", IssuerOfPatientID=issuer).PatientID)
        for issuer in ("A", "B", "A")
    }

    assert len(names) == 2


def test_two_keys_in_one_process_give_different_uids() -> None:
    other = DeidentificationKey(bytes(range(1, 33)))

    made = {str(treated(Deidentifier(key)).StudyInstanceUID) for key in (KEY, other, KEY)}

    assert len(made) == 2


def numbers(*words: str) -> DeniedNumbers:
    return DeniedNumbers(Denied(frozenset(words), frozenset(), frozenset()), b"")


@pytest.mark.parametrize(
    "value",
    [
        b"815244", b" 815244 ", b"+815244.0", b"-815244", b"0000815244", b"8.15244e5", b"815244.5",
        b"1\\2\\815244", b"1.5\\-815244\\2", b"8152.44E+02",
    ],
)  # fmt: skip
def test_a_record_number_is_found_however_it_is_written(value: bytes) -> None:
    assert numbers("815244").in_decimals(value)


@pytest.mark.parametrize("value", [b"0.815244", b"-158.815244", b"81524", b"1\\2\\3", b""])
def test_digits_behind_the_point_are_no_record_number(value: bytes) -> None:
    assert not numbers("815244").in_decimals(value)


def test_a_record_number_is_found_in_a_long_row_of_numbers() -> None:
    row = b"\\".join(b"%d.25" % (20_000 + at) for at in range(400))

    assert not numbers("815244").in_decimals(row)
    assert numbers("815244").in_decimals(row + b"\\815244.25\\1")


def test_a_date_cut_in_its_zone_is_no_number_and_hides_none() -> None:
    assert not numbers("815244").in_decimals(b"202401+0")
    assert numbers("202401").in_decimals(b"202401+0")
