# SPDX-License-Identifier: Apache-2.0
"""Free text leaves without identities, and keeps what medicine needs."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.deid_text import measure
from deid.text import Kind, KnownTerms, TextDeidentifier, header_terms
from deid.text.folding import readable
from deid.text.generator import Generator
from deid.text.kinds import Span, united
from deid.text.lexicon import is_held_out
from deid.text.text_dates import dates_in

PATIENT = KnownTerms.of(
    [
        ("Fenwick-Stone^Marigold^Q", Kind.PATIENT_NAME),
        ("00-123 456", Kind.PATIENT_ID),
        ("Yamada^Tarou=山田^太郎", Kind.PATIENT_NAME),
        ("Żółkiewska^Bronisława", Kind.PATIENT_NAME),
        ("Mueller^Jörg", Kind.PHYSICIAN_NAME),
    ]
)


def clean(text: str, known: KnownTerms = PATIENT, shift: int | None = None) -> str:
    return TextDeidentifier(known, shift).clean(text).text


@pytest.mark.parametrize(
    "written",
    [
        "Marigold Fenwick", "FENWICK, MARIGOLD", "fenwick marigold", "M. Fenwick", "Fenwick, M.",
        "Fenwick-Stone", "mfenwick", "FENWICKSTONE", "fenwick_marigold", "F E N W I C K",
        "Fen-\nwick", "Fenwik", "Fenwcik", "Fénwìck", "Marigold's", "Zolkiewska", "ŻÓŁKIEWSKA",
        "Müller", "MUELLER", "Muller", "山田太郎", "太郎 山田", "山田　太郎様", "M.F.",
    ],
)  # fmt: skip
def test_a_known_name_is_found_however_it_is_written(written: str) -> None:
    cleaned = clean(f"Knee left, {written} seen, no fracture")
    assert re.sub(r"[\s.]", "", written) not in re.sub(r"[\s.]", "", cleaned)
    assert "%" in cleaned
    assert cleaned.startswith("Knee left, ")
    assert cleaned.endswith("seen, no fracture")


@pytest.mark.parametrize("written", ["00-123 456", "123456", "0123456", "123-456", "00.123.456"])
def test_a_known_number_is_found_with_other_separators(written: str) -> None:
    assert "456" not in clean(f"prior study {written} on file")


@pytest.mark.parametrize(
    "text",
    [
        "Parkinson's disease with resting tremor", "Ground glass opacity in the lingula",
        "Short axis cine, short TI inversion recovery", "Hodgkin lymphoma, interim PET",
        "A Baker cyst behind the left knee", "Circle of Willis is patent", "Hill-Sachs lesion",
        "Child-Pugh B cirrhosis", "Guillain-Barré syndrome", "Doppler flow in the brown tumor",
        "T2 FLAIR, b1000, TR 2000 TE 90, 512x512", "CPT 71260, ICD C78.00, BI-RADS 4A",
        "L4-L5, C5/6, T12, 3/5 strength, Gleason 3+4", "18F-FDG 370 MBq, SUVmax 3.4, Ki-67 20%",
        "H. pylori and E. coli, HER2 positive", "Abdomen^ROUTINE_CTA (Adult)",
        "t1_mprage_sag_p2_iso 1.0", "A 45-year-old woman with right lower quadrant pain",
        "Bandscheibenvorfall L5/S1 mit Wurzelkontakt links", "Kein Hinweis auf ein Rezidiv.",
        "右肺上葉に15mmの結節を認める。胸水なし。", "双肺纹理清晰,未见明显结节。",
    ],
)  # fmt: skip
def test_what_is_clinical_stays_as_it_is(text: str) -> None:
    assert clean(text, KnownTerms()) == text


def test_a_name_and_the_disease_called_so_are_told_apart() -> None:
    known = KnownTerms.of([("Parkinson^Alan", Kind.PHYSICIAN_NAME)])
    cleaned = clean("Dr. Parkinson confirms Parkinson's disease.", known)
    assert cleaned == "Dr. %PHYSICIAN NAME% confirms Parkinson's disease."


def test_a_patient_called_short_does_not_take_the_short_axis_away() -> None:
    known = KnownTerms.of([("Short^Grace", Kind.PATIENT_NAME)])
    cleaned = clean("Mrs. Short had a short axis stack. Grace Short tolerated it.", known)
    assert cleaned == ("Mrs. %PATIENT NAME% had a short axis stack. %PATIENT NAME% tolerated it.")


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("Dictated by: Wiremu Tawhiao, MD", "Wiremu Tawhiao"),
        ("Findings discussed with Dr. Oyelaran at 14:00.", "Oyelaran"),
        ("Dear Ms. Rose, thank you for coming.", "Rose"),
        ("MICHAELSON, TOBIAS / KNEE LT", "MICHAELSON"),
        ("call (312) 555-0188 when done", "555"),
        ("e-mail j.doe@hospital.example", "doe"),
        ("see https://pacs.example.org/view?id=4711", "pacs"),
        ("lives at 14 Oak Avenue, Springfield, IL 62704", "Oak"),
        ("wohnhaft Lindenweg 4, 6020 Innsbruck", "Lindenweg"),
        ("SSN 123-45-6789", "6789"),
        ("MRN: 8841202", "8841202"),
        ("Transferred from Ravenscroft General Hospital.", "Ravenscroft"),
        ("Пациент: Заболоцкий Игорь Львович", "Заболоцкий"),
        ("患者名：大久保由美", "大久保"),
        ("환자명: 채은비", "채은비"),
        ("اسم المريض: فاطمة", "فاطمة"),
        ("שם המטופל: אברהם", "אברהם"),
        ("Ασθενής: Παπαδόπουλος", "Παπαδόπουλος"),
    ],
)
def test_an_identifier_that_no_header_knows_is_found(text: str, gone: str) -> None:
    assert gone not in clean(text, KnownTerms())


def test_an_age_above_89_becomes_90_and_others_stay() -> None:
    text = "94-year-old man, age 91, and his 67-year-old son"
    assert clean(text, KnownTerms()) == "90-year-old man, age 90, and his 67-year-old son"


@pytest.mark.parametrize(
    ("written", "shifted"),
    [
        ("03/15/2024 at 10:35 AM", "12/06/2023 at 10:35 AM"),
        ("2024-03-15", "2023-12-06"),
        ("15 March 2024", "06 December 2023"),
        ("March 15, 2024", "December 06, 2023"),
        ("15-MAR-2024", "06-DEC-2023"),
        ("20240315", "20231206"),
        ("20240315101112.5", "20231206101112.5"),
        ("15. März 2024", "06. Dezember 2023"),
        ("15 de marzo de 2024", "06 de diciembre de 2023"),
        ("15 марта 2024", "06 декабря 2023"),
        ("2024年3月15日", "2023年12月06日"),
        ("15 มีนาคม 2567", "06 ธันวาคม 2566"),
    ],
)
def test_a_date_is_shifted_in_its_own_writing(written: str, shifted: str) -> None:
    assert clean(f"seen {written}.", shift=-100) == f"seen {shifted}."
    time_of_day = " at 10:35 AM" if " at " in written else ""
    assert clean(f"seen {written}.") == f"seen %DATE%{time_of_day}."


@given(
    st.dates(date(1930, 1, 1), date(2080, 12, 31)),
    st.integers(-3650, 3650).filter(bool),
    st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%d %B %Y", "%B %d, %Y", "%d-%b-%Y", "%Y%m%d"]),
)
def test_a_shift_moves_every_date_by_exactly_its_days(day: date, days: int, form: str) -> None:
    moved = day + timedelta(days)
    if not 1931 < moved.year < 2080:
        return
    spans = list(dates_in(day.strftime(form), days))
    assert [span.replacement for span in spans] == [moved.strftime(form)]


def test_what_one_text_reveals_is_found_in_the_others() -> None:
    texts = {"report": "Referring physician: Tamsin Okonjo", "comment": "okonjo wants thin slices"}
    cleaned = TextDeidentifier().clean_all(texts)
    assert cleaned["comment"].text == "%PHYSICIAN NAME% wants thin slices"


def test_numbers_get_the_stand_ins_of_the_header() -> None:
    deidentifier = TextDeidentifier(PATIENT, hasher=lambda kind, value: f"<{kind}:{len(value)}>")
    assert deidentifier.clean("prior 123456 seen").text == "prior <PATIENT ID:6> seen"


def test_typed_fields_of_a_header_are_known_terms() -> None:
    known = header_terms(
        [
            (0x00100010, "PN", "Doe^Jane"),
            (0x00080090, "PN", "Roe^Ann"),
            (0x00100020, "LO", "A-4711"),
        ]
    )
    kinds = {term.value: term.kind for term in known.terms}
    assert kinds == {
        "Doe^Jane": Kind.PATIENT_NAME, "Roe^Ann": Kind.PHYSICIAN_NAME, "A-4711": Kind.PATIENT_ID,
    }  # fmt: skip


@given(st.text(max_size=120))
def test_any_text_is_taken_and_only_its_spans_change(text: str) -> None:
    cleaned = TextDeidentifier(PATIENT).clean(text)
    assert all(
        one.end <= other.start for one, other in zip(cleaned.spans, cleaned.spans[1:], strict=False)
    )
    if not cleaned.spans and text.isascii():
        assert cleaned.text == readable(text)


def test_overlapping_finds_become_one_with_the_kind_of_the_longer() -> None:
    spans = [Span(0, 4, Kind.NAME, "model"), Span(2, 12, Kind.ADDRESS, "pattern")]
    assert united(spans) == [Span(0, 12, Kind.ADDRESS, "pattern")]


def test_training_texts_have_no_name_that_is_kept_for_measuring() -> None:
    generator = Generator(3)
    for _ in range(200):
        made = generator.make()
        names = [made.text[a:b].lower() for a, b, label in made.spans if label == "name"]
        assert not any(is_held_out(name) for name in names)


def test_unlisted_names_in_unseen_sentences_are_all_found_and_the_rest_kept() -> None:
    figures, details = measure(quick=True)
    assert figures["text_identifiers_left"] == 0, details
    assert figures["text_clinical_kept"] >= 0.995, details


@pytest.mark.parametrize("unseen", list("\u00ad\u200b\u200c\u200d\u2060\ufeff\u200e\x00\x08\x7f"))
def test_what_takes_no_room_hides_no_part_of_a_name_or_number(unseen: str) -> None:
    known = KnownTerms.of([("Quillfeather^Ida", Kind.PATIENT_NAME), ("7781234", Kind.PATIENT_ID)])
    text = TextDeidentifier(known).clean(
        f"Mrs. Quill{unseen}feather, 778{unseen}1234: clear lungs."
    )
    assert text.text == "Mrs. %PATIENT NAME%, %PATIENT ID%: clear lungs."


def test_joiners_that_a_script_needs_stay() -> None:
    text = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
    assert readable(text) == text
