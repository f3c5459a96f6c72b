# SPDX-License-Identifier: Apache-2.0
"""Reports without identities, linked to their studies: HL7 ORU, plain text, PDF."""

from deid.reports.errors import ReportError
from deid.reports.hl7 import Hl7Report
from deid.reports.linking import LinkIndex, References
from deid.reports.pdf import PdfReport
from deid.reports.study import StudyTexts

__all__ = ["Hl7Report", "LinkIndex", "PdfReport", "References", "ReportError", "StudyTexts"]
