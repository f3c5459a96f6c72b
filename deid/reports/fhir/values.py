# SPDX-License-Identifier: Apache-2.0
"""Codes, identifiers, references, dates and numbers of FHIR as they may leave."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from deid.codes import has_form_of, standard_meanings
from deid.dates import shifted_date
from deid.pseudonyms import is_registered
from deid.reports.fhir.people import is_accession, texts
from deid.reports.fhir.schema import CODES, RESOURCES
from deid.reports.fhir.tree import Node
from deid.reports.known_numbers import tells_a_known_number
from deid.reports.linking import normalized
from deid.reports.report import Cleaning
from deid.text import Kind

_SCHEMES = {
    "http://loinc.org": "LN", "http://snomed.info/sct": "SCT", "http://unitsofmeasure.org": "UCUM",
    "http://dicom.nema.org/resources/ontology/DCM": "DCM", "http://radlex.org": "RADLEX",
    "http://www.radlex.org": "RADLEX", "http://hl7.org/fhir/sid/icd-10": "I10",
    "http://hl7.org/fhir/sid/icd-10-cm": "I10C", "http://www.ama-assn.org/go/cpt": "C4",
    "http://hl7.org/fhir/sid/icd-9-cm": "I9C", "http://terminology.hl7.org/CodeSystem/umls": "UMLS",
}  # fmt: skip
_HL7 = re.compile(r"http://(?:terminology\.hl7\.org/CodeSystem|hl7\.org/fhir)/[A-Za-z0-9\-]{1,48}")
_HL7_CODE = re.compile(r"[A-Z]{1,4}|[a-z]{2,5}", re.ASCII)
_HL7_WORDS = frozenset(
    str.split("imaging laboratory exam procedure survey vital-signs therapy activity clinical-note")
)
_DICOM_UID, _URI = "urn:dicom:uid", "urn:ietf:rfc:3986"
_DATE_TIME = re.compile(
    r"(\d{4}(?:-\d{2}(?:-\d{2})?)?)(T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})?)?",
    re.ASCII,
)
_NUMBER = re.compile(r"-?\d{1,9}(?:\.\d{1,9})?(?:[eE][+-]?\d{1,2})?", re.ASCII)
_LONG = 5
_LANGUAGE = re.compile(r"[a-z]{2}(?:-[A-Z]{2})?", re.ASCII)
_BASE = "https://de-identified.invalid/fhir"
"""Of addresses of resources, which names no site (RFC 2606)."""
_PSEUDONYMIZED = {
    "system": ["http://terminology.hl7.org/CodeSystem/v3-ObservationValue"], "code": ["PSEUDED"],
}  # fmt: skip


class FhirValues:
    """Makes values fit to leave; ``None`` for what may not.

    Parameters
    ----------
    cleaning:
        Of the report.
    """

    def __init__(self, cleaning: Cleaning) -> None:
        self._cleaning = cleaning
        self._numbers = {normalized(term.value) for term in cleaning.known.terms}

    def primitive(self, kind: str, value: str) -> str | None:
        """A value of one of the simple types."""
        if kind in ("number", "decimal"):
            return value if self._is_measured(value) else None
        makers = {
            "code": lambda: value if value in CODES else None,
            "boolean": lambda: value if value in ("true", "false") else None,
            "language": lambda: value if _LANGUAGE.fullmatch(value) else None,
            "date": lambda: self._date(value),
            "uid": lambda: self._uid(value),
            "id": lambda: self._id(value),
            "url": lambda: self._url(value),
            "reference": lambda: self._reference(value),
        }
        return makers[kind]()

    @staticmethod
    def meta() -> Node:
        """That the resource was pseudonymized (HL7 v3 ObservationValue)."""
        return {"tag": [dict(_PSEUDONYMIZED)]}

    def identifier(self, node: Node, resource: str) -> Node | None:
        """With the stand-in that the images have; any other is a number of its own."""
        value = next(iter(texts(node, "value")), "").strip()
        system = next(iter(texts(node, "system")), "")
        made: Node = {}
        if value.startswith("urn:oid:"):
            uid = self._uid(value.removeprefix("urn:oid:"))
            kept = [_DICOM_UID if system == _DICOM_UID else _URI]
            return {"system": kept, "value": [f"urn:oid:{uid}"]} if uid else None
        kind = Kind.PATIENT_ID if resource == "Patient" else Kind.ACCESSION_NUMBER
        stand_in = self._cleaning.stand_in(kind, normalized(value)) if value else ""
        if not stand_in and value:
            stand_in = self._cleaning.stand_in(Kind.UID, f"{resource} {system} {value}")
        if is_accession(node):
            made["type"] = [{"coding": [
                {"system": ["http://terminology.hl7.org/CodeSystem/v2-0203"], "code": ["ACSN"]}
            ]}]  # fmt: skip
        return made | {"value": [stand_in]} if stand_in else None

    def coding(self, node: Node, display: str) -> Node | None:
        """A code of a standard scheme; of another only the cleaned words."""
        system = next(iter(texts(node, "system")), "")
        code = next(iter(texts(node, "code")), "").strip()
        if system == _URI:
            uid = code.removeprefix("urn:oid:")
            return {"system": [_URI], "code": [f"urn:oid:{uid}"]} if is_registered(uid) else None
        made: Node = {}
        if self._is_code(system, code):
            made = {"system": [system], "code": [code]}
            display = standard_meanings().get((_SCHEMES.get(system, ""), code), display)
        return made | {"display": [display]} if display else made or None

    def quantity(self, node: Node, unit: str) -> Node | None:
        """A number and its unit."""
        value = next(iter(texts(node, "value")), "")
        if not self._is_measured(value):
            return None
        made: Node = {"value": [value]}
        comparator = next(iter(texts(node, "comparator")), "")
        if comparator in CODES:
            made["comparator"] = [comparator]
        if unit:
            made["unit"] = [unit]
        return made | (self.coding(node, "") or {})

    def _is_code(self, system: str, code: str) -> bool:
        if not code or not self._is_free(code):
            return False
        scheme = _SCHEMES.get(system)
        if scheme is not None:
            return (scheme, code) in standard_meanings() or has_form_of(scheme, code)
        words = code in _HL7_WORDS or _HL7_CODE.fullmatch(code) is not None
        return _HL7.fullmatch(system) is not None and words

    def _is_free(self, value: str) -> bool:
        """Whether it is none of the values that are known."""
        told = normalized(value)
        names = {name.upper() for name in self._cleaning.names}
        return told not in names and (len(told) < _LONG or told not in self._numbers)

    def _is_measured(self, value: str) -> bool:
        """Whether it is a number, and none that somebody is known by."""
        if _NUMBER.fullmatch(value) is None or not self._is_free(value):
            return False
        return not tells_a_known_number(value, self._cleaning.known)

    def _date(self, value: str) -> str | None:
        """Shifted; time of day and zone stay."""
        match = _DATE_TIME.fullmatch(value.strip())
        if match is None or self._cleaning.days is None:
            return None
        moved = shifted_date(match[1].replace("-", ""), self._cleaning.days)
        if moved is None:
            return None
        parts = [moved[:4], moved[4:6], moved[6:8]]
        return "-".join(part for part in parts if part) + (match[2] or "")

    def _uid(self, value: str) -> str | None:
        if is_registered(value):
            return value
        return self._cleaning.stand_in(Kind.UID, value.strip()) or None

    def _id(self, value: str) -> str | None:
        """Equal ones stay equal, so that references resolve; 64 letters at most."""
        return self._cleaning.stand_in(Kind.UID, f"fhir {value}")[:64] or None

    def _url(self, value: str) -> str | None:
        """The address of a resource in a bundle."""
        made = self._reference(value)
        return made if made is None or made.startswith("urn:") else f"{_BASE}/{made}"

    def _reference(self, value: str) -> str | None:
        if value.startswith("urn:"):
            made = self._id(value)
            return made and f"urn:oid:{made}"
        if value.startswith("#"):
            made = self._id(value[1:])
            return made and f"#{made}"
        parts = [part for part in urlsplit(value).path.split("/") if part]
        if "_history" in parts:
            parts = parts[: parts.index("_history")]
        kind = parts[-2] if len(parts) > 1 else ""
        made = self._id(parts[-1]) if kind in RESOURCES or kind in CODES else None
        return made and f"{kind}/{made}"


def subject_or(resource: str, name: str) -> str:
    """Whose identifier it is: that of a reference to the patient counts as the patient's."""
    return "Patient" if name in ("subject", "patient", "sourcePatientInfo") else resource
