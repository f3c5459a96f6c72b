# SPDX-License-Identifier: AGPL-3.0-or-later
"""Plans from the anatomy that a test has set, by the workers' own verdicts."""

from __future__ import annotations

from inference.contract import AnatomyAnswer
from plugin.configuration.applications import ApplicationSection
from plugin.states import Metadata, ScanState
from plugin.web.protocols import Level
from plugin.worker.catalogue import choose, verdicts
from plugin.worker.planner import ScanPlan, judged, scan_of
from tests.plugin.web.fake_archive import CHEST_MODEL, FakeArchive


class FakePlanner:
    """Reads no file: a series without a set anatomy can't be read at all."""

    def __init__(self, archive: FakeArchive) -> None:
        self.archive = archive
        self.applications = ApplicationSection()
        self.refusal = ""

    def __call__(self, level: Level, resource: str, instances: list[str], /) -> ScanPlan:
        series = resource
        if level == "instance":
            series = self.archive.instances[resource]["ParentSeries"]
        anatomy = self._anatomy(series)
        if anatomy is None:
            return ScanPlan("failure", "the file can't be read as DICOM")
        scan = scan_of(level, resource, instances)
        scan.anatomy = anatomy
        scan.refusal = self.refusal
        scan.verdicts = verdicts(anatomy, [CHEST_MODEL], level, self.applications)
        scan.model = choose(scan.verdicts).model
        return judged(scan)

    def _anatomy(self, series: str) -> AnatomyAnswer | None:
        text = self.archive.metadatas.get(("series", series, int(Metadata.ANATOMY)))
        if text is not None:
            return AnatomyAnswer.model_validate_json(text)
        state = self.archive.metadatas.get(("series", series, int(Metadata.STATE)))
        return ScanState.model_validate_json(state).anatomy if state is not None else None
