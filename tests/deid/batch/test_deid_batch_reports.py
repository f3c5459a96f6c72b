# SPDX-License-Identifier: Apache-2.0
"""Reports are cleaned with the studies that they belong to."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pypdf import PdfReader

from deid import DeidentificationKey, Deidentifier
from deid.reports.pdf import set_anew
from tests.deid.batch.test_deid_batch import run
from tests.deid.made_scans import ROOT, ct, file_of
from tests.deid.test_deid_reports import pdf_of

PROFILE = """
options = ["clean-descriptors", "modified-dates"]
free_text = "detected"
"""
HL7 = "\r".join(
    [
        r"MSH|^~\&|RIS|X|PACS|X|20240315101500||ORU^R01|1|P|2.5.1",
        "PID|1||47-11-0815^^^X^MR||Fenwick^Marigold||19510204|F",
        "OBR|1||A 00815|71260^CT CHEST^CPT|||20240315093000|||||||||8812^Okonjo^Tamsin",
        "OBX|1|TX|GDT||Mrs. Fenwick and her daughter Ottoline Brax. Nodule 9 mm stable||||||F",
    ]
)
TEXT = "Accession A-00815.\nReported by Dr. Tamsin Okonjo on 15 March 2024: no effusion.\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Two patients with a study each, and reports."""
    for number, (name, patient, accession) in enumerate(
        [("Fenwick^Marigold", "47110815", "A-00815"), ("Lund^Sten", "5500123", "B-77201")]
    ):
        dataset = ct(
            PatientName=name,
            PatientID=patient,
            AccessionNumber=accession,
            StudyInstanceUID=f"{ROOT}.{number}.1",
            SeriesInstanceUID=f"{ROOT}.{number}.2",
            SOPInstanceUID=f"{ROOT}.{number}.3",
            StudyDate="20240315",
            SeriesDescription="CHEST Brax okonjo",
            ImageComments="liver seen, called Ottoline",
        )
        file = tmp_path / "in" / f"{number}.dcm"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(file_of(dataset))
    (tmp_path / "reports" / "more").mkdir(parents=True)
    (tmp_path / "site.toml").write_text(PROFILE, encoding="utf-8")
    return tmp_path


def cleaned(site: Path, code: int = 0) -> tuple[dict[str, bytes], dict[str, dict[str, list[str]]]]:
    result = run(
        site / "in", site / "out", "--key-file", site / "key", "--profile", site / "site.toml",
        "--reports", site / "reports",
    )  # fmt: skip
    assert result.exit_code == code, result.output
    folder = site / "out" / "reports"
    links = json.loads((folder / "links.json").read_text())
    return {f.name: f.read_bytes() for f in folder.iterdir() if f.name != "links.json"}, links


def images(site: Path) -> dict[str, Dataset]:
    """By new patient."""
    found = [dcmread(file) for file in (site / "out").rglob("*.dcm")]
    return {str(one.AccessionNumber): one for one in found}


def put(site: Path, name: str, content: str | bytes) -> None:
    data = content.encode() if isinstance(content, str) else content
    (site / "reports" / name).write_bytes(data)


def test_a_message_has_the_stand_ins_of_the_images_and_a_link_both_ways(site: Path) -> None:
    put(site, "Fenwick.hl7", HL7)
    reports, links = cleaned(site)
    ((name, content),) = reports.items()
    segments = {line.split("|")[0]: line.split("|") for line in content.decode().split("\r")}
    image = images(site)[segments["OBR"][3]]
    assert segments["PID"][3] == image.PatientID
    assert segments["OBR"][7][:8] == image.StudyDate
    assert links == {
        "reports": {name: [image.StudyInstanceUID]},
        "studies": {image.StudyInstanceUID: [name]},
    }
    assert b"Fenwick" not in content
    assert b"Nodule 9 mm stable" in content
    assert "Fenwick" not in name


def test_a_report_of_another_study_of_a_patient_is_cleaned_as_the_patients(site: Path) -> None:
    put(site, "earlier.hl7", HL7.replace("A 00815", "Z 99123"))
    reports, links = cleaned(site)
    ((name, content),) = reports.items()
    image = next(one for one in images(site).values() if one.StudyInstanceUID in own_study(site))
    segments = {line.split("|")[0]: line.split("|") for line in content.decode().split("\r")}
    assert segments["PID"][3] == image.PatientID
    assert segments["OBR"][7][:8] == image.StudyDate
    assert links == {"reports": {name: []}, "studies": {}}
    assert "Brax" not in " ".join(str(element.value) for element in image)


def test_an_accession_number_that_is_the_placers_order_number_links(site: Path) -> None:
    put(site, "placer.hl7", HL7.replace("|1||A 00815|", "|1|A 00815|F-1773|"))
    reports, links = cleaned(site)
    assert links["studies"] == {own_study(site): list(reports)}


def own_study(site: Path) -> str:
    key = DeidentificationKey.from_file(site / "key", create=False)
    return Deidentifier(key).uid(f"{ROOT}.0.1")


def test_an_accession_number_beside_an_order_number_keeps_its_stand_in(site: Path) -> None:
    fields = HL7.replace("|1||A 00815|", "|1||F-1773|").split("\r")
    fields[2] += "||A 00815"
    put(site, "order.hl7", "\r".join(fields))
    ((_, content),) = cleaned(site)[0].items()
    segments = {line.split("|")[0]: line.split("|") for line in content.decode().split("\r")}
    assert segments["OBR"][18] in images(site)


def test_what_a_report_reveals_is_gone_from_the_images_of_its_patient_alone(site: Path) -> None:
    put(site, "one.hl7", HL7)
    _, links = cleaned(site)
    (linked,) = links["studies"]
    told = {
        one.StudyInstanceUID == linked: " ".join(str(element.value) for element in one)
        for one in images(site).values()
    }
    for name in ("Brax", "okonjo", "Ottoline"):
        assert name not in told[True]
    assert "CHEST" in told[True]
    assert "liver" in told[True]
    # The other patient's texts are read without this report.
    assert "okonjo" in told[False].lower()


def test_a_text_is_found_by_the_accession_number_in_it(site: Path) -> None:
    put(site, "more/note.txt", TEXT)
    reports, links = cleaned(site)
    ((name, content),) = reports.items()
    (study,) = links["reports"][name]
    (image,) = [one for one in images(site).values() if one.StudyInstanceUID == study]
    text = content.decode()
    assert image.AccessionNumber in text
    assert "%PHYSICIAN NAME%" in text
    assert "no effusion" in text
    assert "Okonjo" not in text
    shifted = f"{image.StudyDate[6:]}".lstrip("0")
    assert f"{shifted} " in text
    assert "15 March 2024" not in text


def test_names_of_the_header_are_gone_from_a_pdf(site: Path) -> None:
    put(site, "scan.pdf", pdf_of("Accession A-00815", "Marigold was well, LUND not named", "liver"))
    reports, links = cleaned(site)
    ((name, content),) = reports.items()
    assert len(links["reports"][name]) == 1
    text = PdfReader(io.BytesIO(content)).pages[0].extract_text()
    assert "Marigold" not in text
    assert "liver" in text


def test_a_report_of_nobody_here_is_cleaned_and_linked_to_nothing(site: Path) -> None:
    put(site, "other.txt", "MRN 990017: Mr. Aldous Quill, seen 15.03.2024, liver normal")
    reports, links = cleaned(site)
    ((name, content),) = reports.items()
    assert links == {"reports": {name: []}, "studies": {}}
    assert b"Quill" not in content
    assert b"%DATE%" in content
    assert b"liver normal" in content


def test_a_report_that_names_two_patients_is_nobodys(site: Path) -> None:
    put(site, "both.txt", "Accessions A-00815 and B-77201 compared: liver normal")
    _, links = cleaned(site)
    assert list(links["reports"].values()) == [[]]


def test_a_refused_report_is_counted_and_ends_with_status_1(site: Path) -> None:
    put(site, "broken.pdf", b"%PDF-1.7 nothing")
    put(site, "good.txt", TEXT)
    reports, _ = cleaned(site, code=1)
    assert [Path(name).suffix for name in reports] == [".txt"]


def test_a_report_that_is_added_later_has_its_patients_images_done_again(site: Path) -> None:
    cleaned(site)
    before = {file: file.stat().st_mtime_ns for file in (site / "out").rglob("*.dcm")}
    put(site, "one.hl7", HL7)
    _, links = cleaned(site)
    (study,) = links["studies"]
    again = {
        file.parent.parent.name for file, then in before.items() if file.stat().st_mtime_ns != then
    }
    assert again == {study}


def test_the_same_reports_give_the_same_bytes(site: Path) -> None:
    put(site, "one.hl7", HL7)
    put(site, "two.pdf", set_anew(["Accession A-00815 liver"]))
    assert cleaned(site) == cleaned(site)


def test_a_folder_of_reports_of_every_kind_is_cleaned_and_linked_both_ways(site: Path) -> None:
    other = HL7.replace("47-11-0815", "5500123").replace("A 00815", "B77201")
    put(site, "stream.hl7", "".join(f"\x0b{one}\r\x1c\r" for one in (HL7, other)))
    resource = {
        "resourceType": "DiagnosticReport", "status": "final", "code": {"text": "CT"},
        "identifier": [{"value": "A-00815"}], "conclusion": "Mrs. Fenwick: liver normal.",
        "subject": {"identifier": {"value": "47110815"}, "display": "Marigold Fenwick"},
    }  # fmt: skip
    put(site, "one.json", json.dumps(resource))
    put(
        site,
        "two.xml",
        '<DiagnosticReport xmlns="http://hl7.org/fhir"><identifier><value value="B-77201"/>'
        '</identifier><status value="final"/><conclusion value="Sten Lund: liver normal."/>'
        "</DiagnosticReport>",
    )
    put(site, "three.rtf", r"{\rtf1 Accession A-00815\par Marigold: liver normal.\par}")
    put(site, "four.html", "<html><p>Accession B-77201</p><p>Lund: liver normal.</p></html>")
    put(site, "five.pdf", set_anew(["Accession A-00815", "Marigold: liver normal."]))
    put(site, "six.txt", TEXT)
    put(site, "notes.bin", b"\0\1\2")
    reports, links = cleaned(site)
    assert sorted(Path(name).suffix for name in reports) == sorted(
        (".hl7", ".hl7", ".json", ".xml", ".txt", ".txt", ".pdf", ".txt")
    )
    assert sorted(len(names) for names in links["studies"].values()) == [3, 5]
    assert all(len(studies) == 1 for studies in links["reports"].values())
    for content in reports.values():
        told = content
        if content.startswith(b"%PDF"):
            told = PdfReader(io.BytesIO(content)).pages[0].extract_text().encode()
        for name in (b"Fenwick", b"Marigold", b"Lund", b"00815", b"77201"):
            assert name not in told
    (fhir,) = [json.loads(data) for name, data in reports.items() if name.endswith(".json")]
    (image,) = [
        one
        for one in images(site).values()
        if one.PatientID == fhir["subject"]["identifier"]["value"]
    ]
    assert fhir["identifier"][0]["value"] == image.AccessionNumber


@pytest.mark.parametrize(
    "content",
    [b"\xd0\xcf\x11\xe0 Word", b"PK\x03\x04 no archive", b'<x xmlns="http://y"/>', b'{"a": 1}'],
)
def test_a_report_of_a_kind_that_is_not_cleaned_is_refused(site: Path, content: bytes) -> None:
    put(site, "report.doc", content)
    reports, _ = cleaned(site, code=1)
    assert reports == {}


def test_a_report_that_can_not_be_read_is_counted_without_its_name(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(site, "Fenwick.hl7", HL7)
    put(site, "text.txt", TEXT)
    whole = Path.read_bytes

    def refusing(path: Path) -> bytes:
        if path.name == "Fenwick.hl7":
            raise PermissionError(13, "Permission denied", str(path))
        return whole(path)

    monkeypatch.setattr(Path, "read_bytes", refusing)
    result = run(
        site / "in", site / "out", "--key-file", site / "key", "--reports", site / "reports"
    )
    assert result.exit_code == 1
    assert "1 x can't read the file: Permission denied" in result.output
    assert "Fenwick" not in result.output
