# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the table of applications does with a study, and what was sent where: for the plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from plugin.dispatch.said import delivery_said
from plugin.doors.outbox import Outbox
from plugin.routing.deciding import door_of, never
from plugin.routing.matching import Matcher
from plugin.routing.records import Decision

Explain = Callable[[str], list[dict[str, Any]]]
"""One entry per application that is handed studies, for a study's Orthanc identifier."""

MOST_CANDIDATES = 50
"""Earlier and later studies of the patient that are told of each application."""

_SHOWN = ("status", "attempts", "reason")


@dataclass(frozen=True)
class Explanation:
    """Decides again, without a trace, and puts the outbox beside it."""

    matcher: Matcher
    outbox: Outbox
    only_prior: Callable[[str], bool] = never

    def of(self, study: str) -> list[dict[str, Any]]:
        """Every application with its decision, and its deliveries, the latest first.

        Raises:
            NotFoundError: the study is gone.
            QueueError: the outbox can't be read.
        """
        deliveries = self.outbox.deliveries_of(study, "study")
        decisions = self.matcher.decide(study).decisions
        entries = [_entry(decision, deliveries) for decision in decisions]
        if self.only_prior(study):
            return [{**one, "handover": "only-as-prior"} for one in entries]
        return entries


def _handover(decision: Decision, deliveries: list[dict[str, Any]]) -> str:
    """How far the set of this moment is."""
    if not decision.digest:
        return "no-set"
    if not deliveries:
        return "not-decided"
    noted = any(one["result"] == decision.digest for one in deliveries)
    return "noted" if noted else "another-set"


def _entry(decision: Decision, every: list[dict[str, Any]]) -> dict[str, Any]:
    door = door_of(decision.application)
    deliveries = [one for one in every if one["door"] == door]
    return {
        "application": decision.application,
        "destination": {
            "kind": decision.kind,
            "target": decision.target,
            "zone": decision.zone,
        },
        "decision": decision.decision,
        "reason": decision.reason,
        "series": [one.model_dump(mode="json") for one in decision.series],
        "set": [
            {
                "role": part.role,
                "prior": part.number,
                "study": part.study,
                "series": part.series,
                "modality": part.modality,
                "regions": list(part.regions),
                "days_before": part.days_before,
                "instances": len(part.instances),
            }
            for part in decision.parts
        ],
        "candidates": [
            {
                "study": one.study,
                "reason": one.reason,
                "prior": one.number,
                "days_before": one.days_before,
            }
            for one in decision.candidates[:MOST_CANDIDATES]
        ],
        "candidates_left_out": max(0, len(decision.candidates) - MOST_CANDIDATES),
        "handover": _handover(decision, deliveries),
        "deliveries": [
            {**delivery_said(one, _SHOWN), "this_set": one["result"] == decision.digest}
            for one in deliveries
        ],
    }
