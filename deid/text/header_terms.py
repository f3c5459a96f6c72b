# SPDX-License-Identifier: Apache-2.0
"""The first detector: what the typed fields of a header say about who people are."""

from __future__ import annotations

from collections.abc import Iterable

from deid.text.kinds import Kind
from deid.text.known_terms import KnownTerms

_PATIENT_NAMES = frozenset({0x00100010, 0x00101001, 0x00101005, 0x00101060})
_KINDS: dict[int, Kind] = {
    0x00100020: Kind.PATIENT_ID,
    0x00101000: Kind.PATIENT_ID,
    0x00101090: Kind.PATIENT_ID,
    0x00080050: Kind.ACCESSION_NUMBER,
    0x00200010: Kind.IDENTIFIER,  # Study ID
    0x00120040: Kind.IDENTIFIER,  # Clinical Trial Subject ID
    0x00380010: Kind.IDENTIFIER,  # Admission ID
    0x00380060: Kind.IDENTIFIER,  # Service Episode ID
    0x00401001: Kind.IDENTIFIER,  # Requested Procedure ID
    0x00402016: Kind.IDENTIFIER,  # Placer Order Number
    0x00402017: Kind.IDENTIFIER,  # Filler Order Number
    0x00181000: Kind.IDENTIFIER,  # Device Serial Number
    0x00102154: Kind.PHONE,  # Patient's Telephone Numbers
    0x00080094: Kind.PHONE,  # Referring Physician's Telephone Numbers
    0x00101040: Kind.ADDRESS,  # Patient's Address
    0x00080092: Kind.ADDRESS,  # Referring Physician's Address
    0x00080081: Kind.ADDRESS,  # Institution Address
    0x00080080: Kind.INSTITUTION,  # Institution Name
}


def header_terms(elements: Iterable[tuple[int, str, str]]) -> KnownTerms:
    """Known terms of a header.

    Parameters
    ----------
    elements:
        Tag, Value Representation and decoded value of the elements at all depths; values of several
        parts are separated by a backslash (PS3.5 section 6.2).
    """
    found: list[tuple[str, Kind]] = []
    for tag, representation, text in elements:
        kind = _kind(tag, representation)
        if kind is not None:
            found += [(value, kind) for value in text.split("\\")]
    return KnownTerms.of(found)


def _kind(tag: int, representation: str) -> Kind | None:
    if tag in _PATIENT_NAMES:
        return Kind.PATIENT_NAME
    if representation == "PN":
        return Kind.PHYSICIAN_NAME
    return _KINDS.get(tag)
