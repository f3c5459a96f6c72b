# SPDX-License-Identifier: Apache-2.0
"""FHIR reports leave without identities, valid, and still linked."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle

from deid.reports import FhirReport, ReportError, ReportOpener, StudyTexts
from deid.reports.fhir.tree import Node, from_json, from_xml, walk
from deid.reports.plain import text_of_html
from deid.text import Kind, KnownTerms
from tests.deid.reports.test_planted_reports import stand_in

STUDY = "1.2.840.99.1.20240315.7"
BUNDLE: dict[str, Any] = {
    "resourceType": "Bundle", "type": "collection",
    "entry": [
        {"fullUrl": "http://ris.example/fhir/DiagnosticReport/r1", "resource": {
            "resourceType": "DiagnosticReport", "id": "r1", "status": "final",
            "extension": [{"url": "http://x", "valueString": "Fenwick"}],
            "text": {"status": "generated", "div":
                     '<div xmlns="http://www.w3.org/1999/xhtml"><p>Mrs. Fenwick</p>'
                     "<table><tr><td>Liver</td><td>normal</td></tr></table></div>"},
            "identifier": [{"type": {"coding": [{"system":
                            "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN"}]},
                            "value": "A-00815"}],
            "code": {"coding": [{"system": "http://loinc.org", "code": "24627-2",
                                 "display": "CT Chest"}], "text": "CT of Marigold Fenwick"},
            "subject": {"reference": "Patient/p1", "display": "Fenwick, Marigold"},
            "effectiveDateTime": "2024-03-15T10:20:30+01:00", "issued": "2024-03-15T12:00:00Z",
            "resultsInterpreter": [{"display": "Dr. Tamsin Okonjo"}],
            "conclusion": "Nodule 9 mm stable. Discussed with okonjo.",
            "presentedForm": [{"contentType": "text/html", "data": base64.b64encode(
                b"<p>Marigold: lungs clear</p>").decode(), "size": 28, "hash": "Zm9v"}],
        }},
        {"fullUrl": "http://ris.example/fhir/Patient/p1", "resource": {
            "resourceType": "Patient", "id": "p1", "birthDate": "1951-02-04", "gender": "female",
            "identifier": [{"system": "http://mrn.example", "value": "47-11"}],
            "name": [{"family": "Fenwick", "given": ["Marigold"]}]}},
        {"resource": {
            "resourceType": "ImagingStudy", "id": "s1", "status": "available",
            "subject": {"reference": "Patient/p1"}, "numberOfInstances": 120,
            "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{STUDY}"}],
            "series": [{"uid": f"{STUDY}.1", "modality": {"system":
                        "http://dicom.nema.org/resources/ontology/DCM", "code": "CT"},
                        "instance": [{"uid": f"{STUDY}.1.1", "sopClass": {
                            "system": "urn:ietf:rfc:3986",
                            "code": "urn:oid:1.2.840.10008.5.1.4.1.1.2"}}]}]}},
        {"resource": {
            "resourceType": "Observation", "status": "final",
            "code": {"text": "Nodule"}, "valueQuantity": {
                "value": 9.50, "unit": "mm", "system": "http://unitsofmeasure.org", "code": "mm"}}},
        {"resource": {"resourceType": "Organization", "name": "Ravenscroft Clinic"}},
    ],
}  # fmt: skip


def opened(content: bytes) -> FhirReport:
    (report,) = ReportOpener().reports(content)
    assert isinstance(report, FhirReport)
    return report


def cleaned(content: bytes) -> bytes:
    study = StudyTexts()
    study.add_report("one", opened(content))
    return study.cleaned(-30, stand_in).report("one")


def as_json() -> bytes:
    return json.dumps(BUNDLE).encode()


def as_xml() -> bytes:
    """The same bundle."""
    return f'<Bundle xmlns="http://hl7.org/fhir">{_inside(BUNDLE)}</Bundle>'.encode()


def _inside(node: dict[str, Any]) -> str:
    return "".join(
        _element(name, value)
        for name, values in node.items()
        for value in (values if isinstance(values, list) else [values])
        if name != "resourceType"
    )


def _element(name: str, value: Any) -> str:
    if name == "div":
        return str(value)
    if not isinstance(value, dict):
        return f'<{name} value="{value}"/>'
    kind = value.get("resourceType")
    inside = _inside(value)
    return f"<{name}>{f'<{kind}>{inside}</{kind}>' if kind else inside}</{name}>"


def resources(content: bytes) -> dict[str, dict[str, Any]]:
    return {e["resource"]["resourceType"]: e["resource"] for e in json.loads(content)["entry"]}


@pytest.mark.parametrize("content", [as_json(), as_xml()], ids=["json", "xml"])
@pytest.mark.parametrize(
    "gone",
    ["Fenwick", "Marigold", "konjo", "00815", "47-11", "1951", "Ravenscroft", "ris.example",
     "mrn.example", "2024-03-15", STUDY, "p1\"", "Zm9v"],
)  # fmt: skip
def test_nothing_that_identifies_leaves(content: bytes, gone: str) -> None:
    assert gone not in cleaned(content).decode()


def test_findings_codes_and_numbers_stay() -> None:
    found = resources(cleaned(as_json()))
    report = found["DiagnosticReport"]
    assert report["conclusion"].startswith("Nodule 9 mm stable.")
    assert report["code"]["coding"][0]["code"] == "24627-2"
    assert "normal" in report["text"]["div"]
    assert report["effectiveDateTime"] == "2024-02-14T10:20:30+01:00"
    assert "lungs clear" in base64.b64decode(report["presentedForm"][0]["data"]).decode()
    assert found["ImagingStudy"]["numberOfInstances"] == 120
    assert found["Observation"]["valueQuantity"]["value"] == 9.5
    assert found["Observation"]["valueQuantity"]["code"] == "mm"


def test_references_resolve_and_identifiers_are_those_of_the_images() -> None:
    made = cleaned(as_json())
    found = resources(made)
    patient = f"Patient/{found['Patient']['id']}"
    assert found["DiagnosticReport"]["subject"]["reference"] == patient
    assert found["ImagingStudy"]["subject"]["reference"] == patient
    assert json.loads(made)["entry"][1]["fullUrl"].endswith(patient)
    uid = stand_in(Kind.UID, STUDY)
    assert found["ImagingStudy"]["identifier"][0]["value"] == f"urn:oid:{uid}"
    accession = found["DiagnosticReport"]["identifier"][0]
    assert accession["value"] == stand_in(Kind.ACCESSION_NUMBER, "A00815")
    assert found["Patient"]["identifier"][0]["value"] == stand_in(Kind.PATIENT_ID, "4711")


def test_what_leaves_is_valid_fhir() -> None:
    Bundle.model_validate_json(cleaned(as_json()))


def test_xml_and_json_say_the_same() -> None:
    one, other = (
        _with_words(tree) for tree in (from_xml(cleaned(as_xml())), from_json(cleaned(as_json())))
    )
    assert one == other


def _with_words(tree: Node) -> Node:
    """Narratives as their words: XML is free in how it declares their namespace."""
    for _, node in walk(tree):
        if "div" in node:
            node["div"] = [text_of_html(div) for div in node["div"]]
    return tree


def test_the_links_of_a_report_are_read() -> None:
    references = opened(as_json()).references
    assert references.patients == {"47-11"}
    assert references.accessions == {"A-00815"}
    assert references.studies == {STUDY}


@pytest.mark.parametrize(
    "content",
    [b'{"resourceType": "Patient"}', b'{"resourceType": 5}', b'{"resourceType"',
     b'<Patient xmlns="http://hl7.org/fhir"/>', b'{"a": 1}', b'<a xmlns="http://x"/>',
     b'<!DOCTYPE a [<!ENTITY b "c">]><DiagnosticReport xmlns="http://hl7.org/fhir"/>',
     b'{"resourceType":"Bundle","entry":' + b"[" * 5000 + b"]" * 5000 + b"}"],
)  # fmt: skip
def test_what_is_no_report_is_refused(content: bytes) -> None:
    with pytest.raises(ReportError):
        ReportOpener().reports(content)


def test_a_quantity_that_somebody_is_known_by_leaves_without_its_number() -> None:
    observation = {"resourceType": "Observation", "status": "final", "code": {"text": "Nodule"}}
    known = KnownTerms.of([("PX 778-1234", Kind.PATIENT_ID)])
    for number, stays in ((7781234, False), (9.5, True)):
        study = StudyTexts(known)
        whole = observation | {"valueQuantity": {"value": number, "unit": "mm"}}
        study.add_report("one", opened(json.dumps(whole).encode()))
        left = json.loads(study.cleaned(-30, stand_in).report("one"))
        assert left.get("valueQuantity", {}).get("value") == (number if stays else None)
