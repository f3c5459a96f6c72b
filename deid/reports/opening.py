# SPDX-License-Identifier: Apache-2.0
"""Tells by its content what a file of reports, or a document inside one, is.

What is no kind that is cleaned here is refused: pictures, archives, programs, other XML and JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from deid.reports.errors import ReportError
from deid.reports.fhir import FhirReport
from deid.reports.hl7 import Hl7Report
from deid.reports.hl7_messages import decoded_message, is_hl7, messages_of
from deid.reports.pdf import PdfReport
from deid.reports.plain import PlainReport, text_of_docx, text_of_html, text_of_rtf
from deid.reports.report import Report

PdfOpener = Callable[[bytes], PdfReport]
_LEAST_TEXT = 0.99
"""Share of letters, marks and spaces in what counts as text."""
_HTML = re.compile(rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|div|p|table|span)\b",
                   re.IGNORECASE | re.DOTALL)  # fmt: skip
_MOST_LINES = re.compile(r"[A-Za-z0-9+/=\s]{200,}")


class ReportOpener:
    """Opens reports.

    Parameters
    ----------
    pdf:
        Opens a PDF; the default refuses scanned pages.
    """

    def __init__(self, pdf: PdfOpener = PdfReport) -> None:
        self._pdf = pdf

    def reports(self, content: bytes) -> list[Report]:
        """The reports of a file: several, where it holds several HL7 messages.

        Raises
        ------
        ReportError
            If it is none that is cleaned here.
        """
        if is_hl7(content):
            return [Hl7Report(one, self.document) for one in messages_of(decoded_message(content))]
        if FhirReport.looks_like(content):
            return [FhirReport(content, self.document)]
        return [self.document(content)]

    def document(self, content: bytes) -> Report:
        """A document inside a report: PDF, RTF, HTML, DOCX or plain text.

        Raises
        ------
        ReportError
            If it is none of them, or can't be read.
        """
        if content.lstrip()[:5] == b"%PDF-" or content.startswith(b"%PDF"):
            return self._pdf(content)
        if content.lstrip().startswith(b"{\\rtf"):
            return PlainReport(text_of_rtf(content.lstrip()))
        if content.startswith(b"PK\x03\x04"):
            return PlainReport(text_of_docx(content))
        text = decoded_text(content)
        if _HTML.match(content.removeprefix(b"\xef\xbb\xbf")):
            return PlainReport(text_of_html(text))
        return PlainReport(_plain(text))


def decoded_text(content: bytes) -> str:
    """Text in UTF-8 or UTF-16 with its mark, else in the code page of Western Windows."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _plain(text: str) -> str:
    """The text, if it is one that people read."""
    start = text.lstrip()[:1]
    if start == "<" and text.rstrip().endswith(">"):
        raise ReportError("the report is XML of a kind that is not cleaned: send FHIR or HL7")
    if start in ("{", "[") and _is_json(text):
        raise ReportError("the report is JSON of a kind that is not cleaned: send FHIR")
    if _MOST_LINES.fullmatch(text) and " " not in text.strip():
        raise ReportError("the report is encoded, as base64 is: send what it encodes")
    unread = sum(not (letter.isprintable() or letter.isspace()) for letter in text)
    if unread > (1 - _LEAST_TEXT) * len(text) or "\0\0" in text:
        raise ReportError("the report is of a kind that is not cleaned: send text, PDF, HL7, FHIR")
    return text


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
