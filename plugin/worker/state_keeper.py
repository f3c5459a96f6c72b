# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keeps the state of a scan, and what follows from it for its series and study."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydicom.dataset import Dataset

from plugin.archive import Archive
from plugin.configuration.priority_table import PriorityTable
from plugin.priority import age_in_hours, rated
from plugin.results.header import text
from plugin.states import Metadata, ScanState
from plugin.worker.labels import Labels
from plugin.worker.scan import Scan
from plugin.worker.study_sums import StudySums


@dataclass(frozen=True)
class StateKeeper:
    """Writes states with their priority and labels; says that their study has changed."""

    archive: Archive
    priorities: PriorityTable
    labels: Labels
    sums: StudySums

    def keep(self, scan: Scan, state: ScanState) -> ScanState:
        """Write the state of a scan; the state as it was written."""
        state = rated(state, self.priorities, _age(scan.header))
        self.archive.put_metadata(
            state.level, state.resource, Metadata.STATE, state.model_dump_json()
        )
        self.labels.show(state.level, state.resource, [state.status])
        series = scan.job.series if state.level == "instance" else ""
        self.sums.state_changed(scan.job.study, series, state)
        return state


def _age(header: Dataset | None) -> float | None:
    if header is None:
        return None
    tags = {keyword: text(header, keyword) for keyword in ("StudyDate", "StudyTime")}
    return age_in_hours(tags, datetime.now())  # noqa: DTZ005 - DICOM's clock is the site's
