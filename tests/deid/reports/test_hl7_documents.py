# SPDX-License-Identifier: Apache-2.0
"""HL7 messages: escapes, documents in them, and several in one file."""

from __future__ import annotations

import base64

import pytest

from deid.reports import Hl7Report, ReportError, ReportOpener, StudyTexts
from deid.reports.hl7_messages import decoded_message, messages_of
from deid.reports.pdf import PdfReport, set_anew
from deid.text import Kind, KnownTerms

HEADER = "MSH|^~\\&|A|B|C|D|20240101||ORU^R01|1|P|2.5.1"
PATIENT = "PID|1||4711||Fenwick^Marigold||19510204|F"


def message(*segments: str) -> str:
    return "\r".join((HEADER, PATIENT, *segments))


def cleaned(*segments: str) -> str:
    study = StudyTexts()
    study.add_report("one", Hl7Report(message(*segments), ReportOpener().document))
    return study.cleaned(-30).report("one").decode()


def observed(text: str, number: int) -> str:
    """OBX-5 of the message's observation of that number."""
    lines = [line.split("|") for line in text.split("\r") if line.startswith("OBX")]
    return lines[number - 1][5] if len(lines[number - 1]) > 5 else ""


@pytest.mark.parametrize(
    "written",
    [r"seen by Fen\H\wick", r"seen\X0D\Fenwick\X0D0A\called", r"seen by \X46656E7769636B\ ",
     r"seen\.sp+2\Fenwick", r"seen by Fenw\C2842\ick", r"seen\R\Fenwick", "seen~Fenwick"],
)  # fmt: skip
def test_no_escape_hides_a_name(written: str) -> None:
    result = cleaned(f"OBX|1|FT|X||{written}||||||F")
    assert "wick" not in result.lower()
    assert "seen" in result


def test_a_pdf_in_a_message_leaves_as_another_with_its_cleaned_text() -> None:
    data = base64.b64encode(set_anew(["Mrs. Fenwick: liver normal."])).decode()
    result = observed(cleaned(f"OBX|1|ED|X||RIS^Application^PDF^Base64^{data}||||||F"), 1)
    components = result.split("^")
    assert components[:4] == ["", "Application", "PDF", "Base64"]
    text = PdfReport(base64.b64decode(components[4])).texts()["page 1"]
    assert "liver normal" in text
    assert "Fenwick" not in text


def test_a_document_that_is_cut_into_lines_is_one() -> None:
    data = base64.b64encode(b"Mrs. Fenwick was seen. Liver normal.").decode()
    pieces = "~".join((data[:20], data[20:]))
    result = observed(cleaned(f"OBX|1|ED|X||^TEXT^x^Base64^{pieces}||||||F"), 1)
    text = base64.b64decode(result.split("^")[4]).decode()
    assert "Liver normal." in text
    assert "Fenwick" not in text


@pytest.mark.parametrize(
    "field",
    ["http://ris/Fenwick^APP^IM", "^IM^PNG^Base64^iVBORw0KGgoAAAANSUhEUgAA", "^APP^X^Base64^*"],
)
def test_a_picture_or_a_pointer_leaves_empty(field: str) -> None:
    kind = "RP" if field.startswith("http") else "ED"
    assert observed(cleaned(f"OBX|1|{kind}|X||{field}||||||F"), 1) == ""


def test_a_name_over_two_lines_of_a_text_is_found_and_lines_stay_apart() -> None:
    result = cleaned(
        "OBX|1|TX|GDT||Reported by Dr. Ottoline||||||F",
        "OBX|2|TX|GDT||Quillfeather, radiologist.||||||F",
        "OBX|3|TX|GDT||Liver normal.||||||F",
    )
    assert "Quillfeather" not in result
    assert observed(result, 3) == "Liver normal." or "Liver normal." in observed(result, 1)


def test_dates_move_and_people_leave_empty_in_typed_observations() -> None:
    result = cleaned(
        "OBX|1|DT|X||20240315||||||F", "OBX|2|XPN|X||Quillfeather^Ida||||||F",
        "NTE|1||told Quillfeather",
    )  # fmt: skip
    assert observed(result, 1) == "20240214"
    assert "Quillfeather" not in result


def test_a_stream_of_the_lower_layer_is_cut_into_its_messages() -> None:
    framed = "".join(f"\x0b{one}\r\x1c\r" for one in (message(), message("NTE|1||liver")))
    batch = "FHS|^~\\&|A\rBHS|^~\\&|A\r" + message() + "\r" + message() + "\rBTS|2\rFTS|1\r"
    assert len(ReportOpener().reports(framed.encode())) == 2
    assert len(messages_of(batch)) == 2
    with pytest.raises(ReportError, match="several"):
        Hl7Report(message() + "\r" + message())


def test_a_message_is_read_by_the_character_set_that_it_names() -> None:
    text = message("NTE|1||Müller").replace("|2.5.1", "|2.5.1||||||8859/1")
    assert "Müller" in decoded_message(text.encode("latin-1"))
    cyrillic = message("NTE|1||печень").replace("|2.5.1", "|2.5.1||||||8859/5")
    assert "печень" in decoded_message(cyrillic.encode("iso8859-5"))
    assert "UNICODE UTF-8" in cleaned("NTE|1||liver")


def test_a_local_code_that_may_be_a_number_or_name_does_not_leave() -> None:
    result = cleaned("OBX|1|CE|AB4711X9^x^L||QUILLFEATHER^x^99X||||||F", "OBX|2|NM|SIZE^x^L||9|mm")
    assert "4711" not in result
    assert "QUILL" not in result
    assert "SIZE^" in result


@pytest.mark.parametrize("header", ["MSH", "MSH|^~", "MSH|^~\\&".replace("&", "|"), "MSHABCDE|x"])
def test_separators_that_are_none_are_refused(header: str) -> None:
    with pytest.raises(ReportError, match="MSH"):
        Hl7Report(header)


def test_the_patients_stand_in_is_in_the_message() -> None:
    study = StudyTexts()
    study.add_report("one", Hl7Report(message()))
    made = study.cleaned(-30, lambda kind, value: f"{kind.value}-{len(value)}").report("one")
    assert f"PID|1||{Kind.PATIENT_ID.value}-4|" in made.decode()


@pytest.mark.parametrize(
    ("kind", "value"),
    [("NM", "7781234"), ("NM", "7781234.0"), ("NM", "007781234"), ("SN", "=^7781234"),
     ("NM", "19510204"), ("NM", "04021951"), ("SN", "^5^-^7781234")],
)  # fmt: skip
def test_a_number_that_somebody_is_known_by_is_no_measured_value(kind: str, value: str) -> None:
    study = StudyTexts(KnownTerms.of([("PX 778-1234", Kind.PATIENT_ID)]))
    study.add_report("one", Hl7Report(message(f"OBX|1|{kind}|X||{value}||||||F")))
    assert observed(study.cleaned(-30).report("one").decode(), 1) == ""


@pytest.mark.parametrize("value", ["12.5", "77812", "4711", "250000"])
def test_a_measured_value_stays(value: str) -> None:
    study = StudyTexts(KnownTerms.of([("PX 778-1234", Kind.PATIENT_ID)]))
    study.add_report("one", Hl7Report(message(f"OBX|1|NM|X||{value}||||||F")))
    assert observed(study.cleaned(-30).report("one").decode(), 1) == value


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-be"])
def test_a_message_in_utf_16_is_one(codec: str) -> None:
    mark = b"\xfe\xff" if codec == "utf-16-be" else b""
    written = message("OBX|1|TX|X||Liver normal.||||||F").encode(codec)
    (report,) = ReportOpener().reports(mark + written)
    assert isinstance(report, Hl7Report)
    assert report.references.patients == {"4711"}


def test_a_date_of_birth_moves_nowhere_and_no_field_for_counts_holds_a_number() -> None:
    study = StudyTexts(KnownTerms.of([("PX 778-1234", Kind.PATIENT_ID)]))
    lines = ("OBX|1|DT|X|7781234|19510204||||||F", "OBX|2|DT|X|1.2|20240315||||||F")
    study.add_report("one", Hl7Report(message(*lines)))
    left = study.cleaned(-30).report("one").decode()
    assert "7781234" not in left
    assert (observed(left, 1), observed(left, 2)) == ("", "20240214")
    assert "|1.2|" in left
