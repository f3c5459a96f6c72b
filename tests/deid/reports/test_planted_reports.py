# SPDX-License-Identifier: Apache-2.0
"""No identifier leaves, wherever in a report it stands."""

from __future__ import annotations

import hashlib
import re

import pytest

from deid.reports import ReportOpener, StudyTexts
from deid.text import Kind
from tests.deid.reports.planted_reports import Words, reports, unpacked

WORD = re.compile(rb"QX\d{3}YV", re.IGNORECASE)
KINDS = ["rtf", "html", "docx", "pdf", "hl7", "json"]


def stand_in(kind: Kind, value: str) -> str:
    digest = hashlib.blake2b(f"{kind}{value}".encode(), key=b"k" * 32, digest_size=8).hexdigest()
    return f"2.25.{int(digest, 16)}"


def cleaned(content: bytes) -> bytes:
    (report,) = ReportOpener().reports(content)
    study = StudyTexts()
    study.add_report("report", report)
    return study.cleaned(-100, stand_in).report("report")


@pytest.mark.parametrize("kind", KINDS)
def test_no_planted_identifier_leaves_in_a_report(kind: str) -> None:
    words = Words()
    content = dict(reports(words))[kind]
    assert WORD.search(unpacked(content)) or kind == "docx"
    assert set(WORD.findall(unpacked(cleaned(content)))) == set()


@pytest.mark.parametrize("kind", KINDS)
def test_findings_stay_in_a_report(kind: str) -> None:
    content = unpacked(cleaned(dict(reports(Words()))[kind]))
    assert b"Liver normal." in content
