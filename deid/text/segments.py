# SPDX-License-Identifier: Apache-2.0
"""Segments of HL7 version 2 inside free text: what their place says of their fields.

Whole messages are ``deid.reports.hl7``'s; here lines that somebody copied into a comment.
HL7 2.5.1 chapters 3 (PID, NK1, PV1) and 6 (GT1, IN1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from deid.text.kinds import Kind, Span

# Segment, and the fields that name nobody: set ids, sexes, classes, codes of tables.
_SEGMENT = re.compile(r"(?m)^[ \t]*(?P<name>PID|NK1|GT1|IN1|IN2|PD1|MRG)\|(?P<fields>[^\n\r]*)")
_OPEN = {
    "PID": frozenset({1, 8, 10, 15, 16, 17, 22, 24, 25, 26, 27, 28, 30}),
    "NK1": frozenset({1, 3}),
    "GT1": frozenset({1, 9, 10, 11}),
    "IN1": frozenset({1}),
    "IN2": frozenset(),
    "PD1": frozenset(),
    "MRG": frozenset(),
}
_KINDS = {
    ("PID", 3): Kind.PATIENT_ID, ("PID", 2): Kind.PATIENT_ID, ("PID", 4): Kind.PATIENT_ID,
    ("PID", 5): Kind.PATIENT_NAME, ("PID", 7): Kind.DATE, ("PID", 9): Kind.PATIENT_NAME,
    ("PID", 11): Kind.ADDRESS, ("PID", 13): Kind.PHONE, ("PID", 14): Kind.PHONE,
    ("NK1", 2): Kind.NAME, ("NK1", 4): Kind.ADDRESS, ("NK1", 5): Kind.PHONE,
    ("GT1", 3): Kind.NAME, ("GT1", 5): Kind.ADDRESS, ("GT1", 6): Kind.PHONE,
}  # fmt: skip
# Identifier types and authorities of table 0203, kinds of names and addresses (0200, 0190).
_CODES = frozenset(
    str.split("MR PI VN AN SS PT NI HOSP L M H B A O C N ISO DNS UUID PRN CP PH FX PRIMARY ID")
)
_PIECE = re.compile(r"[^|^~&\\\r\n]+")
# A coded entry: "18748-4^Diagnostic imaging report^LN".
_CODED = re.compile(
    r"(?<![\w^])([\w.\-]{2,12})\^[^|^\n]{2,80}\^(?:LN|CPT4?|C4|SCT|SNM3?|I10\w*|ICD\w*|DCM|RADLEX|99\w+|L)(?!\w)"
)


def segment_spans(text: str) -> Iterator[Span]:
    """The parts of fields that identify, kind by kind."""
    for segment in _SEGMENT.finditer(text):
        name, start = segment["name"], segment.start("fields")
        at = 0
        for number, field in enumerate(segment["fields"].split("|"), 1):
            if number not in _OPEN[name]:
                kind = _KINDS.get((name, number), Kind.IDENTIFIER)
                for piece in _PIECE.finditer(field):
                    if piece.group().strip() and piece.group().strip().upper() not in _CODES:
                        yield Span(
                            start + at + piece.start(), start + at + piece.end(), kind, "pattern"
                        )
            at += len(field) + 1


def coded_places(text: str) -> list[tuple[int, int]]:
    """Where codes of a named scheme stand: they look like record numbers."""
    return [match.span(1) for match in _CODED.finditer(text)]
