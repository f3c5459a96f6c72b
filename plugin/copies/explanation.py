# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the table of copies does with a study, and what was sent: for the plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from plugin.configuration.copy_table import CopyRule
from plugin.copies.deciding import door_of
from plugin.copies.matching import CopyMatcher, SeriesVerdict
from plugin.dispatch.ledger import Ledger
from plugin.dispatch.said import delivery_said
from plugin.doors.outbox import Outbox

_SHOWN = ("id", "status", "level", "resource", "attempts", "reason")
_MOST = 100


@dataclass(frozen=True)
class CopyExplanation:
    """Decides again, without a trace, and puts outbox and ledger beside it."""

    matcher: CopyMatcher
    outbox: Outbox
    ledger: Ledger

    def of(self, study: str) -> list[dict[str, Any]]:
        """Every rule with its decision about a study, and its deliveries, the latest first.

        Raises:
            NotFoundError: the study is gone.
            QueueError: the outbox or the ledger can't be read.
        """
        deliveries = self.outbox.deliveries_of(study, "copy")
        whole = self.matcher.study(study)
        return [
            self._entry(rule, study, whole.get(rule.name, []), deliveries)
            for rule in self.matcher.table.rules
        ]

    def _entry(
        self,
        rule: CopyRule,
        study: str,
        verdicts: Sequence[SeriesVerdict],
        deliveries: Sequence[dict[str, Any]],
    ) -> dict[str, Any]:
        door = door_of(rule.name)
        destination = rule.destination
        return {
            "rule": rule.name,
            "at": rule.at,
            "profile": rule.profile,
            "destination": {"kind": destination.kind, "target": destination.target},
            "decision": _decision(rule, verdicts),
            "series": [
                {
                    "series": one.series,
                    "fits": one.fits,
                    "instances": len(one.instances),
                    "checks": [check.model_dump(mode="json") for check in one.checks],
                }
                for one in verdicts
            ],
            "instances": self.ledger.copies(study, door),
            "deliveries": [delivery_said(one, _SHOWN) for one in deliveries if one["door"] == door][
                :_MOST
            ],
        }


def _decision(rule: CopyRule, verdicts: Sequence[SeriesVerdict]) -> str:
    if rule.at == "instance":
        return "by-instance"
    return "copied" if any(one.fits for one in verdicts) else "no-series-fits"
