# SPDX-License-Identifier: AGPL-3.0-or-later
"""The small parts that FHIR resources are made of: codes, quantities, references."""

from __future__ import annotations

import re
import uuid
from typing import Any

from plugin.doors.concepts import PRIVATE_SCHEME
from plugin.doors.result import Coded, Patient

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:dicom:uid")

# System URIs of the coding schemes (PS3.16 Table 8-1; HL7 terminology).
SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "LN": "http://loinc.org",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "UMLS": "http://terminology.hl7.org/CodeSystem/umls",
    "UCUM": "http://unitsofmeasure.org",
    PRIVATE_SCHEME: "urn:oid:2.25." + str(uuid.uuid5(_NAMESPACE, PRIVATE_SCHEME).int),
}

AI_ASSERTED: dict[str, Any] = {
    "security": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
            "code": "AIAST",
            "display": "Artificial Intelligence asserted",
        }
    ]
}
REPORT_CATEGORY: dict[str, Any] = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "RAD"}]
}
IMAGING_CATEGORY: dict[str, Any] = {
    "coding": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/observation-category",
            "code": "imaging",
        }
    ]
}

_DAY = re.compile(r"(\d{4})(\d{2})(\d{2})")


def urn(kind: str, uid: str) -> str:
    """The name of a resource inside a Bundle; the same in every Bundle."""
    return f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'{kind} {uid}')}"


def reference(name: str) -> dict[str, str]:
    """A reference to a resource of the same Bundle."""
    return {"reference": name}


def codeable(code: Coded) -> dict[str, Any]:
    """A code as CodeableConcept."""
    coding = {"code": code.value, "display": code.meaning}
    if code.scheme in SYSTEMS:
        coding["system"] = SYSTEMS[code.scheme]
    return {"coding": [coding], "text": code.meaning}


def percentage(value: float) -> dict[str, Any]:
    """Percent as Quantity."""
    return {"value": value, "unit": "%", "system": SYSTEMS["UCUM"], "code": "%"}


def dicom_uid(uid: str) -> dict[str, str]:
    """A DICOM UID as Identifier (FHIR R4, ImagingStudy, notes)."""
    return {"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}


def sop_class(uid: str) -> dict[str, str]:
    """A SOP class as Coding."""
    return {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{uid}"}


def subject(patient: Patient) -> dict[str, Any]:
    """The patient by identifier; in words where the study names none."""
    if not patient.id:
        return {"type": "Patient", "display": "patient of the study, without an identifier"}
    identifier: dict[str, Any] = {"value": patient.id}
    if patient.issuer:
        identifier["assigner"] = {"display": patient.issuer}
    return {"type": "Patient", "identifier": identifier}


def day(date: str) -> str:
    """A DICOM date as FHIR date; empty where it is none."""
    found = _DAY.fullmatch(date)
    return "-".join(found.groups()) if found else ""
