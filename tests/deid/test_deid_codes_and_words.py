# SPDX-License-Identifier: Apache-2.0
"""Of texts and codes only what is listed passes; anatomy does, names do not."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from deid import Deidentifier, Option
from deid.descriptions import cleaned, names_beside
from deid.text.lexicon import names
from deid.values import is_code
from deid.vocabulary import code_words, descriptor_words, folded, is_listed, words_of
from inference.anatomy.header import Header
from inference.anatomy.recognizer import TagRecognizer
from tests.deid.made_scans import KEY, PIPELINE, ct

HEADERS = Path(__file__).parents[3] / "shared" / "data" / "anatomy_headers_dev.csv"
_TEXT = """
    smith johnson williams brown jones garcia miller davis rodriguez martinez hernandez lopez
    gonzalez wilson anderson thomas taylor moore jackson martin perez thompson harris sanchez
    clark ramirez lewis robinson walker allen wright scott torres nguyen flores adams nelson
    rivera campbell mitchell carter roberts muller schmidt schneider fischer weber wagner
    becker schulz hoffmann koch bauer klein neumann zimmermann braun kruger hartmann werner
    krause lehmann maier anna maria peter paul john james mary patricia robert jennifer
    michael linda david elizabeth william barbara richard susan joseph jessica ivanov petrov
    sidorov иванов петрова kowalski nowak wisniewski rossi russo ferrari bianchi dubois durand
    leroy moreau silva santos ferreira jansen devries bakker visser hospital clinic klinikum
    hopital szpital
"""
NAMES = _TEXT.split()


def clean(keyword: str, text: str, **attributes: object) -> str:
    dataset = ct(**{keyword: text}, **attributes)
    return str(Deidentifier(KEY, PIPELINE).deidentify(dataset).dataset.get(keyword, ""))


@given(st.text(max_size=64))
def test_only_listed_words_and_short_numbers_leave_a_description(text: str) -> None:
    for word in words_of(cleaned(text, ())):
        letters = [part for part in re.findall(r"[^\W\d_]+", folded(word)) if len(part) > 1]
        assert is_listed(folded(word)) or all(is_listed(part) or len(part) < 6 for part in letters)
        assert max(map(len, re.findall(r"\d+", word)), default=0) <= 4


def test_a_listed_word_that_is_a_name_too_is_known_as_one() -> None:
    named = (names("given") | names("family")) & descriptor_words()

    assert {name for name in named if len(name) > 2} <= names_beside().keys()


def test_no_name_of_the_package_is_put_together_from_listed_words() -> None:
    unlisted = (names("given") | names("family")) - descriptor_words()

    assert [name for name in unlisted if cleaned(name, ())] == []


def test_words_that_names_have_to_stand_beside_are_folded_and_some_are_listed() -> None:
    for word, beside in names_beside().items():
        assert all(one == folded(one) for one in (word, *beside))
        assert not beside or beside & (descriptor_words() | {"d", "l", "x"}), word


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("RM intestino delgado", "RM intestino delgado"),
        ("RM abdomen Delgado", "RM abdomen"),
        ("CT Head, Delgado", "CT Head"),
        ("Waters view sinuses", "Waters view sinuses"),
        ("CT sinuses Waters", "CT sinuses Waters"),
        ("WATERS", ""),
        ("KEY", ""),
        ("BRAIN", "BRAIN"),
        ("HEAD^ROUTINE", "HEAD ROUTINE"),
        ("BRAIN^BRAIN", "BRAIN BRAIN"),
        ("HEAD^HUGH CT", "CT"),
        ("foot x-ray by Art Waters", "foot x ray by"),
        ("PER MS HEAD, chest", "PER chest"),
        ("CT chest KEY-0412-017", "CT chest"),
        ("Chest Roundtree", "Chest"),
        ("T1 DIXON fat", "T1 DIXON fat"),
        ("CT chest Dixon", "CT chest"),
        ("Hand left Dr. Long", "Hand left Dr"),
        ("HAND LEFT LONG^HUGH", "HAND LEFT"),
        ("MARIA CORAZON T. BUENAFLOR CHEST", "T CHEST"),
        ("MR HAND", "MR HAND"),
        ("DR HEAD lateral", "DR HEAD lateral"),
        ("DR. HEAD lateral", "DR lateral"),
        ("chest J. Hand", "chest J"),
        ("XR chest Long, Hugh", "XR chest"),
        ("CT Hugh Long chest", "CT chest"),
        ("long bone survey", "long bone survey"),
        ("Chest DeLong", "Chest"),
        ("Chest Pradeep", "Chest"),
        ("Chest Arturo", "Chest"),
        ("ThoraxRoutine", "ThoraxRoutine"),
        ("CTŁokieć", "CT Łokieć"),
        ("KNÖCHEL2A", "KNÖCHEL A"),
        ("Thorax JÄHAND", "Thorax"),
        ("GÖBEIN", ""),
        ("DeÁvilaThorax", ""),
        ("T1 MARTHE cor", "T1 cor"),
    ],
)
def test_a_listed_word_goes_where_it_stands_as_a_name(text: str, kept: str) -> None:
    assert cleaned(text, ()) == kept


@pytest.mark.parametrize(
    "text",
    [
        "Chest 5mm", "Chest 5 mm", "Chest 1.25", "Chest 0.625 mm", "T2 tse 512x512", "DWI b1000",
        "DWI b 800", "Chest B30f", "Chest Br40d", "Gated 30 %", "Gated 30%", "TE 90", "kV 120",
        "Recon 2", "Phase 3 delayed", "ct 2.5", "CT Chest 80kV", "T1 3.0T", "Recon2", "3phase",
        "Siemens Avanto 1.5T", "CT 3x3x3 mm", "140 mA 5 MM 30%", "DCE 117.5s", "CTA 20.000",
        "MRI 4 WKS", "Chest 2.00", "ax dyn 4th pass",
    ],
)  # fmt: skip
def test_a_number_that_measures_or_counts_stays(text: str) -> None:
    assert cleaned(text, ()) == text


@pytest.mark.parametrize(
    "number",
    [
        "12.03.1950", "12.3.", "1.5.", "3.4.21", "12/03", "1950-03-12", "19500312", "12 Mar",
        "Mar 12",
        "12MAR50", "3 March", "9th", "4711", "12345 mm", "98 76 54", "555-1234", "22-118834",
        "92F", "age 92", "aged 95", "room 12", "10:30", "3897S", "12 Elm", "07", "SE1 7EH",
        "W12 8QQ", "l2/O4/1961", "bed B12", "bed 5 mm", "50/1950", "512 555 01", "4th",
        "v12.3.1950", "1_0_1950", "CT24-118834", "No 12", "#12", "22 Oct 2008", "TR 25 Aug",
    ],
)  # fmt: skip
def test_a_number_that_may_be_somebodys_goes(number: str) -> None:
    kept = cleaned(f"CT chest {number}", ())

    assert not any(sign.isdigit() for sign in kept), kept


def test_what_stands_between_underscores_or_is_a_list_of_b_values_stays() -> None:
    assert cleaned("t2_tse_sag_512", ()) == "t2 tse sag 512"
    assert cleaned("Lung_Axial_3_0_CE", ()) == "Lung Axial 3_0 CE"
    assert cleaned("DWI 50/400/1400", ()) == "DWI 50/400/1400"
    assert cleaned("LUNG 140 mA 30%ASIR", ()) == "LUNG 140 mA 30% ASIR"


def test_a_number_that_the_header_has_goes_although_it_measures() -> None:
    assert cleaned("CT chest 512x512 5mm", {"512"}) == "CT chest 5mm"


@pytest.mark.parametrize(
    "code", ["JOHN12", "ANNA7", "LEE_4711", "ANN12", "BLACK7", "DELGADO", "GLEN3", "STERN12", "คำม"]
)
def test_a_numbered_name_is_no_code(code: str) -> None:
    assert not is_code(code)


@pytest.mark.parametrize("name", NAMES)
def test_a_common_name_does_not_pass(name: str) -> None:
    assert name not in cleaned(f"CT Thorax {name.title()}, {name.upper()} chest_{name}", ()).lower()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CT_AbdPelvis  w/ contrast 5.0 B30f", "CT AbdPelvis w contrast 5.0 B30f"),
        ("RÖNTGEN Thorax p.a., Meier 12.03.1950", "RÖNTGEN Thorax p a"),
        ("IRM cérébrale avec injection", "IRM cérébrale avec injection"),
        ("RM columna lumbar sin contraste", "RM columna lumbar sin contraste"),
        ("TC torace senza mdc", "TC torace senza mdc"),
        ("RX tórax póstero", "RX tórax"),
        ("TK klatki piersiowej bez kontrastu", "TK klatki piersiowej bez kontrastu"),
        ("CT bovenbuik met contrast", "CT bovenbuik met contrast"),
        ("CHESTABDPELVIS", "CHESTABDPELVIS"),
        ("T2_TSE sag LWS", "T2 TSE sag LWS"),
        ("T/A/P", "T A P"),
        ("Jane Doe 4711", ""),
        ("e+1", ""),
    ],
)
def test_a_description_keeps_anatomy_sequence_and_contrast_words(text: str, expected: str) -> None:
    assert clean("StudyDescription", text, SpecificCharacterSet="ISO_IR 192") == expected


def test_cyrillic_anatomy_stays_in_its_character_set() -> None:
    text = "МРТ головного мозга Иванова"

    for charset in ("ISO_IR 192", "ISO_IR 144"):
        cleaned_text = clean("StudyDescription", text, SpecificCharacterSet=charset)
        assert cleaned_text == "МРТ головного мозга"


def test_a_listed_word_that_is_a_name_in_this_header_does_not_pass() -> None:
    kept = clean("StudyDescription", "CT Chest (Hand), left foot", ReferringPhysicianName="Hand^A")

    assert kept == "CT Chest left foot"


def test_parts_of_names_are_denied_in_technical_texts_and_nested_ones() -> None:
    inner = Dataset()
    inner.PersonName = "Trufi^Ann"
    dataset = ct(
        SequenceName="trufi 2d",
        ConvolutionKernel="B30f",
        VerifyingObserverSequence=Sequence([inner]),
    )

    output = Deidentifier(KEY, PIPELINE).deidentify(dataset).dataset

    assert "SequenceName" not in output
    assert output.ConvolutionKernel == "B30f"


@pytest.mark.parametrize(
    "text", ["Doe^Jane", "jane@example.org", "https://pacs.example", "record 12345678"]
)
def test_a_technical_text_that_looks_like_more_does_not_pass(text: str) -> None:
    assert clean("SequenceName", text[:16]) == ""


def test_strict_basic_has_no_descriptions() -> None:
    dataset = Deidentifier(KEY).deidentify(ct(StudyDescription="CT Chest")).dataset

    assert "StudyDescription" not in dataset


@pytest.mark.parametrize(
    "value",
    [
        "CHEST", "CT_SOM5 SPI", "ECHO_00", "M_FFE", "ISO_10918_1", "HEADNECK", "SAT2", "3D", "0001",
        "FOR PRESENTATION", "YBR_FULL_422", "UPPER EXTREMITY", "T1 MAP", "ABDOM/RAD", "DIS2D", "",
    ],
)  # fmt: skip
def test_defined_terms_pass_as_code_strings(value: str) -> None:
    assert is_code(value)


@pytest.mark.parametrize(
    "value",
    ["SMITH", "DOE JANE", "MRN4711", "AB12345", "0815 4711", "12345678", "JANE^DOE", "ŁÓDŹ"],
)
def test_other_code_strings_do_not_pass(value: str) -> None:
    assert not is_code(value)


def test_of_several_code_strings_the_others_stay_in_their_place() -> None:
    dataset = Deidentifier(KEY).deidentify(ct(ImageType=["ORIGINAL", "PRIMARY", "SMITH"])).dataset

    assert list(dataset.ImageType) == ["ORIGINAL", "PRIMARY", "OTHER"]


def test_body_part_examined_keeps_what_people_type() -> None:
    assert clean("BodyPartExamined", "Thorax") == "Thorax"
    assert clean("BodyPartExamined", "CHEST SMITH") == "CHEST"


def test_the_lists_are_folded_and_large() -> None:
    assert len(descriptor_words()) > 4000
    assert len(code_words()) > 6000
    assert all(folded(word) == word for word in code_words())


def code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def treated(*codes: Dataset) -> list[Dataset]:
    dataset = ct(ProcedureCodeSequence=Sequence(list(codes)))
    return list(Deidentifier(KEY).deidentify(dataset).dataset.ProcedureCodeSequence)


def test_a_code_of_the_standard_keeps_its_meaning_or_gets_it_back() -> None:
    listed, foreign, unknown = treated(
        code("T-D3000", "SRT", "Chest"),
        code("T-D3000", "SRT", "Chest of Jane Doe"),
        code("999999990", "SCT", "Jane Doe's chest"),
    )

    assert (listed.CodeValue, listed.CodeMeaning) == ("T-D3000", "Chest")
    assert "Jane" not in foreign.CodeMeaning
    assert "Thoracic" in foreign.CodeMeaning
    assert unknown.CodeMeaning == "999999990"


def test_a_local_code_becomes_a_pseudonym_that_tells_equal_from_different() -> None:
    one, same, other = treated(
        code("DOE1", "99HOSPITAL", "CT chest Doe"),
        code("DOE1", "99HOSPITAL", "CT chest"),
        code("DOE2", "99HOSPITAL", "Doe"),
    )

    assert one.CodeValue == same.CodeValue != other.CodeValue
    assert {item.CodingSchemeDesignator for item in (one, same, other)} == {"99LOCAL"}
    assert (one.CodeMeaning, other.CodeMeaning) == ("CT chest", "Local code")
    assert "DOE" not in one.CodeValue


def test_a_code_value_that_is_none_of_its_scheme_becomes_a_pseudonym() -> None:
    (item,) = treated(code("JANE DOE", "SCT", "Chest"))

    assert item.CodingSchemeDesignator == "99LOCAL"


def test_ages_above_89_are_one_where_patient_characteristics_stay() -> None:
    ages = [
        Deidentifier(KEY, (Option.PATIENT_CHARACTERISTICS,)).deidentify(ct(PatientAge=age)).dataset
        for age in ("089Y", "093Y", "011M")
    ]

    assert [dataset.PatientAge for dataset in ages] == ["089Y", "090Y", "011M"]


@pytest.mark.skipif(not HEADERS.exists(), reason=f"../shared/data/{HEADERS.name} is not here")
def test_anatomy_is_recognized_from_cleaned_headers_as_from_originals() -> None:
    recognizer, total, equal = TagRecognizer(), 0, 0
    texts = ("StudyDescription", "SeriesDescription")
    with HEADERS.open(encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            after = row | {keyword: cleaned(row[keyword], ()) for keyword in texts}
            found = [recognizer.recognize(Header.of(header)).regions for header in (row, after)]
            total += 1
            equal += found[0] == found[1]

    assert total > 600
    assert equal / total >= 0.99


@pytest.mark.parametrize(
    ("scheme", "value"),
    [
        ("SCPECG", "5.6.3-9-1"),  # Lead I: an electrocardiogram without its leads is none
        ("SCPECG", "5.4.5-33-1-1"),
        ("MDC", "2:1"),
        ("UCUM", "ml/100ml/s"),
        ("UCUM", "ml/min/1.73m2"),
        ("UCUM", "g/ml{SUVbw}"),
        ("UCUM", "{SUVlbm}g/ml"),
        ("UCUM", "{beats}/min"),
        ("UCUM", "mg/cm3{HA}"),
        ("UCUM", "10*-6mm2/s"),
        ("NDC", "0407-1413-52"),
    ],
)
def test_a_code_that_medicine_reads_stays(scheme: str, value: str) -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, "Lead"
    made = Deidentifier(KEY, PIPELINE).deidentify(ct(ProcedureCodeSequence=Sequence([code])))
    kept = made.dataset.ProcedureCodeSequence[0]
    assert (kept.CodingSchemeDesignator, kept.CodeValue) == (scheme, value)


@pytest.mark.parametrize("value", ["{Fenwick}", "ml{Fenwick}", "2024.01.31", "58.20.41.17", "4711"])
def test_a_unit_that_says_more_than_a_unit_does_not_stay(value: str) -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "UCUM", "Unit"
    made = Deidentifier(KEY, PIPELINE).deidentify(ct(ProcedureCodeSequence=Sequence([code])))
    assert made.dataset.ProcedureCodeSequence[0].CodeValue != value
