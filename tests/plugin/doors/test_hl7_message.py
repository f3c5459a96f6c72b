# SPDX-License-Identifier: AGPL-3.0-or-later
"""A result as ORU^R01: the right segments, codes, flags, escape sequences and character set."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from hl7apy.parser import parse_message

from inference.contract import Outcome
from plugin.configuration.doors import Hl7Section
from plugin.doors.errors import UndeliverableError
from plugin.doors.hl7_message import oru_message
from plugin.doors.hl7_text import escape, person_name
from plugin.doors.result import Result
from tests.plugin.results.samples import dx_header

Read = Callable[..., Result]
SENT_AT = "2026-11-03T10:16:00+01:00"


def message(*results: Result, **section: object) -> bytes:
    return oru_message(results, Hl7Section(host="ris", **section), "c0ffee", SENT_AT)


def segments(content: bytes, name: str, encoding: str = "utf-8") -> list[list[str]]:
    lines = [line.split("|") for line in content.decode(encoding).split("\r")]
    return [fields for fields in lines if fields[0] == name]


@pytest.mark.parametrize("text", ["ED", "FT", "BOTH", "NONE"])
@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_is_a_valid_message(result: Read, outcome: Outcome, text: str) -> None:
    content = message(result(outcome), text=text)
    assert parse_message(content.decode("utf-8")).validate()
    assert content.endswith(b"\r")
    assert b"\n" not in content


def test_the_header_names_both_sides_type_version_and_character_set(result: Read) -> None:
    content = message(
        result(), sending_facility="North", receiving_application="RIS", receiving_facility="Main"
    )
    (msh,) = segments(content, "MSH")
    assert msh[1:6] == ["^~\\&", "SIDELIGHT", "North", "RIS", "Main"]
    assert msh[6] == "20261103101600+0100"
    assert msh[8:12] == ["ORU^R01^ORU_R01", "c0ffee", "P", "2.5.1"]
    assert msh[17] == "UNICODE UTF-8"


def test_patient_and_order_are_those_of_the_report(result: Read) -> None:
    content = message(result())
    (pid,), (obr,) = segments(content, "PID"), segments(content, "OBR")
    assert (pid[3], pid[5], pid[7], pid[8]) == ("P-1", "Phantom^Chest", "19700102", "F")
    assert (obr[3], obr[18], obr[24], obr[25]) == ("A-1", "A-1", "RAD", "P")
    assert obr[4] == "43468-8^XR unspecified body region^LN"
    assert obr[7] == "20260304101112"


def test_a_finding_has_presence_and_probability_with_units_range_and_flags(result: Read) -> None:
    observations = segments(message(result()), "OBX")
    first = [fields for fields in observations if fields[4].startswith("1")]
    presence, probability, severity, region = first
    assert presence[2:6] == [
        "CWE", "36118008^Pneumothorax^SCT", "1", "52101004^Present^SCT",
    ]  # fmt: skip
    assert presence[8] == "AA"
    assert probability[2:9] == [
        "NM", "P-pneumothorax^Probability of Pneumothorax^99SIDELIGHT", "1", "91.3042",
        "%^percent^UCUM", "<45", "H",
    ]  # fmt: skip
    assert severity[5] == "3"
    assert (region[4], region[2]) == ("1.1", "NM")
    absent = [fields for fields in observations if fields[4] == "4"]
    assert [fields[8] for fields in absent[:2]] == ["N", "N"]


def test_everything_is_preliminary_and_names_the_model(result: Read) -> None:
    for observation in segments(message(result()), "OBX"):
        assert observation[11] == "P"
        assert observation[18].startswith("chest-phantom 1.0^Sidelight^2.25.")


def test_the_study_is_named_as_ihe_names_it(result: Read) -> None:
    first = segments(message(result()), "OBX")[0]
    uid = dx_header().StudyInstanceUID
    assert first[2:6] == ["HD", "113014^DICOM Study^DCM", "", f"^{uid}^ISO"]


def test_the_encapsulated_text_says_all_numbers_and_the_disclaimer(result: Read) -> None:
    (encapsulated,) = [f for f in segments(message(result()), "OBX") if f[2] == "ED"]
    assert encapsulated[5].startswith("^TEXT^plain^Base64^")
    text = base64.b64decode(encapsulated[5].split("^")[4]).decode("utf-8")
    assert "not for clinical use" in text
    assert "Pneumothorax: present, probability 91.3042 %, threshold 45 %, regions: 1" in text
    assert "Cardiomegaly: absent, probability 3.41 %, threshold 57.82 %" in text


def test_lines_of_formatted_text_are_divided_by_the_standard_s_sequence(result: Read) -> None:
    observations = segments(message(result(), text="FT"), "OBX")
    text = next(f[5] for f in observations if f[3].startswith("18782-3"))
    assert "\\.br\\Model: chest-phantom 1.0\\.br\\Findings: Pneumothorax, Lung nodule" in text


def test_why_there_is_no_judgement_is_said(result: Read) -> None:
    observations = segments(message(result(Outcome.ABSTAINED)), "OBX")
    assert any("structure unlike the training images" in fields[5] for fields in observations)
    assert not [fields for fields in observations if fields[2] == "NM"]


def test_delimiters_in_names_are_escaped(result: Read) -> None:
    header = dx_header()
    header.PatientID = "A|B^C&D~E\\F"
    (pid,) = segments(message(result(Outcome.FINDINGS, header)), "PID")
    # The backslash divides values in DICOM; the report keeps the identifier as it is.
    assert pid[3] == "A\\F\\B\\S\\C\\T\\D\\R\\E\\E\\F"


def test_no_control_character_gets_into_a_message() -> None:
    assert escape("one\r\ntwo\x0bthree\x1c") == "one two three"


def test_a_name_is_read_with_prefix_and_suffix_in_their_places() -> None:
    name = "Müller^Eva^Maria^Dr.^MD=Kanji^Name"
    assert person_name(name) == "Müller^Eva^Maria^MD^Dr."


def test_foreign_letters_arrive_in_unicode(result: Read) -> None:
    header = dx_header()
    header.SpecificCharacterSet = "ISO_IR 144"
    header.PatientName = "Фантом^Грудь"
    (pid,) = segments(message(result(Outcome.FINDINGS, header)), "PID")
    assert pid[5] == "Фантом^Грудь"


def test_latin_letters_arrive_in_latin_1(result: Read) -> None:
    header = dx_header()
    header.SpecificCharacterSet = "ISO_IR 100"
    header.PatientName = "Müller^Zoë"
    content = message(result(Outcome.FINDINGS, header), character_set="8859/1")
    (pid,) = segments(content, "PID", "iso-8859-1")
    assert pid[5] == "Müller^Zoë"
    assert segments(content, "MSH", "iso-8859-1")[0][17] == "8859/1"


def test_letters_that_the_character_set_lacks_are_an_error_and_no_question_mark(
    result: Read,
) -> None:
    header = dx_header()
    header.SpecificCharacterSet = "ISO_IR 144"
    header.PatientName = "Фантом^Грудь"
    with pytest.raises(UndeliverableError, match="UNICODE UTF-8") as caught:
        message(result(Outcome.FINDINGS, header), character_set="8859/1")
    assert "Фантом" not in str(caught.value)


def test_a_study_without_patient_or_order_is_valid_too(result: Read) -> None:
    header = dx_header()
    for keyword in ("PatientID", "PatientName", "AccessionNumber", "StudyDate", "StudyTime"):
        setattr(header, keyword, "")
    content = message(result(Outcome.FINDINGS, header))
    (pid,), (obr,) = segments(content, "PID"), segments(content, "OBR")
    assert (pid[3], pid[5]) == ('""', "^^^^^^U")
    assert obr[3] == header.StudyInstanceUID


def test_each_report_of_a_study_is_an_order_of_its_own(result: Read) -> None:
    content = message(result(), result(Outcome.NO_FINDINGS))
    assert [fields[1] for fields in segments(content, "OBR")] == ["1", "2"]
    assert parse_message(content.decode("utf-8")).validate()
