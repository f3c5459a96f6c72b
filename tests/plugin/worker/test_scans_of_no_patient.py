# SPDX-License-Identifier: AGPL-3.0-or-later
"""Animals and quality control images end before anybody looks at them."""

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


class OneFile:
    """An archive with one series of one image."""

    def file(self, _instance: str) -> bytes:
        return QUALITY_CONTROL

    def series(self, _series: str) -> dict[str, Any]:
        return {"Instances": ["i1"]}


class Settled:
    """A queue that notes until when series wait."""

    def __init__(self) -> None:
        self.due: list[float | None] = []

    def recognized(self, _series: str, due: float | None) -> None:
        self.due.append(due)


def reader() -> Reader:
    return Reader(cast("Any", OneFile()), NOBODY, NOBODY, NOBODY)


@pytest.mark.parametrize("level", ["instance", "recognition", "series"])
def test_a_quality_control_image_reaches_no_model_and_says_why(level: str, tmp_path: Path) -> None:
    ended: list[ScanState] = []

    def keep(_scan: Scan, state: ScanState) -> ScanState:
        ended.append(state)
        return state

    queue = Settled()
    publisher = Publisher(NOBODY, ResultOptions(), Quarantine(tmp_path), keep=keep)
    pipeline = Pipeline(
        cast("Any", OneFile()), cast("Any", queue), reader(), NOBODY, publisher,
        lambda: [CHEST_MODEL], 1.0, whole_series=True,
    )  # fmt: skip
    job = Job(1, level, "i1", "", "s1", "st1", 1, "w", 0.0)
    assert pipeline.process(job) == "no-application"
    (state,) = ended
    assert (state.status, state.reason) == (Status.NO_APPLICATION, REASON)
    assert (state.anatomy, state.objects) == (None, ())
    # Nor does the rest of its series wait to be copied.
    assert queue.due == ([None] if level == "recognition" else [])


def test_the_plan_says_why_it_does_not_run() -> None:
    planner = ScanPlanner(reader, lambda: [CHEST_MODEL])
    plan = planner.plan("instance", scan_of("instance", "i1", ["i1"]))
    assert (plan.end, plan.reason, plan.applications) == ("no-application", REASON, [])
