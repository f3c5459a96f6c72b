# SPDX-License-Identifier: AGPL-3.0-or-later
"""Identifiers planted in reports: HL7, FHIR, PDF, RTF, HTML, DOCX, and documents inside those."""

from __future__ import annotations

import hashlib

from deid.reports import ReportOpener, StudyTexts
from deid.text import Kind
from tests.deid.reports.planted_reports import Words, reports, unpacked

_DAYS = -100


def leaked() -> tuple[int, list[str]]:
    """How many places there are, and those whose identifier is found in what leaves."""
    words = Words()
    left: list[str] = []
    for _, content in reports(words):
        study = StudyTexts()
        (report,) = ReportOpener().reports(content)
        study.add_report("report", report)
        output = unpacked(study.cleaned(_DAYS, _stand_in).report("report")).upper()
        left.extend(place for place, word in words.planted.items() if word in output)
    return len(words.planted), sorted(set(left))


def _stand_in(kind: Kind, value: str) -> str:
    digest = hashlib.blake2b(f"{kind}{value}".encode(), key=b"k" * 32, digest_size=8).hexdigest()
    return f"2.25.{int(digest, 16)}"
