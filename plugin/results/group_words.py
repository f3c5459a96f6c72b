# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a measurement group of a report says in words, for viewers that list measurements by name.

Each is one line, and what matters comes first: OHIF shows some fifty characters of a name.
"""

from __future__ import annotations

from typing import Final

from inference.contract import Outcome
from plugin.results.regions import Region
from plugin.results.scan_result import ScanResult

_ENDINGS: Final[dict[Outcome, str]] = {
    Outcome.FINDINGS: "Findings",
    Outcome.NO_FINDINGS: "No findings",
    Outcome.ABSTAINED: "Abstained",
    Outcome.REFUSED: "Refused",
    Outcome.FAILED: "Failed",
}


def whole_scan_words(result: ScanResult) -> str:
    """How the analysis ended: the present findings with probabilities, or why there is none."""
    present = [
        _with_percent(finding.name, analysed.probability)
        for finding, analysed in result.classes
        if analysed.present
    ]
    said = ", ".join(present) or " ".join((result.analysis.reason or "").split())
    ending = _ENDINGS[result.outcome]
    return f"{ending}: {said}" if said else ending


def region_words(region: Region) -> str:
    """Finding and probability of one region."""
    return _with_percent(region.finding.name, region.probability)


def _with_percent(name: str, probability: float) -> str:
    # Two decimals, as OHIF itself prints the NUM beside it.
    return f"{name} {100.0 * probability:.2f} %"
