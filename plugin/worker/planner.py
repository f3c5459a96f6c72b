# SPDX-License-Identifier: AGPL-3.0-or-later
"""Why did this run, why not: the workers' own decisions about a scan, made again without a trace.

The scan is fetched, de-identified and recognized as a worker would; nothing is analysed, written
or queued. So it works for scans that were never analysed, and for applications in dry run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from inference.contract import AnatomyAnswer, ModelDescription
from plugin.anatomy import Agreement
from plugin.archive import NotFoundError
from plugin.gate import InferenceRefusedError
from plugin.queue import Job
from plugin.scan_category import Check
from plugin.worker.catalogue import Verdict, choose
from plugin.worker.header_files import UnreadableScanError
from plugin.worker.scan import Reader, Scan

End = Literal[
    "analysis", "refusal", "no-application", "failure", "own-object", "not-an-image", "gone"
]
VerdictName = Literal["runs", "refuses", "dry-run", "disabled", "outranked", "does-not-fit"]


@dataclass(frozen=True)
class ScanPlan:
    """What would be done with one scan.

    Attributes:
        end: how it would end.
        reason: the same in words.
        category: as in 'CT HEAD'.
        agreement: how the anatomy was settled, before a reviewer's word.
        applications: one entry per installed model, as JSON.
    """

    end: End
    reason: str
    category: str = ""
    anatomy: AnatomyAnswer | None = None
    agreement: Agreement | None = None
    applications: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class ScanPlanner:
    """Makes plans.

    Args:
        reader: makes the reader; asked once, at the first plan.
        models: what inference serves; may raise.
    """

    reader: Callable[[], Reader]
    models: Callable[[], Sequence[ModelDescription]]
    _reader: Reader | None = None

    def plan(self, level: Literal["instance", "series"], scan: Scan) -> ScanPlan:
        """The plan for one scan; changes nothing.

        Raises:
            plugin.gate.InferenceUnavailableError: anatomy can't be recognized now.
        """
        if self._reader is None:
            self._reader = self.reader()
        try:
            self._reader.read(scan, self.models(), level)
        except NotFoundError:
            return ScanPlan("gone", "it was deleted meanwhile")
        except UnreadableScanError as error:
            return ScanPlan("failure", str(error))
        except InferenceRefusedError as error:
            return ScanPlan("failure", error.message)
        if scan.own:
            return ScanPlan("own-object", "Sidelight made it itself")
        if scan.without_image:
            return ScanPlan("not-an-image", "it has no Rows and Columns")
        return judged(scan)


def scan_of(level: Literal["instance", "series"], resource: str, instances: list[str]) -> Scan:
    """A scan outside of the queue."""
    series = resource if level == "series" else ""
    job = Job(0, level, resource, "", series, "", 0, "plan", 0.0)
    return Scan(job, instances)


def judged(scan: Scan) -> ScanPlan:
    """The plan for a scan whose anatomy and verdicts are known."""
    model = scan.model
    end: End = "no-application"
    reason = scan.no_application
    if model is not None:
        end = "refusal" if scan.refusal else "analysis"
        reason = scan.refusal or f"{model.name} {model.version} is made for {scan.category}"
    return ScanPlan(
        end,
        reason,
        scan.category,
        scan.anatomy,
        scan.agreement,
        [_application(verdict, scan) for verdict in scan.verdicts],
    )


def _application(verdict: Verdict, scan: Scan) -> dict[str, Any]:
    name, reason = _said(verdict, scan)
    model = verdict.model
    return {
        "model": model.name,
        "version": model.version,
        "title": model.title,
        "mode": verdict.mode,
        "verdict": name,
        "reason": reason,
        "works_on": _check(verdict.works_on),
        "rules": [
            {"fits": rule.fits, "checks": [_check(check) for check in rule.checks]}
            for rule in verdict.rules
        ],
        "table_rules": [
            {"fits": rule.fits, "checks": [_check(check) for check in rule.checks]}
            for rule in verdict.table_rules
        ],
    }


def _said(verdict: Verdict, scan: Scan) -> tuple[VerdictName, str]:
    if not verdict.fits:
        return "does-not-fit", _misfit(verdict)
    if verdict.mode == "disabled":
        return "disabled", "fits, but is disabled by Sidelight.Applications"
    chosen = choose(scan.verdicts)
    if verdict.model not in (chosen.model, *chosen.dry):
        return "outranked", "fits, but a more specific or newer model comes first"
    if verdict.mode == "dry-run":
        return "dry-run", "would run, were it enabled by Sidelight.Applications"
    return ("refuses", scan.refusal) if scan.refusal else ("runs", "every condition holds")


def _misfit(verdict: Verdict) -> str:
    """The conditions that fail in the rule that comes closest, the bundle's own first."""
    if not verdict.works_on.holds:
        return f"works on {verdict.works_on.wanted}, the scan is {verdict.works_on.found}"
    own = any(rule.fits for rule in verdict.rules)
    rules = verdict.table_rules if own else verdict.rules
    closest = min(rules, key=lambda rule: sum(not check.holds for check in rule.checks))
    failed = [check for check in closest.checks if not check.holds]
    said = "; ".join(f"{c.condition} is {c.found}, wanted: {c.wanted}" for c in failed)
    return f"by the table of applications: {said}" if own else said


def _check(check: Check) -> dict[str, Any]:
    return {
        "condition": check.condition,
        "holds": check.holds,
        "wanted": check.wanted,
        "found": check.found,
    }
