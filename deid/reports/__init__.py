# SPDX-License-Identifier: Apache-2.0
"""Reports without identities, linked to their studies: HL7, FHIR, PDF, RTF, HTML, DOCX, text."""

from deid.reports.errors import ReportError
from deid.reports.fhir import FhirReport
from deid.reports.hl7 import Hl7Report
from deid.reports.linking import LinkIndex, References
from deid.reports.opening import ReportOpener
from deid.reports.pdf import PdfReport
from deid.reports.plain import PlainReport
from deid.reports.report import Cleaning, Report
from deid.reports.study import StudyTexts

__all__ = [
    "Cleaning",
    "FhirReport",
    "Hl7Report",
    "LinkIndex",
    "PdfReport",
    "PlainReport",
    "References",
    "Report",
    "ReportError",
    "ReportOpener",
    "StudyTexts",
]
