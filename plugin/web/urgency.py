# SPDX-License-Identifier: AGPL-3.0-or-later
"""Priorities as of now: the rules are applied when somebody looks, not when the scan was analysed.

So an edited table counts for old results too, and a rule about the age of a scan holds once the
scan has that age.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from plugin.configuration.priority_table import PriorityTable, read_priorities
from plugin.priority import age_in_hours, rated
from plugin.states import ScanState, Status


@dataclass(frozen=True)
class Urgency:
    """Applies a priority table to the states of one study."""

    table: PriorityTable = field(default_factory=read_priorities)

    def of(self, states: Iterable[ScanState], study: Mapping[str, Any]) -> list[ScanState]:
        """The states with their priorities, the most urgent first.

        Args:
            states: of scans of one study; those of Sidelight's own objects are left out.
            study: Orthanc's JSON of the study.
        """
        # DICOM's dates are in the clock of the site, as this machine's is (PS3.5 section 6.2, TM).
        age = age_in_hours(study.get("MainDicomTags", {}), datetime.now())  # noqa: DTZ005
        known = (state for state in states if state.status is not Status.OWN_OBJECT)
        return sorted((rated(state, self.table, age) for state in known), key=_order)


def _order(state: ScanState) -> tuple[int, float, float, str, str]:
    highest = max((item.probability for item in state.probabilities), default=-1.0)
    within = float("inf") if state.within_minutes is None else state.within_minutes
    return (-state.priority, within, -highest, state.level, state.resource)
