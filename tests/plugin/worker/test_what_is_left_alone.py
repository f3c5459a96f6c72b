# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is of no patient, and what is no image, ends before anybody looks at it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from plugin.quarantine import Quarantine
from plugin.queue import Job
from plugin.results import ResultOptions
from plugin.states import ScanState, Status
from plugin.worker.pipeline import Pipeline
from plugin.worker.planner import ScanPlanner, scan_of
from plugin.worker.publisher import Publisher
from plugin.worker.scan import Reader, Scan
from tests.deid.made_scans import ct, file_of
from tests.plugin.web.fake_archive import CHEST_MODEL

NOBODY = cast("Any", None)
"""Whoever is asked for anything fails the test."""
QUALITY_CONTROL = file_of(ct(QualityControlImage="YES"))
REASON = "no application for quality control, by Quality Control Image or Quality Control Subject"
EXAM_CARD = file_of(ct(SOPClassUID="1.3.46.670589.11.0.0.12.2", Modality="MR"))
LEVELS = ("instance", "recognition", "series")


class OneFile:
    """An archive with one series of one instance."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def file(self, _instance: str) -> bytes:
        return self.content

    def series(self, _series: str) -> dict[str, Any]:
        return {"Instances": ["i1"]}


class Settled:
    """A queue that notes until when series wait."""

    def __init__(self) -> None:
        self.due: list[float | None] = []

    def recognized(self, _series: str, due: float | None) -> None:
        self.due.append(due)


class Node:
    """A worker whose gate, models and Orthanc's other answers are not there."""

    def __init__(self, content: bytes, folder: Path) -> None:
        self.archive = cast("Any", OneFile(content))
        self.queue = Settled()
        self.ended: list[ScanState] = []
        quarantine = Quarantine(folder)
        publisher = Publisher(NOBODY, ResultOptions(), quarantine, keep=self._keep)
        self.pipeline = Pipeline(
            self.archive, cast("Any", self.queue), self.reader(), NOBODY, publisher,
            lambda: [CHEST_MODEL], 1.0, whole_series=True,
        )  # fmt: skip

    def _keep(self, _scan: Scan, state: ScanState) -> ScanState:
        self.ended.append(state)
        return state

    def reader(self) -> Reader:
        return Reader(self.archive, NOBODY, NOBODY, NOBODY)

    def plan(self) -> tuple[str, str]:
        plan = ScanPlanner(self.reader, lambda: [CHEST_MODEL]).plan(
            "instance", scan_of("instance", "i1", ["i1"])
        )
        assert plan.applications == []
        return plan.end, plan.reason


def job_of(level: str) -> Job:
    return Job(1, level, "i1", "", "s1", "st1", 1, "w", 0.0)


@pytest.mark.parametrize("level", LEVELS)
def test_a_quality_control_image_reaches_no_model_and_says_why(level: str, tmp_path: Path) -> None:
    node = Node(QUALITY_CONTROL, tmp_path)
    assert node.pipeline.process(job_of(level)) == "no-application"
    (state,) = node.ended
    assert (state.status, state.reason) == (Status.NO_APPLICATION, REASON)
    assert (state.anatomy, state.objects) == (None, ())
    # Nor does the rest of its series wait to be copied.
    assert node.queue.due == ([None] if level == "recognition" else [])
    assert node.plan() == ("no-application", REASON)


@pytest.mark.parametrize("level", LEVELS)
def test_a_private_record_without_pixels_gets_no_state_at_all(level: str, tmp_path: Path) -> None:
    node = Node(EXAM_CARD, tmp_path)
    assert node.pipeline.process(job_of(level)) == "not-an-image"
    node.pipeline.give_up(job_of(level), "it was cut off each time")
    assert (node.ended, node.queue.due) == ([], [])
    assert node.plan() == ("not-an-image", "it has no Rows and Columns")
