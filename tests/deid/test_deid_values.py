# SPDX-License-Identifier: Apache-2.0
"""Numbers pass as numbers, and only as such."""

from __future__ import annotations

import io

import numpy as np
import pydicom
import pytest
from pydicom.dataelem import DataElement

from benchmarks.deid_canaries import measure
from deid import Deidentifier
from deid.values import is_text
from tests.deid.made_scans import KEY, ct, file_of

RED_TABLE = 0x00281201


def treated(**attributes: object) -> pydicom.Dataset:
    output = Deidentifier(KEY).deidentify(file_of(ct(**attributes))).to_bytes()
    return pydicom.dcmread(io.BytesIO(output))


def test_a_number_that_is_the_record_number_does_not_pass() -> None:
    output = treated(PatientID="58204117", AcquisitionNumber="58204117", InstanceNumber="58204118")
    assert not output.get("AcquisitionNumber")
    assert output.InstanceNumber == 58204118


def test_a_record_number_that_is_short_as_a_count_takes_no_number_away() -> None:
    output = treated(PatientID="42", InstanceNumber="42", KVP="120")
    assert output.InstanceNumber == 42
    assert output.KVP == 120


def test_one_value_of_many_that_is_the_record_number_takes_them_all() -> None:
    output = treated(PatientID="58204117", PixelAspectRatio=["58204117", "1"])
    assert "58204117" not in str(output.get("PixelAspectRatio"))


def test_a_colour_table_that_spells_a_text_does_not_pass() -> None:
    source = ct()
    source[RED_TABLE] = DataElement(RED_TABLE, "OW", b"read by Dr Okonkwo, room 12 ")
    assert b"Okonkwo" not in Deidentifier(KEY).deidentify(file_of(source)).to_bytes()


def test_a_colour_table_stays() -> None:
    table = np.arange(0, 65536, 256, dtype="<u2").tobytes()
    source = ct()
    source[RED_TABLE] = DataElement(RED_TABLE, "OW", table)
    output = Deidentifier(KEY).deidentify(file_of(source)).to_bytes()
    assert pydicom.dcmread(io.BytesIO(output)).RedPaletteColorLookupTableData == table


@pytest.mark.parametrize(
    ("value", "spells"),
    [
        (b"Doe^Jane", True),
        (b"born 1944-12-01\0\0", True),
        (b"@@@@@@@@@@@@", False),
        (bytes(range(256)), False),
        (b"abc", False),
        (np.linspace(0, 1, 64, dtype="<f4").tobytes(), False),
    ],
)
def test_bytes_that_spell_a_text_are_told_from_numbers(value: bytes, spells: bool) -> None:
    assert is_text(value) is spells


def test_no_canary_of_any_kind_of_object_is_in_any_output_byte() -> None:
    figures, details = measure(quick=True)
    assert figures == {"canaries_leaked": 0, "harmless_kept": 1}, details
