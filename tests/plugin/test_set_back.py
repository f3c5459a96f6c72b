# SPDX-License-Identifier: AGPL-3.0-or-later
"""A clock that was set back makes nothing wait longer than it would have waited at most."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from plugin.dispatch.ledger import Ledger
from plugin.doors.outbox import NewDelivery, Outbox
from plugin.queue import JobQueue, NewJob
from plugin.set_back import LongestWaits

HOUR = 3600.0


@pytest.fixture
def queue(tmp_path: Path) -> JobQueue:
    return JobQueue(tmp_path / "queue.sqlite")


def ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is an hour ahead from now on."""
    true = time.time
    monkeypatch.setattr("time.time", lambda: true() + HOUR)


def test_a_series_is_due_when_it_is_quiet_by_the_clock_as_it_is_now(
    queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        ahead(patched)
        queue.put("i1", "ct")
        queue.note_series("s1", "st1", queue.arrivals()[0], wait=60.0)
        queue.recognized("s1", queue.last_arrival("s1") + 60.0)
    queue.tidy(LongestWaits(series=60.0))
    assert [series for series, *_ in queue.due_series()] == ["s1"]


def test_a_series_that_waits_as_long_as_it_may_waits_on(queue: JobQueue) -> None:
    queue.put("i1", "ct")
    queue.note_series("s1", "st1", queue.arrivals()[0], wait=60.0)
    queue.recognized("s1", time.time() + 50.0)
    queue.tidy(LongestWaits(series=60.0))
    assert queue.due_series() == []


def test_jobs_are_tried_again_and_leases_end_by_the_clock_as_it_is_now(
    queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("later", "held"):
        queue.settle([], [NewJob("instance", name, "c", "a", "s", "st", 1.0)])
    with monkeypatch.context() as patched:
        ahead(patched)
        first = queue.lease("w1", 60.0)
        assert first is not None
        queue.postpone(first, 1.0)
        assert queue.lease("w1", 60.0) is not None
    assert queue.lease("w2", 60.0) is None
    queue.tidy(LongestWaits(retry=60.0, lease=-1.0))
    taken = [job.resource for job in (queue.lease("w2", 60.0), queue.lease("w2", 60.0)) if job]
    assert sorted(taken) == ["held", "later"]


def test_a_lease_of_a_worker_that_may_be_at_work_is_not_taken_at_once(
    queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.settle([], [NewJob("instance", "i1", "c", "a", "s", "st", 1.0)])
    with monkeypatch.context() as patched:
        ahead(patched)
        assert queue.lease("w1", 60.0) is not None
    queue.tidy(LongestWaits(lease=60.0))
    assert queue.lease("w2", 60.0) is None


def test_a_delivery_is_tried_again_by_the_clock_as_it_is_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    outbox.note([NewDelivery("r", "result", "hl7", "study", "st1", "st1")])
    with monkeypatch.context() as patched:
        ahead(patched)
        delivery = outbox.due("hl7")
        assert delivery is not None
        outbox.unreachable(delivery, "away")
    assert outbox.due("hl7") is None
    outbox.bring_near()
    assert outbox.due("hl7") is not None


def test_a_study_is_decided_about_by_the_clock_as_it_is_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path / "routing.sqlite")
    with monkeypatch.context() as patched:
        ahead(patched)
        ledger.note("st1", 60.0)
    assert ledger.due() == []
    ledger.bring_near(60.0)
    assert [study for study, _ in ledger.due()] == ["st1"]
