# SPDX-License-Identifier: Apache-2.0
"""A clinical document (CDA) inside DICOM is built anew from what may leave of it."""

from __future__ import annotations

import base64
import shutil
import subprocess
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest
from pydicom import Dataset, dcmread

from deid import Deidentifier, Option
from deid.dates import shifted_date_time
from deid.policy import Documents
from deid.profile_files import load
from deid.pseudonyms import PatientIdentity, Pseudonyms
from deid.reports.pdf import PdfReport, set_anew
from deid.reports.xml_tree import parsed
from tests.deid.made_scans import KEY, PIPELINE, ROOT, ct, file_of

POLICY = load("basic").policy
V3 = "{urn:hl7-org:v3}"
PSEUDONYMS = Pseudonyms(KEY, POLICY.date_shift_days)
PATIENT = PatientIdentity("", "4711")
BODY = """<structuredBody><component><section>
 <templateId root="2.16.840.1.113883.10.20.6.1.2"/><templateId root="1.2.276.0.76.4711"/>
 <code code="121070" codeSystem="1.2.840.10008.2.16.4" displayName="Findings of Fenwick"/>
 <title>Findings</title>
 <text><paragraph>Mrs. <content ID="fenwick">Fen</content>wick was seen by Dr. Oduya on
   03/15/2024.<br/>No pneumothorax.</paragraph>
  <list><item>Heart of normal size</item><item>told by phone 0171 5551234</item></list>
  <table border="1"><tbody><tr><td colspan="2">Nodule 12 mm</td></tr></tbody></table></text>
 <entry><observation classCode="OBS" moodCode="EVN">
  <id root="1.2.3.4711"/><code code="410668003" codeSystem="2.16.840.1.113883.6.96"/>
  <statusCode code="completed"/><effectiveTime value="20240315"/>
  <value xsi:type="PQ" value="12" unit="mm"/>
  <value xsi:type="ED" mediaType="image/png">RmVud2ljaw==</value>
 </observation></entry>
</section></component></structuredBody>"""
DOCUMENT = f"""<?xml version="1.0" encoding="UTF-8"?>
<?xml-stylesheet href="https://pacs.example.org/fenwick.xsl"?>
<!-- made for Fenwick -->
<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xmlns:sdtc="urn:hl7-org:sdtc" xsi:schemaLocation="urn:hl7-org:v3 fenwick.xsd">
 <realmCode code="US"/><typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
 <templateId root="2.16.840.1.113883.10.20.22.1.5" extension="2015-08-01"/>
 <id root="2.16.840.1.113883.19.4.27" extension="R-58204117"/>
 <code code="18748-4" codeSystem="2.16.840.1.113883.6.1" displayName="Diagnostic Imaging Report"/>
 <title>Report for Marigold Fenwick</title>
 <effectiveTime value="20240315101500-0500"/>
 <confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/>
 <languageCode code="en-US"/>
 <recordTarget><patientRole><id root="2.16.840.1.113883.19.5" extension="4711"/>
  <addr><streetAddressLine>17 Quince Alley</streetAddressLine><city>Elmtown</city></addr>
  <telecom value="tel:(555)555-2003"/>
  <patient><name><given>Marigold</given><family>Fenwick</family></name>
   <administrativeGenderCode code="F" codeSystem="2.16.840.1.113883.5.1"/>
   <birthTime value="19480312"/><sdtc:raceCode code="2106-3"/></patient></patientRole>
 </recordTarget>
 <author><time value="20240315"/><assignedAuthor><id extension="KP00017" root="2.16.840.1.1"/>
  <assignedPerson><name><given>Ada</given><family>Oduya</family></name></assignedPerson>
 </assignedAuthor></author>
 <custodian><assignedCustodian><representedCustodianOrganization><id root="2.16.840.1.4"/>
  <name>Quincebridge Clinic</name></representedCustodianOrganization></assignedCustodian>
 </custodian>
 <inFulfillmentOf><order><id root="2.16.840.1.9" extension="ACC-777"/></order></inFulfillmentOf>
 <documentationOf><serviceEvent classCode="ACT"><id root="{ROOT}.1"/></serviceEvent>
 </documentationOf>
 <component>{BODY}</component>
</ClinicalDocument>"""
PLANTED = (
    "Fenwick", "fenwick", "Marigold", "Oduya", "Quince", "Elmtown", "4711", "58204117", "KP00017",
    "5551234", "555-2003", "19480312", "ACC-777", "2106-3", "pacs.example", "RmVud2ljaw",
    "20240315",
)  # fmt: skip


def encapsulated(document: str, **attributes: object) -> Dataset:
    content = document.encode()
    return ct(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.104.2", MIMETypeOfEncapsulatedDocument="text/XML",
        EncapsulatedDocument=content + b" " * (len(content) % 2),
        EncapsulatedDocumentLength=len(content), AccessionNumber="ACC-777",
        HL7InstanceIdentifier="2.16.840.1.113883.19.4.27^R-58204117", **attributes,
    )  # fmt: skip


def cleaned(dataset: Dataset, options: tuple[Option, ...] = PIPELINE) -> Dataset:
    scan = Deidentifier(KEY, options, POLICY).deidentify(file_of(dataset))
    return dcmread(BytesIO(scan.to_bytes()))


def tree(dataset: Dataset) -> Element:
    content = bytes(dataset.EncapsulatedDocument)[: dataset.EncapsulatedDocumentLength]
    return parsed(content)


def one(root: Element, path: str) -> Element:
    found = root.find(".//" + "/".join(V3 + name for name in path.split("/")))
    assert found is not None
    return found


def words(root: Element) -> str:
    return " ".join("".join(one(root, "section/text").itertext()).split())


def test_no_identifier_of_header_or_narrative_is_left_in_any_byte() -> None:
    left = cleaned(encapsulated(DOCUMENT))
    content = file_of(left)
    assert [word for word in PLANTED if word.encode() in content] == []


def test_the_narrative_keeps_what_medicine_needs_and_its_form() -> None:
    root = tree(cleaned(encapsulated(DOCUMENT)))
    text = words(root)
    for kept in ("No pneumothorax.", "Heart of normal size", "Nodule 12 mm"):
        assert kept in text
    assert len(one(root, "section/text").findall(f"{V3}list/{V3}item")) == 2
    assert one(root, "text/table/tbody/tr/td").get("colspan") == "2"
    shifted = shifted_date_time("20240315", PSEUDONYMS.date_shift(PATIENT))
    assert shifted is not None
    assert f"{shifted[4:6]}/{shifted[6:]}/{shifted[:4]}" in text


def test_identifiers_link_to_the_study_as_those_of_its_images_do() -> None:
    left = cleaned(encapsulated(DOCUMENT))
    root = tree(left)
    assert one(root, "patientRole/id").get("extension") == left.PatientID
    assert one(root, "order/id").get("extension") == PSEUDONYMS.identifier("accession", "ACC-777")
    assert one(root, "serviceEvent/id").get("root") == left.StudyInstanceUID
    own = root.find(f"{V3}id")
    assert own is not None
    assert left.HL7InstanceIdentifier == f"{own.get('root')}^{own.get('extension')}"


def test_times_move_with_the_patient_and_the_birth_date_goes() -> None:
    root = tree(cleaned(encapsulated(DOCUMENT)))
    days = PSEUDONYMS.date_shift(PATIENT)
    time = root.find(f"{V3}effectiveTime")
    assert time is not None
    assert time.get("value") == shifted_date_time("20240315101500-0500", days)
    assert one(root, "patient/birthTime").attrib == {"nullFlavor": "MSK"}
    strict = tree(cleaned(encapsulated(DOCUMENT), ()))
    assert one(strict, "author/time").attrib == {"nullFlavor": "MSK"}


def test_standard_codes_and_measurements_stay_and_their_words_are_the_standards() -> None:
    root = tree(cleaned(encapsulated(DOCUMENT)))
    code = one(root, "section/code")
    assert code.get("code") == "121070"
    assert code.get("displayName") == "Findings"
    value = one(root, "observation/value")
    assert (value.get("value"), value.get("unit")) == ("12", "mm")
    assert [t.get("root") for t in root.iter(f"{V3}templateId")] == [
        "2.16.840.1.113883.10.20.22.1.5", "2.16.840.1.113883.10.20.6.1.2",
    ]  # fmt: skip


def test_the_sex_stays_only_with_the_option_for_it() -> None:
    path = "patient/administrativeGenderCode"
    assert one(tree(cleaned(encapsulated(DOCUMENT))), path).get("code") is None
    kept = tree(cleaned(encapsulated(DOCUMENT), (*PIPELINE, Option.PATIENT_CHARACTERISTICS)))
    assert one(kept, path).get("code") == "F"


@pytest.mark.parametrize("kind", ["text/plain", "application/pdf"])
def test_a_body_of_plain_text_or_pdf_is_cleaned_too(kind: str) -> None:
    said = "Mrs. Fenwick: no pneumothorax."
    content = said.encode() if kind == "text/plain" else set_anew([said])
    encoded = base64.b64encode(content).decode()
    text = f'<text mediaType="{kind}" representation="B64">{encoded}</text>'
    body = f"<nonXMLBody>{text}</nonXMLBody>"
    root = tree(cleaned(encapsulated(DOCUMENT.replace(BODY, body))))
    left = base64.b64decode(one(root, "nonXMLBody/text").text or "")
    read = left.decode() if kind == "text/plain" else PdfReport(left).texts()["page 1"]
    assert "no pneumothorax" in read
    assert "Fenwick" not in read


@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE a [<!ENTITY x "Fenwick">]><ClinicalDocument xmlns="urn:hl7-org:v3"/>',
        "<ClinicalDocument><name>Fenwick</name></ClinicalDocument>",
        "no XML, Fenwick",
        "<a>" * 200 + "</a>" * 200,
    ],
    ids=["document type", "no namespace", "no XML", "deep"],
)
def test_what_is_no_clinical_document_leaves_empty(document: str) -> None:
    left = cleaned(encapsulated(document))
    assert b"Fenwick" not in file_of(left)
    assert len(left.EncapsulatedDocument) < 8


def test_a_site_may_drop_them() -> None:
    policy = replace(POLICY, encapsulated_documents=Documents.DROP)
    with pytest.raises(Exception, match="encapsulated document is dropped"):
        Deidentifier(KEY, PIPELINE, policy).deidentify(file_of(encapsulated(DOCUMENT)))


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed")
def test_cleaning_adds_no_error_of_dciodvfy(tmp_path: Path) -> None:
    def errors(content: bytes) -> set[str]:
        file = tmp_path / "document.dcm"
        file.write_bytes(content)
        done = subprocess.run(["dciodvfy", str(file)], capture_output=True, text=True, check=False)
        return {line for line in done.stderr.splitlines() if line.startswith("Error")}

    dataset = encapsulated(DOCUMENT, Modality="DOC")
    original = file_of(dataset)
    assert errors(file_of(cleaned(dataset))) - errors(original) == set()
