# SPDX-License-Identifier: AGPL-3.0-or-later
"""A result in words, for systems that show text."""

from __future__ import annotations

from plugin.doors.result import Finding, Result

_OUTCOMES = {
    "findings": "Findings",
    "no-findings": "No findings",
    "abstained": "No judgement: the model abstained",
    "refused": "No judgement: the image was refused",
    "failed": "No judgement: the analysis failed",
}


def conclusion(result: Result) -> str:
    """One line: how the analysis ended, with what was found or why nothing could be said."""
    ending = _OUTCOMES[result.outcome]
    if result.present:
        return f"{ending}: " + ", ".join(finding.name for finding in result.present)
    return f"{ending}. {result.reason}".strip(". ") if result.reason else ending


def lines(result: Result) -> list[str]:
    """The whole result, one statement a line, the disclaimer first."""
    model = result.model
    said = [result.disclaimer, f"Model: {model.name} {model.version}", conclusion(result)]
    said += [_finding(finding) for finding in result.findings]
    return [*said, *result.notes]


def percent(value: float) -> str:
    """A number as every text door writes it: the report's own four decimals, no empty ones."""
    return f"{value:.4f}".rstrip("0").rstrip(".")


def _finding(finding: Finding) -> str:
    presence = "present" if finding.present else "absent"
    said = f"{finding.name}: {presence}, probability {percent(finding.probability_percent)} %"
    if finding.threshold_percent is not None:
        said += f", threshold {percent(finding.threshold_percent)} %"
    if finding.regions:
        said += f", regions: {len(finding.regions)}"
    return said
