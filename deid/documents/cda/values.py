# SPDX-License-Identifier: Apache-2.0
"""Identifiers, codes, times and numbers of a clinical document as they may leave."""

from __future__ import annotations

import re
from collections.abc import Set
from xml.etree.ElementTree import Element

from deid.codes import is_standard_code, standard_meanings
from deid.context import HeaderContext
from deid.dates import shifted_date_time
from deid.descriptions import is_fully_listed
from deid.documents.cda.names import (
    CODES,
    HL7_VOCABULARY,
    PATIENT_CHARACTERISTICS,
    SCHEMA_INSTANCE,
    SCHEMES,
    TEMPLATE_ROOTS,
    TEMPLATE_VERSIONS,
)
from deid.options import Option

_MASKED = {"nullFlavor": "MSK"}
_CODE = re.compile(r"[A-Za-z]{1,16}", re.ASCII)
_SHORT_CODE = re.compile(r"[A-Za-z0-9]{1,3}|[a-z]{4,12}|[A-Z]{4,8}", re.ASCII)
_LANGUAGE = re.compile(r"[a-z]{2}(?:-[A-Z]{2})?", re.ASCII)
_REALM = re.compile(r"[A-Z]{2}", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,6}(?:\.\d{1,6})?", re.ASCII)
_UNIT = re.compile(r"[A-Za-z%/.*\[\]{}0-9]{1,12}", re.ASCII)
_OID = re.compile(r"[0-2](?:\.\d{1,20}){1,30}", re.ASCII)
_TYPE = f"{{{SCHEMA_INSTANCE}}}type"
_TYPES = frozenset(
    str.split("CD CE CV CO CS PQ INT REAL ST TS IVL_TS IVL_PQ BL PIVL_TS"),
)
_DATED = frozenset({Option.MODIFIED_DATES, Option.FULL_DATES})


class CdaValues:
    """Makes attributes fit to leave.

    Parameters
    ----------
    context:
        Whose document it is.
    options:
        Of the profile.
    """

    def __init__(self, context: HeaderContext, options: Set[Option]) -> None:
        self._context = context
        self._options = options

    def structural(self, element: Element) -> dict[str, str]:
        """Class, mood, type: codes of the schema."""
        kept = {
            key: value
            for key, value in element.attrib.items()
            if key in CODES and (_CODE.fullmatch(value) or value in ("true", "false"))
        }
        named = element.get(_TYPE, "").rsplit(":", 1)[-1]
        return kept | ({"xsi:type": named} if named in _TYPES else {})

    def identifier(self, element: Element, parent: str) -> dict[str, str]:
        """An instance identifier (II): the patient's and the request's as the header has them."""
        root, extension = element.get("root", ""), element.get("extension", "").strip()
        if not root:
            return dict(_MASKED)
        made = {"root": self._context.pseudonyms.uid(root)}
        if extension:
            made["extension"] = self._extension(extension, parent)
        return made

    def _extension(self, extension: str, parent: str) -> str:
        pseudonyms, patient = self._context.pseudonyms, self._context.patient
        if extension == patient.number.strip():
            return pseudonyms.patient(patient)
        return pseudonyms.identifier("accession" if parent == "order" else "document", extension)

    @staticmethod
    def template(element: Element) -> dict[str, str] | None:
        """A template of HL7, DICOM or IHE; None of another."""
        root, extension = element.get("root", ""), element.get("extension", "")
        if not root.startswith(TEMPLATE_ROOTS) or _OID.fullmatch(root) is None:
            return None
        version = {"extension": extension} if extension in TEMPLATE_VERSIONS else {}
        return {"root": root} | version

    def code(self, element: Element, name: str) -> dict[str, str]:
        """A coded value; its words only where they are the standard's or listed."""
        code, system = element.get("code", "").strip(), element.get("codeSystem", "")
        if name in PATIENT_CHARACTERISTICS and Option.PATIENT_CHARACTERISTICS not in self._options:
            return dict(_MASKED)
        if name in ("languageCode", "realmCode"):
            pattern = _LANGUAGE if name == "languageCode" else _REALM
            return {"code": code} if pattern.fullmatch(code) else dict(_MASKED)
        scheme = SCHEMES.get(system)
        if scheme is not None and is_standard_code(scheme, code, self._context):
            words = self._words(scheme, code, element.get("displayName", ""))
            return {"code": code, "codeSystem": system} | words
        bare = system.startswith(HL7_VOCABULARY) and _OID.fullmatch(system)
        # Status codes have no system of their own (datatype CS).
        if _SHORT_CODE.fullmatch(code) and (bare or (not system and name == "statusCode")):
            return {"code": code} | ({"codeSystem": system} if bare else {})
        return dict(_MASKED)

    def _words(self, scheme: str, code: str, display: str) -> dict[str, str]:
        standard = standard_meanings().get((scheme, code))
        if display and (display == standard or is_fully_listed(display, self._context.denied)):
            return {"displayName": display}
        return {"displayName": standard} if standard else {}

    def time(self, element: Element, name: str) -> dict[str, str]:
        """A point in time (TS): shifted by the patient's days, kept, or masked, by the options."""
        value = element.get("value")
        if value is None:
            return {}
        moved = None
        if name != "birthTime" and self._options & _DATED:
            days = self._context.days if Option.MODIFIED_DATES in self._options else 0
            moved = shifted_date_time(value.strip(), days)
        return {"value": moved} if moved else dict(_MASKED)

    def measure(self, element: Element) -> dict[str, str]:
        """A number and its unit (PQ, INT, REAL)."""
        value, unit = element.get("value", "").strip(), element.get("unit", "")
        if not value:
            return {}
        number = value.encode("ascii", "ignore")
        if _NUMBER.fullmatch(value) is None or self._context.numbers.in_decimals(number):
            return dict(_MASKED)
        return {"value": value} | ({"unit": unit} if _UNIT.fullmatch(unit) else {})
