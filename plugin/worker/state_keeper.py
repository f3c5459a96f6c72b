# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keeps the state of a scan, and what follows from it for its series and study."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydicom.dataset import Dataset

from plugin.archive import Archive
from plugin.configuration.priority_table import PriorityTable
from plugin.priority import age_in_hours, rated
from plugin.results.header import text
from plugin.states import Metadata, ScanState, Status
from plugin.worker.labels import Labels
from plugin.worker.scan import Scan

_ROUNDS = 3
"""Workers that end scans of one study at once see each other's states by the second look."""


@dataclass(frozen=True)
class _Known:
    """One scan of the study, as its state in Orthanc says."""

    series: str
    status: Status
    priority: int


@dataclass(frozen=True)
class StateKeeper:
    """Writes states with their priority; then labels, and the priority of the study."""

    archive: Archive
    priorities: PriorityTable
    labels: Labels

    def keep(self, scan: Scan, state: ScanState) -> ScanState:
        """Write the state of a scan; the state as it was written."""
        state = rated(state, self.priorities, _age(scan.header))
        self.archive.put_metadata(
            state.level, state.resource, Metadata.STATE, state.model_dump_json()
        )
        self.labels.show(state.level, state.resource, [state.status])
        seen: list[_Known] | None = None
        for _ in range(_ROUNDS):
            now = self._study(scan.job.study) if scan.job.study else []
            if now == seen:
                break
            self._show(scan.job.study, scan.job.series, state, now)
            seen = now
        return state

    def _show(self, study: str, series: str, state: ScanState, scans: list[_Known]) -> None:
        if not scans:
            return
        if state.level == "instance":
            inside = [scan.status for scan in scans if scan.series == series]
            self.labels.show("series", series, inside)
        self.labels.show("study", study, [scan.status for scan in scans])
        highest = str(max(scan.priority for scan in scans))
        if self.archive.metadata("study", study, Metadata.PRIORITY) != highest:
            self.archive.put_metadata("study", study, Metadata.PRIORITY, highest)

    def _study(self, study: str) -> list[_Known]:
        """The scans of a study that have a state, but for Sidelight's own objects."""
        found: list[_Known] = []
        for one, value in self.archive.metadata_below(study, "series", Metadata.STATE):
            found += _known(str(one["ID"]), value)
        for one, value in self.archive.metadata_below(study, "instance", Metadata.STATE):
            found += _known(str(one["ParentSeries"]), value)
        return found


def _known(series: str, value: str) -> list[_Known]:
    try:
        state: Mapping[str, object] = json.loads(value)
        status = Status(str(state["status"]))
        priority = int(str(state.get("priority", 0)))
    except (ValueError, KeyError, TypeError, AttributeError):
        return []  # written by another version; it is read as such where it is shown
    return [] if status is Status.OWN_OBJECT else [_Known(series, status, priority)]


def _age(header: Dataset | None) -> float | None:
    if header is None:
        return None
    tags = {keyword: text(header, keyword) for keyword in ("StudyDate", "StudyTime")}
    return age_in_hours(tags, datetime.now())  # noqa: DTZ005 - DICOM's clock is the site's
