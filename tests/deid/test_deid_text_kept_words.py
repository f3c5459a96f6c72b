# SPDX-License-Identifier: Apache-2.0
"""Words beside names and numbers that say what those are."""

from __future__ import annotations

import pytest

from deid.text import Kind, KnownTerms, TextDeidentifier


def clean(text: str, shift: int | None = None) -> str:
    return TextDeidentifier(KnownTerms(), date_shift=shift).clean(text).text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Signed by Senior Registrar Beckett, seen today.", "Senior Registrar"),
        ("Mr Joseph Addai-Prempeh FRCS (Tr & Orth)\nConsultant here", "FRCS (Tr & Orth)"),
        ("RESULT TO TODD RN, READ BACK AND CONFIRMED", "READ BACK AND CONFIRMED"),
        ("Pacjentka Krystyna Wójcik, PESEL 48051207835.", "PESEL"),
        ("Re: Margaret Ellis, DOB 12/04/1948, seen today.", "DOB"),
        ("Sputum for AFB and GeneXpert was sent.", "GeneXpert"),
        ("ORIF of the radius with a Synthes volar plate.", "Synthes"),
        ("The patient's IVC filter (Greenfield) is seen.", "Greenfield"),
        ("Anisha Boateng, G2P1, attends for a scan.", "G2P1"),
        ("my MRI from Monday says more", "Monday"),
    ],
)
def test_a_label_a_degree_a_role_or_a_brand_is_no_name(text: str, kept: str) -> None:
    assert kept in clean(text)


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("Seen by Mr Nurse today.", "Nurse"),
        ("Referred by Paul Nurse today.", "Nurse"),
        ("Dr DeShawn McAllister reported this.", "McAllister"),
        ("Dictated: CR 02-MAY-1972", "CR"),
        ("Médico solicitante: Gaither Monday.", "Monday"),
    ],
)
def test_a_name_that_is_spelled_like_a_label_goes(text: str, gone: str) -> None:
    assert gone not in clean(text)


def test_a_known_name_goes_even_if_it_is_a_role() -> None:
    known = KnownTerms.of([("Registrar^Anna", Kind.PATIENT_NAME)])
    cleaned = TextDeidentifier(known).clean("Mrs Registrar was seen.").text
    assert "Registrar" not in cleaned


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Sent: Tuesday, May 9, 2023 at 10:35", "Sent: April 9, 2023 at 10:35"),
        ("am Montag, den 3.4.2023 war", "am 4.3.2023 war"),
    ],
)
def test_the_day_of_the_week_does_not_tell_the_shift(text: str, cleaned: str) -> None:
    assert clean(text, shift=-30) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "Contrast given at 08.45 and again 01.22",
        "CPT code: 74177, 71260",
        "CPT 74177-26 and 71260",
    ],
)
def test_times_with_a_point_and_lists_of_procedure_codes_stay(text: str) -> None:
    assert clean(text) == text


def test_a_record_number_behind_procedure_codes_goes() -> None:
    text = "CPT 74177, 71260 and MRN 48213377, call 0345 678901"
    cleaned = clean(text)
    assert "48213377" not in cleaned
    assert "678901" not in cleaned
    assert "74177, 71260" in cleaned


def test_a_score_or_ratio_without_a_year_is_no_date() -> None:
    text = "Pain 8/10 to 2/10, 3/21 nodes, micropuncture set. 5 Fr sheath, mrT3b, RV 6/12"
    assert clean(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "Vatsan TT. Maksassa 12 mm kysta. Munuaiset ja lisämunuaiset siistit.",
        "V pravém horním laloku ložisko 14 mm. Mediastinální uzliny nezvětšeny.",
        "Mellkas CT. A jobb felső lebenyben 10 mm-es góc látható. Kóros nyirokcsomó nem látható.",
        "Παρατηρείται οζίδιο 7 mm στον δεξιό άνω λοβό. Δεν αναδεικνύεται λεμφαδενοπάθεια.",
        "Inga förstorade lymfkörtlar. Skelettet utan anmärkning.",
        "Nodul pulmonar de 8 mm în lobul superior drept. Fără adenopatii mediastinale.",
        "Kein Nachweis von Fernmetastasen. Aortensklerose.",
    ],
)
def test_the_words_of_reports_in_other_languages_stay(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("PRIOR EXAMS AT MERCY GENERAL. NO CHANGE", "MERCY"),
        ("GP REF HEATH LANE SURGERY. WEIGHT LOSS", "SURGERY"),
        ("Comparison with the study at Our Lady's Hospital, Navan.", "Lady"),
        (
            "Sputum culture was advised here.\nRadiologist\nUniversity College Hospital, Ibadan",
            "University",
        ),
        ("Biopsie geplant im Brustzentrum Havelland am Montag.", "Havelland"),
    ],
)
def test_a_house_of_general_words_is_found(text: str, gone: str) -> None:
    assert gone not in clean(text)
