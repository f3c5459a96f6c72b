# SPDX-License-Identifier: Apache-2.0
"""Reports leave without identities, still linked to their study."""

from __future__ import annotations

import hashlib
import io

import pytest
from hl7apy.parser import parse_message
from pypdf import PdfReader
from reportlab.pdfgen.canvas import Canvas

from deid.reports import Hl7Report, LinkIndex, PdfReport, References, ReportError, StudyTexts
from deid.text import Kind, KnownTerms

STUDY = "1.2.840.99.1.20240315.7"
MESSAGE = "\r".join(
    [
        r"MSH|^~\&|RIS|RAVENSCROFT|PACS|X|20240315101500||ORU^R01|MSG0042|P|2.5.1",
        (
            "PID|1||0012345^^^RVN^MR||Fenwick^Marigold^Q||19510204|F|||14 Oak Avenue^^Cork"
            "||555-201-9988"
        ),
        "PV1|1|O|||||8812^Okonjo^Tamsin",
        "OBR|1|PL7781|A-00815|71260^CT CHEST^CPT|||20240315093000|||||||||8812^Okonjo^Tamsin",
        (
            "OBX|1|TX|GDT||"
            "Mrs. Fenwick was seen on 15 March 2024\\.br\\Nodule 9 mm \\T\\ stable||||||F"
        ),
        "OBX|2|NM|SIZE||9|mm|||||F",
        "NTE|1||Dr. Okonjo asked for MRN 12345",
        f"ZDS|{STUDY}^RIS^Application^DICOM",
        "Z99|Fenwick",
    ]
)


def stand_in(kind: Kind, value: str) -> str:
    return hashlib.blake2b(f"{kind}{value}".encode(), key=b"k" * 32, digest_size=8).hexdigest()


def cleaned_message() -> str:
    study = StudyTexts()
    study.add_report("report", Hl7Report(MESSAGE))
    return study.cleaned(-100, stand_in).report("report").decode()


def pdf_of(*lines: str) -> bytes:
    file = io.BytesIO()
    canvas = Canvas(file)
    canvas.setAuthor("Okonjo")
    for number, line in enumerate(lines):
        canvas.drawString(72, 700 - 20 * number, line)
    canvas.save()
    return file.getvalue()


@pytest.mark.parametrize(
    "gone",
    ["Fenwick", "Marigold", "Okonjo", "12345", "00815", "PL7781", "8812", "Oak", "555", "1951",
     "RAVENSCROFT", "20240315", "March", "Z99"],
)  # fmt: skip
def test_nothing_that_identifies_leaves_in_a_message(gone: str) -> None:
    assert gone not in cleaned_message()


def test_a_cleaned_message_is_one_and_keeps_findings_and_numbers() -> None:
    message = cleaned_message()
    parsed = parse_message(message, find_groups=False)
    assert parsed.msh.msh_9.to_er7() == "ORU^R01"
    assert r"06 December 2023\.br\Nodule 9 mm \T\ stable" in message
    assert "OBX|2|NM|SIZE||9|mm|||||F" in message
    assert "71260^CT CHEST^CPT" in message
    assert "20231206093000" in message


def test_a_report_finds_its_study_by_stand_ins_alone() -> None:
    index = LinkIndex()
    links = References(frozenset({"0012345"}), frozenset({"a 00815"}), frozenset())
    other = References(frozenset({"0012345"}), frozenset({"A-00999"}), frozenset())
    index.add_study("study", links.hashed(stand_in))
    index.add_study("other study", other.hashed(stand_in))
    index.add_report("report", Hl7Report(MESSAGE).references.hashed(stand_in))
    by_number = References(accessions=Hl7Report(MESSAGE).references.accessions).hashed(stand_in)
    assert index.studies_of(by_number) == {"study"}
    assert index.reports_of(links.hashed(stand_in)) == {"report"}
    assert index.reports_of(other.hashed(stand_in)) == frozenset()


def test_the_study_uid_of_a_report_is_a_reference() -> None:
    assert Hl7Report(MESSAGE).references.studies == {STUDY}


def test_a_name_in_the_report_is_found_in_the_images_and_the_other_way_round() -> None:
    study = StudyTexts(KnownTerms.of([("Wexcombe^Ida", Kind.PATIENT_NAME)]))
    study.add_plain("report", "Referring physician: Tamsin Okonjo. Ida had no pain.")
    study.add_header("ct", {"00204000": "thin slices for okonjo"})
    study.add_pixels("us", {"line 1": "WEXCOMBE  Okonjo  Lt kidney 11.2 cm"})
    texts = study.cleaned().texts
    assert texts["ct"]["00204000"].text == "thin slices for %PHYSICIAN NAME%"
    assert "okonjo" not in texts["us"]["line 1"].text.lower()
    assert texts["us"]["line 1"].text.endswith("Lt kidney 11.2 cm")
    assert "Ida" not in texts["report"][""].text


def test_a_pdf_leaves_as_another_with_its_cleaned_text_and_nothing_else() -> None:
    study = StudyTexts()
    content = pdf_of("Patient: Marigold Fenwick", "Nodule of 9 mm in the lingula.")
    study.add_report("report", PdfReport(content))
    result = study.cleaned().pdf("report")
    text = PdfReader(io.BytesIO(result)).pages[0].extract_text()
    assert "Nodule of 9 mm in the lingula." in text
    assert "%PATIENT NAME%" in text
    assert b"Okonjo" not in result


def test_a_pdf_in_other_scripts_keeps_its_letters() -> None:
    study = StudyTexts()
    study.add_plain("report", "双肺纹理清晰")
    result = study.cleaned().pdf("report")
    assert "双肺纹理清晰" in PdfReader(io.BytesIO(result)).pages[0].extract_text()


@pytest.mark.parametrize("content", [b"", b"%PDF-1.4 broken", b"no pdf at all"])
def test_what_is_no_pdf_is_refused_without_a_quote(content: bytes) -> None:
    with pytest.raises(ReportError, match="PDF"):
        PdfReport(content)


def test_a_message_without_header_is_refused() -> None:
    with pytest.raises(ReportError, match="MSH"):
        Hl7Report("PID|1||4711")


def test_names_in_coded_entries_and_fields_of_closed_sets_do_not_leave() -> None:
    segments = (
        "MSH|^~\\&|A|B|C|D|20240101||ORU^R01|1|P|2.5.1",
        "PID|1||4711||Quillfeather^Ottoline||19500101|Quillfeather",
        "OBR|1|||71260^CT of Ottoline Quillfeather^CPT|||20240101||||||||||||||||||Quillfeather",
        "OBX|1|CE|18748-4^Report on Quillfeather^LN|Quillfeather|RID1243^nodule, Dr. Oakhollow^RADLEX",  # noqa: E501
        "OBX|2|CWE|X||Oakhollow^^^^^^^^seen by Dr. Oakhollow||||||F",
        "OBX|3|NM|SIZE||Quillfeather|mm|||||F",
        "OBX|4|SN|SIZE||>^12^-^15|mm|||||F",
        "OBX|5|IS|X||Quillfeather||||||F",
    )  # fmt: skip
    study = StudyTexts()
    study.add_report("one", Hl7Report("\r".join(segments)))
    message = study.cleaned(-30).report("one").decode()
    assert "Quillfeather" not in message
    assert "Ottoline" not in message
    assert "Oakhollow" not in message
    assert "RID1243^nodule, Dr. %PHYSICIAN NAME%^RADLEX" in message
    assert "71260^CT of" in message
    assert "|18748-4^Report on %PATIENT NAME%^LN|" in message
    assert "|>^12^-^15|mm|" in message
