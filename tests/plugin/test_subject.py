# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which scans are of a patient."""

from __future__ import annotations

import io
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from plugin import species_words as known
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
    (species("H1", "99ACME", "Mensch"), ""),
    (species("9606", "NCBI", "Homo sapiens (human)"), ""),
    (species("278412004", "SCT", "Human being"), ""),
    (species("133936004", "SCT", "Volljährig"), ""),
    (species("261665006", "SCT", "Unknown (qualifier value)"), ""),
    (species("000001", "SCT", "000001"), ""),
    (species("123456", "SCT", ""), ""),
    (species("A1", "SCT", "Vorname"), ""),
    (species("4711", "99LOCAL", "Local code"), ""),
    (species("X", "99X", "Gluteus"), ""),
    (species("REMOVED", "REMOVED", "REMOVED"), ""),
    (species("", "", ""), ""),
    (species("", "", "Canine"), ANIMAL),
    (species("36855005", "SCT", ""), ANIMAL),
    (species("L-88121", "SRT", "L-88121"), ANIMAL),
    (species("106986005", "SCT", "Order Passeriformes (organism)"), ANIMAL),
    (species("K9", "99VET", "Perro"), ANIMAL),
    ({**species("4711", "99LOCAL", "Local code"), "PatientSpeciesDescription": "Cat"}, ANIMAL),
    (species(*DOG), ANIMAL),
    ({**species(*DOG), "PatientSpeciesDescription": "Human"}, ANIMAL),
    ({**species(*HUMAN), "PatientSpeciesDescription": "adult"}, ""),
    ({"QualityControlImage": "YES"}, PHANTOM),
    ({"QualityControlSubject": "YES "}, PHANTOM),
    ({"QualityControlImage": "NO", "QualityControlSubject": "NO"}, ""),
    ({"QualityControlImage": "BOTH"}, ""),
    ({"QualityControlImage": "NO", "QualityControlSubject": "YES"}, PHANTOM),
]


@pytest.mark.parametrize(
    "scheme", ["SCT", "sct", "SRT", "srt", "SNM3", "SNOMED-CT", "99SDM", "UMLS", "2.16.840.1", ""]
)
@pytest.mark.parametrize("value", ["337915000", "L-85B00", "l-85b00", "L-85003", "C0086418"])
def test_a_code_of_homo_sapiens_is_a_patient_whatever_its_scheme_is_called(
    value: str, scheme: str
) -> None:
    assert of_no_patient(species(value, scheme, "")) == ""
    assert of_no_patient(species(value, scheme, "X")) == ""


@pytest.mark.parametrize(
    "said",
    [
        "Homo sapiens (organism)", "Human (Homo sapiens)", "H. sapiens", "HOMO_SAPIENS", "Hombre",
        "Être humain", "E\u0302tre humain", "ETRE HUMAIN", "Ma\u0308nniska", "czlowiek", "İnsan",
        "Людина", "人間", "ﾋﾄ", "Human^", "human, adult", "Human, lives with a dog", "Adult",
        "Male", "Patient", "ANONYMIZED", "ANON", "[REDACTED]", "XXX", "0", "NULL", "(none)", "?",
        "NOT SPECIFIED", "OTHER", "Local code", "De-identified", "Muster", "Catherine", "Ratinger",
        "MUSCULUS", "Hundert", "Rhesus positive",
    ],
)  # fmt: skip
def test_words_that_name_no_known_animal_exclude_no_patient(said: str) -> None:
    assert of_no_patient({"PatientSpeciesDescription": said}) == ""


@pytest.mark.parametrize(
    "said",
    [
        "DOG", "Canis lupus familiaris", "Canine (dog)", "Feline", "cat, domestic",
        "Equus caballus", "Mus musculus", "Rattus norvegicus", "Rat", "White rabbit", "Porcine",
        "Sus scrofa", "Ovine", "goat", "Macaca mulatta", "Nonhuman primate", "primate non humain",
        "Avian", "(Canine)", "Hündin", "HUNDIN", "Ka\u0308nguru, Mäuse", "chèvre", "CHEVRE",
        "ratón", "cavallo", "cão", "paard", "świnia", "swinia", "koń", "СОБАКА", "кошка",
        "Guinea-pig", "male dog",
    ],
)  # fmt: skip
def test_what_names_a_known_animal_is_no_patient(said: str) -> None:
    assert of_no_patient({"PatientSpeciesDescription": said}) == ANIMAL


def test_no_word_is_listed_twice_with_different_meanings() -> None:
    assert not known.ANIMALS & (known.HUMAN | known.UNSAID)
    assert "" not in known.ANIMALS | known.HUMAN | known.UNSAID
    assert not known.ANIMAL_CODES & known.HUMAN_CODES


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
