# SPDX-License-Identifier: Apache-2.0
"""Scanned pages of reports are read from their pictures and cleaned as any text."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image, ImageDraw, ImageFont

from deid.reports import PdfReport, ReportError, StudyTexts
from deid.reports.pictures import PictureReader
from deid.text import header_terms

LINES = ("Patient: Fenwick Marigold", "Chest radiograph of both lungs", "No pneumothorax is seen")


def scanned() -> bytes:
    page = Image.new("L", (900, 500), 248)
    draw = ImageDraw.Draw(page)
    for number, line in enumerate(LINES):
        draw.text((60, 60 + 110 * number), line, fill=10, font=ImageFont.load_default(36))
    file = BytesIO()
    page.save(file, "PDF")
    return file.getvalue()


def test_a_scanned_page_leaves_as_text_without_the_name_that_the_header_gives() -> None:
    study = StudyTexts(header_terms([(0x00100010, "PN", "FENWICK^MARIGOLD")]))
    study.add_report("report", PdfReport(scanned(), PictureReader()))
    left = study.cleaned().plain("report").lower()
    assert "pneumothorax" in left
    assert "lungs" in left
    assert "fenwick" not in left
    assert "marigold" not in left


def test_lines_are_read_from_top_to_bottom() -> None:
    text = PdfReport(scanned(), PictureReader()).texts()["page 1"]
    places = [text.index(word) for word in ("Fenwick", "Chest", "pneumothorax")]
    assert places == sorted(places)


def test_what_is_no_picture_is_refused_by_type() -> None:
    with pytest.raises(ReportError, match="can't be read"):
        PictureReader()(b"no picture")
