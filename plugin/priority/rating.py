# SPDX-License-Identifier: AGPL-3.0-or-later
"""From a scan's state to its priority and the reason in words.

A finding that is present gets the priority of the first rule that holds for it; where none holds,
the severity that its model gives it. The scan has the priority of its most urgent finding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from plugin.configuration.priority_table import LEVELS, PriorityTable, Rule
from plugin.states import GlobalProbability, ScanState

NEVER = 1 << 30


@dataclass(frozen=True)
class Rating:
    """Priority from 0 (low) to 3 (time-critical), and where it comes from.

    Attributes:
        reason: in words for the reader; holds nothing of the patient.
        rule: name of the deciding rule; empty where the model's own severity decided.
        within_minutes: how soon somebody should look, where the rule says so.
    """

    priority: int = 0
    reason: str = ""
    rule: str = ""
    within_minutes: int | None = None

    @property
    def order(self) -> tuple[int, int]:
        """Sort key: the most urgent first."""
        return (-self.priority, self.within_minutes or NEVER)


def rate(state: ScanState, table: PriorityTable, age_hours: float | None) -> Rating:
    """The priority of a scan.

    Args:
        state: how its analysis ended.
        table: the rules.
        age_hours: time since the examination; None where its date is unknown. A rule with an age
            never holds then.
    """
    if state.status.in_progress:
        return Rating()
    present = [item for item in state.probabilities if item.present]
    if not present:
        return _of_outcome(state, table, age_hours)
    ratings = [_of_finding(item, state, table, age_hours) for item in present]
    return min(ratings, key=lambda rating: rating.order)


def rated(state: ScanState, table: PriorityTable, age_hours: float | None) -> ScanState:
    """The state with its priority as of now."""
    rating = rate(state, table, age_hours)
    return state.model_copy(
        update={
            "priority": rating.priority,
            "priority_reason": rating.reason,
            "priority_rule": rating.rule,
            "within_minutes": rating.within_minutes,
        }
    )


def age_in_hours(study_tags: Mapping[str, str], now: datetime) -> float | None:
    """Hours since Study Date and Study Time, in the clock of this machine.

    A study without a time counts from the end of its day, so that no rule calls it older than it
    is. None where the date is missing or is none (PS3.5 Table 6.2-1, DA and TM), or in the future
    by more than a day: a device's clock is wrong then.
    """
    day = str(study_tags.get("StudyDate", "")).strip()
    clock = str(study_tags.get("StudyTime", "")).split(".")[0].strip() or "235959"
    try:
        began = datetime.strptime(day + clock.ljust(6, "0")[:6], "%Y%m%d%H%M%S")  # noqa: DTZ007
    except ValueError:
        return None
    hours = (now.replace(tzinfo=None) - began).total_seconds() / 3600.0
    return None if hours < -24.0 else max(hours, 0.0)


def _of_finding(
    item: GlobalProbability, state: ScanState, table: PriorityTable, age_hours: float | None
) -> Rating:
    found = f"{item.name} {item.probability * 100:.0f} %"
    for rule in table.rules:
        if not rule.outcomes and _names(rule, item) and _holds(rule, state, age_hours):
            return _rating(rule, found)
    return Rating(item.severity, f"{found}: severity {item.severity} of 3 by its model")


def _of_outcome(state: ScanState, table: PriorityTable, age_hours: float | None) -> Rating:
    for rule in table.rules:
        if str(state.status) in rule.outcomes and _holds(rule, state, age_hours):
            return _rating(rule, "")
    return Rating()


def _rating(rule: Rule, found: str) -> Rating:
    reason = f"{found}: {rule.reason}" if found else rule.reason[0].upper() + rule.reason[1:]
    return Rating(LEVELS[rule.priority], reason, rule.name, rule.within_minutes)


def _names(rule: Rule, item: GlobalProbability) -> bool:
    code = f"{item.code.scheme}:{item.code.value}" if item.code else ""
    named = not rule.findings or item.key in rule.findings or code in rule.findings
    return named and rule.minimum_probability <= item.probability < rule.below_probability


def _holds(rule: Rule, state: ScanState, age_hours: float | None) -> bool:
    regions = state.anatomy.regions if state.anatomy else ()
    return (
        (not rule.modalities or state.modality in rule.modalities)
        and (not rule.regions or any(region in rule.regions for region in regions))
        and _of_age(rule, age_hours)
    )


def _of_age(rule: Rule, age_hours: float | None) -> bool:
    if rule.minimum_age_hours is None and rule.below_age_hours is None:
        return True
    if age_hours is None:
        return False
    below = rule.below_age_hours
    return (rule.minimum_age_hours or 0.0) <= age_hours and (below is None or age_hours < below)
