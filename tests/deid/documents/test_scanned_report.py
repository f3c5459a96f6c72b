# SPDX-License-Identifier: Apache-2.0
"""Scanned pages of a report are cleaned together with the other texts of its study."""

from __future__ import annotations

import pytest

from deid.documents.scanned import ScannedPages
from deid.documents.scanned_report import ScannedPdfReport
from deid.policy import ScannedPages as Decision
from deid.reports import ReportError, StudyTexts
from deid.reports.pdf import PdfReport, set_anew
from deid.text import header_terms
from tests.deid.documents.made_pages import SECRETS, inked, pdf_of, printed, seen

PAGES = ScannedPages()


def test_the_words_that_may_stay_leave_as_a_picture() -> None:
    page, ink = printed()
    study = StudyTexts(header_terms([(0x00100010, "PN", "FENWICK^MARIGOLD")]))
    study.add_report("report", ScannedPdfReport(pdf_of(page), Decision.MASK, PAGES))
    left = seen(study.cleaned().pdf("report"))
    assert [word for word in SECRETS if inked(left, ink[word])] == []
    assert inked(left, ink["pneumothorax"]) > 0.6


def test_what_a_scanned_page_reveals_is_looked_for_in_other_texts() -> None:
    study = StudyTexts()
    study.add_report("report", ScannedPdfReport(pdf_of(printed()[0]), Decision.MASK, PAGES))
    study.add_plain("note", "told to oduya")
    assert "oduya" not in study.cleaned().plain("note")


def test_a_page_to_review_refuses_the_report_and_one_to_drop_leaves_blank() -> None:
    pdf = pdf_of(printed()[0])
    with pytest.raises(ReportError, match="a person is to look"):
        ScannedPdfReport(pdf, Decision.REVIEW, PAGES)
    study = StudyTexts()
    study.add_report("report", ScannedPdfReport(pdf, Decision.DROP, PAGES))
    assert seen(study.cleaned().pdf("report")).min() == 255


def test_a_typed_report_leaves_as_text_whatever_the_decision() -> None:
    study = StudyTexts()
    typed = set_anew(["No pneumothorax in both lungs, as before. The heart is of normal size."])
    study.add_report("report", ScannedPdfReport(typed, Decision.REVIEW, PAGES))
    text = PdfReport(study.cleaned().pdf("report")).texts()["page 1"]
    assert "No pneumothorax" in text
