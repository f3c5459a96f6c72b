# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which scans are of a patient."""

from __future__ import annotations

import io
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from plugin.subject import ANIMAL, PHANTOM, of_no_patient
from tests.deid.made_scans import ct, file_of

HUMAN = ("337915000", "SCT", "Homo sapiens")
DOG = ("448771007", "SCT", "Canis lupus familiaris")


def species(value: str, scheme: str, meaning: str) -> dict[str, Any]:
    """Patient Species Code Sequence as Orthanc's simplified tags have it."""
    item = {"CodeValue": value, "CodingSchemeDesignator": scheme, "CodeMeaning": meaning}
    return {"PatientSpeciesCodeSequence": [item]}


CASES: list[tuple[dict[str, Any], str]] = [
    ({}, ""),
    ({"PatientSpeciesDescription": ""}, ""),
    ({"PatientSpeciesDescription": "Homo sapiens"}, ""),
    ({"PatientSpeciesDescription": " HUMAN "}, ""),
    ({"PatientSpeciesDescription": "Mensch"}, ""),
    ({"PatientSpeciesDescription": "UNKNOWN"}, ""),
    ({"PatientSpeciesDescription": "REMOVED"}, ""),
    ({"PatientSpeciesDescription": "Canine"}, ANIMAL),
    ({"PatientSpeciesDescription": "Non-human primate"}, ANIMAL),
    ({"PatientSpeciesCodeSequence": []}, ""),
    (species(*HUMAN), ""),
    (species("L-85B00", "SRT", "homo sapiens"), ""),
    (species("H1", "99ACME", "Human"), ""),
    (species("", "", ""), ""),
    (species(*DOG), ANIMAL),
    ({**species(*DOG), "PatientSpeciesDescription": "Human"}, ANIMAL),
    ({**species(*HUMAN), "PatientSpeciesDescription": "adult"}, ""),
    ({"QualityControlImage": "YES"}, PHANTOM),
    ({"QualityControlSubject": "YES "}, PHANTOM),
    ({"QualityControlImage": "NO", "QualityControlSubject": "NO"}, ""),
    ({"QualityControlImage": "BOTH"}, ""),
    ({"QualityControlImage": "NO", "QualityControlSubject": "YES"}, PHANTOM),
]


@pytest.mark.parametrize(("tags", "subject"), CASES)
def test_a_scan_is_of_a_patient_unless_its_header_says_otherwise(
    tags: dict[str, Any], subject: str
) -> None:
    assert of_no_patient(tags) == subject


@pytest.mark.parametrize(("tags", "subject"), CASES)
def test_a_file_and_the_tags_that_orthanc_tells_of_it_are_judged_alike(
    tags: dict[str, Any], subject: str
) -> None:
    codes = tags.get("PatientSpeciesCodeSequence")
    values = {**tags, "PatientSpeciesCodeSequence": codes and [item(one) for one in codes]}
    assert of_no_patient(dcmread(io.BytesIO(file_of(ct(**values))))) == subject


def item(values: dict[str, str]) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def test_a_species_that_can_not_be_read_counts_as_none() -> None:
    assert of_no_patient({"PatientSpeciesCodeSequence": "broken"}) == ""
    assert of_no_patient({"PatientSpeciesDescription": ["Canine"]}) == ""
