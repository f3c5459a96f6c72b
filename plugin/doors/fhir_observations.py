# SPDX-License-Identifier: AGPL-3.0-or-later
"""The Observations of a result: how the analysis ended, and each finding with its probability."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from plugin.doors.concepts import ABSENT, CAD_SUMMARY, PRESENT, SEVERITY, THRESHOLD
from plugin.doors.fhir_parts import (
    AI_ASSERTED,
    IMAGING_CATEGORY,
    codeable,
    day,
    percentage,
    reference,
    subject,
    urn,
)
from plugin.doors.result import Coded, Finding, Result

_INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"


def observations(result: Result) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name in the Bundle and content of each Observation; the outcome comes first."""
    yield urn("outcome", result.report_uid), _outcome(result)
    for finding in result.findings:
        name = urn("finding", f"{result.report_uid} {finding.key}")
        yield name, _finding(result, finding)


def _outcome(result: Result) -> dict[str, Any]:
    observation = _common(result, Coded.of(CAD_SUMMARY))
    observation["valueCodeableConcept"] = codeable(result.summary)
    said = [result.disclaimer, result.reason, *result.notes]
    observation["note"] = [{"text": text} for text in said if text]
    return observation


def _finding(result: Result, finding: Finding) -> dict[str, Any]:
    observation = _common(result, finding.code)
    observation["valueCodeableConcept"] = codeable(Coded.of(PRESENT if finding.present else ABSENT))
    observation["interpretation"] = [
        {"coding": [{"system": _INTERPRETATION, "code": "POS" if finding.present else "NEG"}]}
    ]
    if finding.site:
        observation["bodySite"] = codeable(finding.site)
    observation["component"] = list(_components(finding))
    observation["note"] = [{"text": result.disclaimer}]
    return observation


def _components(finding: Finding) -> Iterator[dict[str, Any]]:
    yield {
        "code": codeable(finding.probability_code),
        "valueQuantity": percentage(finding.probability_percent),
    }
    if finding.threshold_percent is not None:
        yield {
            "code": codeable(Coded.of(THRESHOLD)),
            "valueQuantity": percentage(finding.threshold_percent),
        }
    if finding.severity is not None:
        yield {"code": codeable(Coded.of(SEVERITY)), "valueInteger": finding.severity}
    for region in finding.regions:
        # The same code as the finding's own probability; the text says of which region.
        code = {**codeable(finding.probability_code), "text": region.name}
        yield {"code": code, "valueQuantity": percentage(region.probability_percent)}


def _common(result: Result, code: Coded) -> dict[str, Any]:
    observation: dict[str, Any] = {
        "resourceType": "Observation",
        "meta": AI_ASSERTED,
        "status": result.status,
        "category": [IMAGING_CATEGORY],
        "code": codeable(code),
        "subject": subject(result.patient),
        "issued": result.reported_at,
        "device": reference(urn("device", result.model.device_uid)),
        "derivedFrom": [reference(urn("study", result.study.study_instance_uid))],
    }
    if day(result.study.study_date):
        observation["effectiveDateTime"] = day(result.study.study_date)
    return observation
