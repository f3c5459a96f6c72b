# SPDX-License-Identifier: AGPL-3.0-or-later
"""The codes by which a report is read and results are written (PS3.16, LOINC, HL7 tables).

``plugin.results.codes`` has the same ones for writing reports, made with highdicom. They stand here
again as plain text, because the answering process reads reports without loading highdicom; a test
holds the two together.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Concept(NamedTuple):
    """A code with its scheme and meaning (PS3.3 section 8.8)."""

    value: str
    scheme: str
    meaning: str


PRIVATE_SCHEME: Final = "99SIDELIGHT"

# Containers and items of TID 1500 and TID 1410.
IMAGE_LIBRARY: Final = Concept("111028", "DCM", "Image Library")
IMAGING_MEASUREMENTS: Final = Concept("126010", "DCM", "Imaging Measurements")
MEASUREMENT_GROUP: Final = Concept("125007", "DCM", "Measurement Group")
QUALITATIVE_EVALUATIONS: Final = Concept("C0034375", "UMLS", "Qualitative Evaluations")
PROCEDURE_REPORTED: Final = Concept("121058", "DCM", "Procedure reported")
MODALITY: Final = Concept("121139", "DCM", "Modality")
TRACKING_IDENTIFIER: Final = Concept("112039", "DCM", "Tracking Identifier")
TRACKING_UID: Final = Concept("112040", "DCM", "Tracking Unique Identifier")
FINDING: Final = Concept("121071", "DCM", "Finding")
FINDING_SITE: Final = Concept("363698007", "SCT", "Finding Site")
IMAGE_REGION: Final = Concept("111030", "DCM", "Image Region")
COMMENT: Final = Concept("121106", "DCM", "Comment")
DEVICE_UID: Final = Concept("121012", "DCM", "Device Observer UID")
DEVICE_MANUFACTURER: Final = Concept("121014", "DCM", "Device Observer Manufacturer")
ALGORITHM_NAME: Final = Concept("111001", "DCM", "Algorithm Name")
ALGORITHM_VERSION: Final = Concept("111003", "DCM", "Algorithm Version")
ALGORITHM_PARAMETERS: Final = Concept("111002", "DCM", "Algorithm Parameters")
CAD_SUMMARY: Final = Concept("111017", "DCM", "CAD Processing and Findings Summary")
SUMMARY_OF_ANALYSES: Final = Concept("111065", "DCM", "Summary of Analyses")
PRESENT: Final = Concept("52101004", "SCT", "Present")
ABSENT: Final = Concept("272519000", "SCT", "Absent")

DICOM_STUDY: Final = Concept("113014", "DCM", "DICOM Study")

# LOINC: what the report as a whole is, and its text.
DIAGNOSTIC_REPORT: Final = Concept("18748-4", "LN", "Diagnostic imaging study")
REPORT_TEXT: Final = Concept("18782-3", "LN", "Radiology Study observation (narrative)")

THRESHOLD: Final = Concept("T-threshold", PRIVATE_SCHEME, "Threshold of presence")
"""Probability from which a finding counts as present; no public scheme has a code for it."""
SEVERITY: Final = Concept("T-severity", PRIVATE_SCHEME, "Severity, 0 incidental to 3 time-critical")

OUTCOMES: Final = {
    ("111242", "111222"): "findings",
    ("111241", "111222"): "no-findings",
    ("111243", "111223"): "abstained",
    ("111245", "111225"): "refused",
    ("111245", "111224"): "failed",
}
"""(111017 CAD Processing and Findings Summary, 111065 Summary of Analyses) to outcome."""
