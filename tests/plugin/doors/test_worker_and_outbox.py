# SPDX-License-Identifier: AGPL-3.0-or-later
"""An outbox that can't be written never fails an analysis, and no delivery is lost by it."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from plugin.archive import Archive
from plugin.doors.announcer import Announcer
from plugin.doors.destinations import Destination
from plugin.doors.errors import OutboxError
from plugin.doors.outbox import NewDelivery, Outbox
from plugin.queue import Job, JobQueue, NewJob, QueueError
from plugin.results import ResultOptions
from plugin.states import ScanState, Status
from plugin.worker.giving_way import GivingWay
from plugin.worker.publisher import Publisher
from plugin.worker.scan import Scan
from plugin.worker.service import WorkerService
from tests.plugin.doors.states import state_of


class Kept(Archive):
    """An archive that only remembers metadata."""

    def __init__(self) -> None:
        self.kept: list[str] = []

    def put_metadata(self, *values: Any) -> None:
        self.kept.append(values[-1])


@pytest.fixture
def queue(tmp_path: Path) -> JobQueue:
    queue = JobQueue(tmp_path / "queue.sqlite")
    queue.settle([], [NewJob("instance", "i1", "c", "a", "se1", "st1", time.time())])
    return queue


def service(queue: JobQueue, process: Any, give_up: Any = None) -> WorkerService:
    models: Any = SimpleNamespace(refresh=lambda: True, application="a", doubt=lambda: None)
    triage: Any = SimpleNamespace(
        application="",
        wait=1.0,
        settle_arrivals=lambda: 0,
        settle_series=lambda: 0,
        forget_gone=lambda: None,
    )
    catch_up: Any = SimpleNamespace(run_if_due=lambda: 0)
    pipeline: Any = SimpleNamespace(process=process, give_up=give_up)
    rested = GivingWay(lambda _: 0, 0.0)
    return WorkerService("w", queue, triage, catch_up, pipeline, models, 60.0, rested)


def test_a_worker_sums_studies_up_between_its_jobs(queue: JobQueue) -> None:
    done: list[str] = []
    worker = service(queue, lambda _: done.append("job") or "findings")
    worker.sums = lambda: len(done.append("sum") or done)
    assert worker.step()
    assert done == ["sum", "job"]


@pytest.mark.parametrize("missing", ["inference", "key"])
def test_studies_are_summed_up_also_while_no_scan_can_be_worked_on(
    queue: JobQueue, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugin.worker.service.time.sleep", lambda _: None)
    done: list[str] = []
    worker = service(queue, lambda _: done.append("job") or "findings")
    worker.sums = lambda: len(done.append("sum") or done)
    if missing == "key":
        worker.trouble = lambda: "the key is gone"
    else:
        worker.models.refresh = lambda: False  # type: ignore[method-assign]
    assert not worker.step()
    assert done == ["sum"]


@pytest.mark.parametrize("kind", [OutboxError, QueueError])
def test_a_job_waits_while_a_file_beside_the_queue_can_not_be_used(
    queue: JobQueue, kind: type[QueueError]
) -> None:
    attempts: list[int] = []

    def process(job: Job) -> str:
        attempts.append(job.attempts)
        if len(attempts) < 20:
            raise kind("disk I/O error")
        return "findings"

    worker = service(queue, process)
    for _ in range(19):
        with pytest.raises(kind):
            worker.step()
        queue._file.append("UPDATE jobs SET not_before = 0", ())
    assert queue.statistics()["dead"] == 0
    worker.step()
    assert queue.statistics()["done"] == 1
    assert set(attempts) == {1}


def test_a_job_that_needs_a_damaged_file_leaves_its_turn_to_others(queue: JobQueue) -> None:
    queue.settle([], [NewJob("instance", "i2", "c", "a", "se1", "st1", time.time())])
    done: list[str] = []

    def process(job: Job) -> str:
        if job.resource == "i1":
            damage = sqlite3.DatabaseError("malformed")
            damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise OutboxError("outbox") from damage
        done.append(job.resource)
        return "findings"

    worker = service(queue, process)
    with pytest.raises(OutboxError):
        worker.step()
    queue._file.append("UPDATE jobs SET not_before = not_before - 2.0", ())
    worker.step()
    assert done == ["i2"]


def test_a_dead_letter_waits_while_its_delivery_can_not_be_noted(queue: JobQueue) -> None:
    told: list[str] = []

    def process(_job: Job) -> str:
        raise ValueError("the scan can't be read")

    def give_up(_job: Job, reason: str) -> None:
        if queue._file.read("SELECT 1 FROM jobs WHERE status = 'dead'", ()):
            pytest.fail("dead before anybody was told")
        told.append(reason)
        if len(told) < 3:
            raise OutboxError("outbox: disk I/O error")

    worker = service(queue, process, give_up)
    for _ in range(20):
        with contextlib.suppress(OutboxError):
            worker.step()
        queue._file.append("UPDATE jobs SET not_before = 0", ())
    assert queue.statistics()["dead"] == 1
    assert len(told) == 3


def test_a_state_is_stored_before_its_deliveries_are_noted(
    tmp_path: Path, outbox: Outbox, queue: JobQueue
) -> None:
    archive = Kept()
    order: list[str] = []
    announcer = Announcer(outbox, [Destination("failed", "hl7", "ris")], 3)

    def announce(study: str, state: ScanState) -> None:
        order.extend(["noted", *archive.kept])
        announcer.announce(study, state)

    publisher = Publisher(archive, ResultOptions(), tmp_path / "quarantine", announce=announce)
    job = queue.lease("w", 60)
    assert job is not None
    publisher.state(Scan(job, ["i1"]), Status.FAILED, "the file can't be read as DICOM")
    assert order[0] == "noted"
    assert "can't be read" in order[1]
    (delivery,) = outbox.deliveries(None, 10)
    assert (delivery["event"], delivery["study"], delivery["resource"]) == ("failed", "st1", "i1")


def test_an_announcement_that_fails_is_made_again_whole(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    announcer = Announcer(
        outbox, [Destination("result", "hl7", "a"), Destination("escalation", "b", "b")], 3
    )

    def broken(_deliveries: list[NewDelivery]) -> None:
        raise OutboxError("outbox: database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "note", broken)
        with pytest.raises(OutboxError):
            announcer.announce("st1", state_of())
    announcer.announce("st1", state_of())
    assert outbox.statistics()["queued"] == 2
