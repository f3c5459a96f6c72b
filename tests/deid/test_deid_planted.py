# SPDX-License-Identifier: Apache-2.0
"""Nothing planted leaves; what is harmless stays."""

from __future__ import annotations

import io
import json

import pydicom
import pytest

from deid import DeidentificationKey, Deidentifier, Option
from tests.deid.planted import Planted, planted_ct

KEY = DeidentificationKey(bytes(range(32)))
PIPELINE = (Option.CLEAN_DESCRIPTORS, Option.MODIFIED_DATES)
EVERYTHING_THAT_CLEANS = (
    *PIPELINE,
    Option.CLEAN_STRUCTURED_CONTENT,
    Option.SAFE_PRIVATE,
    Option.PATIENT_CHARACTERISTICS,
)


@pytest.fixture(scope="module")
def planted() -> Planted:
    return planted_ct()


@pytest.mark.parametrize("options", [(), PIPELINE], ids=["strict basic", "pipeline"])
def test_no_planted_identifier_is_in_any_output_byte(planted, options) -> None:
    output = Deidentifier(KEY, options).deidentify(planted.content).to_bytes()

    assert len(planted.identifiers) >= 100
    assert all(word in planted.content for word in planted.identifiers.values())
    leaked = [place for place, word in planted.identifiers.items() if word in output]
    assert leaked == []


def test_no_planted_identifier_is_in_the_json_header_or_the_report(planted) -> None:
    scan = Deidentifier(KEY, PIPELINE).deidentify(planted.content)

    text = json.dumps(scan.header_json()) + scan.report.to_json() + repr(scan)

    leaked = [place for place, word in planted.identifiers.items() if word.decode() in text]
    assert leaked == []


def test_options_that_clean_leak_no_more_than_patient_characteristics(planted) -> None:
    output = Deidentifier(KEY, EVERYTHING_THAT_CLEANS).deidentify(planted.content).to_bytes()

    leaked = [place for place, word in planted.identifiers.items() if word in output]
    assert set(leaked) <= {"EthnicGroup"}


@pytest.mark.parametrize("options", [(), PIPELINE], ids=["strict basic", "pipeline"])
def test_harmless_elements_keep_their_values(planted, options) -> None:
    dataset = Deidentifier(KEY, options).deidentify(planted.content).dataset

    assert len(planted.harmless) >= 45
    changed = {
        keyword: dataset.get(keyword)
        for keyword, value in planted.harmless.items()
        if dataset.get(keyword) != value
    }
    assert changed == {}


def test_the_image_itself_stays(planted) -> None:
    scan = Deidentifier(KEY, PIPELINE).deidentify(planted.content)

    # Bit 12 of the pixels is an overlay plane; the pixels here never set it.
    assert scan.to_bytes().endswith(b"\x55\x05" * 64)


def test_descriptors_keep_their_anatomy(planted) -> None:
    dataset = Deidentifier(KEY, PIPELINE).deidentify(planted.content).dataset

    assert dataset.StudyDescription == "CT Thorax"
    assert dataset.SeriesDescription == "chest"
    assert dataset.ProcedureCodeSequence[1].CodeMeaning == "Thoracic structure (body structure)"
    assert dataset.ProcedureCodeSequence[1].CodeValue == "51185008"


def test_every_element_of_the_source_is_in_the_report(planted) -> None:
    report = Deidentifier(KEY).deidentify(planted.content).report
    source = pydicom.dcmread(io.BytesIO(planted.content))

    recorded = {record.path for record in report.elements}
    assert {f"{tag:08X}" for tag, _ in source.items() if tag <= 0x7FE00010} <= recorded
    assert all(record.rule for record in report.elements)
    assert sum(report.counts.values()) == len(report.elements)
