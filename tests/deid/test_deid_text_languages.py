# SPDX-License-Identifier: Apache-2.0
"""A word of one language is a name amid another, and an eponym is a name behind a title."""

from __future__ import annotations

import pytest

from benchmarks.deid_text_handwritten import SETS, measure
from deid.text import Kind, KnownTerms, Lexicon, TextDeidentifier
from deid.text.languages import is_english, is_only_of_others
from deid.text.passage import Passage


def clean(text: str, *hidden: str) -> str:
    """Clean a text with some names taken out of the list of names."""
    lexicon = Lexicon(without=lambda name: name in hidden) if hidden else None
    return TextDeidentifier(KnownTerms(), lexicon=lexicon).clean(text).text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("She came with her partner Kiefer. Neurology was consulted.", "Kiefer"),
        ("No sign of cholecystitis. Weisser was advised to return.", "Weisser"),
        ("Patient Talibe Dass is gravida 2, para 1, with a normal scan.", "Dass"),
        ("The results were called to Dass Memorial Hospital by the resident.", "Dass"),
        ("His daughter Asir can be reached in the evening.", "Asir"),
        ("Médico solicitante: Gediminas Monday. El paciente no refiere dolor.", "Monday"),
        ("Mit freundlichen Grüßen\nDr. med. Kiefer Schweizer", "Kiefer"),
        ("CRITICAL RESULTS WERE CALLED TO DR. MONDAY AT 03:15.", "MONDAY"),
        ("Name: Rolands C. Mckinstry, seen for an echo.", "Rolands"),
        ("dass krishna f/u", "dass"),
    ],
)
def test_an_unlisted_name_that_is_a_word_elsewhere_is_a_name(text: str, name: str) -> None:
    assert name not in clean(text, name.lower())


@pytest.mark.parametrize(
    "text",
    [
        "Der Kiefer ist unauffällig, dass keine Fraktur vorliegt.",
        "Next appointment on Monday, no fracture of the mandible.",
        "Kiefer und Zähne sind in der Aufnahme nicht vollständig erfasst.",
        "Los arcos aórticos son normales, sin derrame.",
    ],
)
def test_a_word_in_its_own_language_stays(text: str) -> None:
    assert clean(text) == text


def test_the_language_of_a_text_is_that_of_its_little_words() -> None:
    lexicon = Lexicon()
    assert Passage("There is no fracture of the wrist.", lexicon).language == "en"
    assert Passage("Es besteht kein Anhalt für eine Fraktur.", lexicon).language == "de"
    assert Passage("Axial T2 FLAIR", lexicon).language is None


def test_a_word_of_english_medicine_is_at_home_in_every_language() -> None:
    assert not is_only_of_others("stent", "es")
    assert is_only_of_others("monday", "es")
    assert not is_english("kiefer")


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Mr Foot: right foot radiograph.", "Mr %NAME%: right foot radiograph."),
        ("Mr Cross was seen.", "Mr %NAME% was seen."),
        ("Mr Brain W Contrast", "Mr Brain W Contrast"),
        ("Nurse Pain administered pain relief.", "Nurse %NAME% administered pain relief."),
        ("May show a hairline fracture.", "May show a hairline fracture."),
        ("Mr. May may return.", "Mr. %NAME% may return."),
        ("Dr Bell - Bell's palsy.", "Dr %PHYSICIAN NAME% - Bell's palsy."),
        ("Graves' disease is treated.", "Graves' disease is treated."),
        ("Prominent Virchow-Robin spaces.", "Prominent Virchow-Robin spaces."),
        ("Her husband Art drives.", "Her husband %NAME% drives."),
        ("Technologist AB: repeat lateral.", "Technologist %PHYSICIAN NAME%: repeat lateral."),
        ("Addendum by kfarnsworth: no change.", "Addendum by %NAME%: no change."),
        ("患者李秀英，女", "患者%NAME%，女"),
    ],
)
def test_names_and_words_of_the_same_spelling_are_told_apart(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    "written", ["20/XI/2020", "the fifteenth of August", "the twenty-first of May 2020"]
)
def test_dates_in_roman_numerals_and_words_are_found(written: str) -> None:
    assert clean(f"Seen on {written} again.") == "Seen on %DATE% again."


def test_a_ratio_behind_a_sequence_name_is_no_date() -> None:
    text = "T2/FLAIR 2.5/1.2 and BP 120/80"
    assert clean(text) == text


# What is left of the sets written by hand, each a limit that the document names.
MOST_LEFT = {
    "letters": 7, "daily": 4, "wards": 4, "practices": 7, "clinics": 5, "offices": 10,
    "letterheads": 6, "worklists": 12, "visits": 8,
}  # fmt: skip
LEAST_KEPT = {"worklists": 0.97}


@pytest.mark.parametrize("of", SETS)
def test_sentences_written_by_hand_lose_their_names_and_keep_their_words(of: str) -> None:
    figures, details = measure(of)
    assert figures["text_identifiers_left"] <= MOST_LEFT.get(of, 2), details
    assert figures["text_clinical_kept"] >= LEAST_KEPT.get(of, 0.98), details


def test_a_title_or_degree_is_not_the_initials_of_the_patient() -> None:
    known = KnownTerms.of([("Ruiz^Delia", Kind.PATIENT_NAME), ("Dow^Mia", Kind.PATIENT_NAME)])
    cleaned = TextDeidentifier(known).clean("CALLED TO DR. YAMASAKI. Signed: Ann Zelinka, MD").text
    assert cleaned == "CALLED TO DR. %PHYSICIAN NAME%. Signed: %PHYSICIAN NAME%, MD"
