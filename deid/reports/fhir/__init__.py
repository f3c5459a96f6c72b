# SPDX-License-Identifier: Apache-2.0
"""Reports in HL7 FHIR R4, R4B and R5, in JSON and in XML."""

from deid.reports.fhir.report import FhirReport

__all__ = ["FhirReport"]
