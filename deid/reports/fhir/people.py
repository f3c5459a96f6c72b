# SPDX-License-Identifier: Apache-2.0
"""Whom and what a FHIR resource names: persons, numbers, telephones, addresses, institutions."""

from __future__ import annotations

from collections.abc import Iterator

from deid.reports.fhir.schema import PEOPLE
from deid.reports.fhir.tree import Node, walk
from deid.reports.linking import References
from deid.text import Kind

_PATIENTS = frozenset({"subject", "patient", "sourcePatientInfo"})
_STAFF = frozenset(
    str.split(
        "performer resultsInterpreter author authenticator requester interpreter referrer actor "
        "practitioner recorder attester participant legalAuthenticator generalPractitioner sender"
    )
)
_INSTITUTIONS = frozenset({"custodian", "organization", "managingOrganization", "serviceProvider"})
_ACCESSION = "ACSN"
"""Type of an identifier (HL7 table 0203)."""


def terms_of(root: Node) -> Iterator[tuple[str, Kind]]:
    """What the typed fields identify by."""
    for kind, node in walk(root):
        for name, values in node.items():
            nodes = [value for value in values if isinstance(value, dict)]
            for value in nodes:
                yield from _terms(kind, name, value)
                yield from _displayed(name, value)
        if kind in ("Organization", "Location") and "resourceType" in node:
            yield from ((one, Kind.INSTITUTION) for one in texts(node, "name"))


def _terms(kind: str, name: str, node: Node) -> Iterator[tuple[str, Kind]]:
    if "family" in node or "given" in node or name == "name":
        yield from ((one, _person(kind)) for one in _names(node))
    elif name == "telecom":
        yield from ((one, Kind.PHONE) for one in texts(node, "value"))
    elif name == "address":
        yield from ((one, Kind.ADDRESS) for part in ("line", "text") for one in texts(node, part))
    elif "identifier" in name.lower() and "value" in node:
        patient = kind == "Patient"
        sort = Kind.ACCESSION_NUMBER if is_accession(node) else Kind.IDENTIFIER
        yield from ((one, Kind.PATIENT_ID if patient else sort) for one in texts(node, "value"))


def _displayed(name: str, node: Node) -> Iterator[tuple[str, Kind]]:
    """Whom a reference names in words."""
    # R5 has the actor of a performer in a node of its own, R4 the reference itself.
    sort = Kind.PATIENT_NAME if name in _PATIENTS else Kind.PHYSICIAN_NAME
    if name in _PATIENTS | _STAFF:
        yield from ((_turned(one), sort) for one in texts(node, "display"))
    elif name in _INSTITUTIONS:
        yield from ((one, Kind.INSTITUTION) for one in texts(node, "display"))
    if name in _PATIENTS:
        for inner in nodes_of(node, "identifier"):
            yield from ((one, Kind.PATIENT_ID) for one in texts(inner, "value"))


def _person(kind: str) -> Kind:
    return {"Patient": Kind.PATIENT_NAME, "Practitioner": Kind.PHYSICIAN_NAME}.get(
        PEOPLE.get(kind, ""), Kind.NAME
    )


def _names(node: Node) -> Iterator[str]:
    family, given = texts(node, "family"), texts(node, "given")
    if family or given:
        yield f"{' '.join(family)}^{' '.join(given)}"
    yield from map(_turned, texts(node, "text"))


def _turned(name: str) -> str:
    """``Dr. Jane Doe`` and ``Doe, Jane`` as ``Doe^Jane``."""
    if "," in name:
        family, _, given = name.partition(",")
        return f"{family.strip()}^{given.strip()}"
    words = name.split()
    return f"{words[-1]}^{' '.join(words[:-1])}" if words else ""


def texts(node: Node, name: str) -> list[str]:
    """The primitive values of an element."""
    return [value for value in node.get(name, ()) if isinstance(value, str)]


def nodes_of(node: Node, name: str) -> list[Node]:
    """The nodes of an element."""
    return [value for value in node.get(name, ()) if isinstance(value, dict)]


def is_accession(identifier: Node) -> bool:
    """Whether an identifier says that it is an accession number."""
    codings = [one for kind in nodes_of(identifier, "type") for one in nodes_of(kind, "coding")]
    return any(_ACCESSION in texts(coding, "code") for coding in codings)


def references_of(root: Node) -> tuple[References, frozenset[str]]:
    """What links the resource to its study for sure, and other identifiers that may."""
    patients: set[str] = set()
    accessions: set[str] = set()
    studies: set[str] = set()
    others: set[str] = set()
    for kind, node in walk(root):
        for name, values in node.items():
            inner = [value for value in values if isinstance(value, dict)]
            if "identifier" in name.lower():
                for identifier in inner:
                    found = set(texts(identifier, "value"))
                    oids = {one.removeprefix("urn:oid:") for one in found if "urn:oid:" in one}
                    studies |= oids if kind == "ImagingStudy" else set()
                    others |= oids | found
                    patients |= found if kind == "Patient" else set()
                    accessions |= found if is_accession(identifier) else set()
            if name in _PATIENTS:
                patients |= {
                    one for each in inner for i in nodes_of(each, "identifier")
                    for one in texts(i, "value")
                }  # fmt: skip
    return References(frozenset(patients), frozenset(accessions), frozenset(studies)), frozenset(
        others
    )
