# SPDX-License-Identifier: AGPL-3.0-or-later
"""From arrivals to jobs: images one by one, slices as series, nothing else at all."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from plugin.archive import NotFoundError
from plugin.queue import JobQueue, NewJob, Retry
from plugin.states import Metadata, Status
from plugin.worker.no_image import holds_no_image
from plugin.worker.sop_classes import is_image, is_volume
from plugin.worker.triage import MOST_SLICES, Triage

DX = "1.2.840.10008.5.1.4.1.1.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
SR = "1.2.840.10008.5.1.4.1.1.88.33"


class FakeArchive:
    """Orthanc's database: instance -> (series, SOP class, digest of the content)."""

    def __init__(self, **instances: tuple[str, str, str]) -> None:
        self.instances = instances
        self.questions = 0
        self.kept: set[str] = set()
        self.change_list: list[str] = []

    def _known(self, instance: str) -> tuple[str, str, str]:
        self.questions += 1
        if instance not in self.instances:
            raise NotFoundError("gone")
        return self.instances[instance]

    def instance(self, instance: str) -> dict[str, Any]:
        return {"ParentSeries": self._known(instance)[0]}

    def series(self, series: str) -> dict[str, Any]:
        self.questions += 1
        inside = [i for i, (s, _, _) in self.instances.items() if s == series]
        return {"ParentStudy": "study", "Instances": inside}

    def sop_class(self, instance: str) -> str:
        return self._known(instance)[1]

    def content_digest(self, instance: str) -> str:
        return self._known(instance)[2]

    def metadata(self, level: str, resource: str, name: Metadata) -> str | None:
        assert (level, name) in {
            ("instance", Metadata.STATE),
            ("series", Metadata.STATE),
            ("series", Metadata.ANATOMY),
        }
        return "{}" if resource in self.kept else None

    def metadata_of(
        self, resources: list[str], level: str, names: tuple[Any, ...]
    ) -> list[tuple[dict[str, str], dict[Any, str]]]:
        assert names == ()
        self.questions += 1
        series = {one[0] for one in self.instances.values()}
        there = set(self.instances) if level == "instance" else series
        return [({"ID": one}, {}) for one in resources if one in there]

    def last_change(self) -> int:
        return len(self.change_list)

    def new_instances(self, since: int) -> list[tuple[int, list[str]]]:
        return [(len(self.change_list), self.change_list[since:])]


@pytest.fixture
def queue(tmp_path: Path) -> JobQueue:
    return JobQueue(tmp_path / "queue.sqlite")


def triage(
    queue: JobQueue, archive: FakeArchive, wait: float = 0.0, together: float = 0.0
) -> Triage:
    return Triage(queue, archive, wait, "app", together)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sop_class", "image", "volume"),
    [
        (DX, True, False),
        (CT, True, True),
        ("1.2.840.10008.5.1.4.1.1.128", True, True),
        ("1.2.840.10008.5.1.4.1.1.7", True, False),
        ("1.2.840.10008.5.1.4.1.1.481.1", True, False),
        ("1.2.840.10008.5.1.4.1.1.481.3", False, False),
        ("1.2.840.10008.5.1.4.1.1.66.4", False, False),
        ("1.2.840.10008.5.1.4.1.1.11.1", False, False),
        (SR, False, False),
        ("1.2.3.4.5", True, False),
    ],
)
def test_sop_classes_are_told_apart(sop_class: str, image: bool, volume: bool) -> None:
    assert (is_image(sop_class), is_volume(sop_class)) == (image, volume)


@pytest.mark.parametrize(
    ("sop_class", "rows", "without"),
    [
        ("1.3.46.670589.11.0.0.12.2", None, True),
        ("1.3.12.2.1107.5.9.1", None, True),
        ("1.3.12.2.1107.5.9.1", 0, True),
        ("1.3.46.670589.11.0.0.12.1", 256, False),
        ("1.2.840.10008.5.1.4.38.1", None, True),
        (SR, 256, True),
        (DX, None, False),
        (CT, None, False),
        ("", None, False),
    ],
)
def test_what_has_no_size_is_no_image_unless_its_class_has_one_or_is_not_told(
    sop_class: str, rows: int | None, without: bool
) -> None:
    header = Dataset()
    header.SOPClassUID = sop_class
    if rows is not None:
        header.Rows = header.Columns = rows
    assert holds_no_image(header) is without


def test_a_radiograph_is_a_job_of_its_own(queue: JobQueue) -> None:
    queue.put("i1", DX)
    triage(queue, FakeArchive(i1=("s1", DX, "md5"))).settle_arrivals()
    job = queue.lease("w", 60)
    assert job is not None
    assert (job.level, job.resource, job.content, job.study) == ("instance", "i1", "md5", "study")


def test_reports_and_segmentations_are_no_jobs(queue: JobQueue) -> None:
    queue.put("i1", SR)
    archive = FakeArchive(i1=("s1", SR, "md5"))
    assert triage(queue, archive).settle_arrivals() == 1
    assert queue.lease("w", 60) is None
    assert queue.arrivals() == []
    assert archive.questions == 0


def test_a_scan_that_was_deleted_meanwhile_is_forgotten(queue: JobQueue) -> None:
    queue.put("i1", DX)
    triage(queue, FakeArchive()).settle_arrivals()
    assert queue.arrivals() == []
    assert queue.lease("w", 60) is None


def test_a_deleted_study_is_forgotten_with_two_questions_and_others_are_not(
    queue: JobQueue,
) -> None:
    archive = FakeArchive(stays=("s1", DX, "md5"))
    for n in range(200):
        queue.put(f"gone{n}", CT)
    queue.put("stays", DX)
    triage(queue, archive).settle_arrivals()
    assert queue.arrivals() == []
    job = queue.lease("w", 60)
    assert job is not None
    assert job.resource == "stays"
    assert archive.questions <= 6


def test_a_series_is_looked_at_once_and_at_once(queue: JobQueue) -> None:
    archive = FakeArchive(**{f"i{n}": ("s1", CT, str(n)) for n in range(40)})
    for n in range(40):
        queue.put(f"i{n}", CT)
    triage(queue, archive, wait=100).settle_arrivals()
    job = queue.lease("w", 60)
    assert job is not None
    assert (job.level, job.resource) == ("recognition", "s1")
    assert queue.lease("w", 60) is None
    assert archive.questions <= 3


def test_slices_that_came_a_moment_ago_are_left_for_their_followers(queue: JobQueue) -> None:
    archive = FakeArchive(i1=("s1", DX, "a"), i2=("s2", CT, "b"), i3=("s2", CT, "c"))
    queue.put("i2", CT)
    queue.put("i1", DX)
    queue.put("i3", CT)
    assert triage(queue, archive, together=60).settle_arrivals() == 2
    assert [arrival.instance for arrival in queue.arrivals()] == ["i3"]
    assert triage(queue, archive, together=0).settle_arrivals() == 1


def test_slices_that_a_user_asks_for_again_do_not_wait(queue: JobQueue) -> None:
    archive = FakeArchive(i1=("s1", CT, "a"))
    queue.put_all([("i1", CT)], forced=True)
    assert triage(queue, archive, together=60).settle_arrivals() == 1


def test_slices_without_end_are_settled_before_they_are_old(queue: JobQueue) -> None:
    archive = FakeArchive(**{f"i{n}": ("s1", CT, str(n)) for n in range(MOST_SLICES + 1)})
    for n in range(MOST_SLICES + 1):
        queue.put(f"i{n}", CT)
    assert triage(queue, archive, together=60).settle_arrivals() == MOST_SLICES + 1


@pytest.mark.parametrize("per_second", [20, 100, 2000])
def test_slices_that_pour_in_are_settled_a_few_times_a_second_and_never_late(
    per_second: int, queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    count, together = 4 * per_second, 0.5
    archive = FakeArchive(**{f"i{n}": ("s1", CT, str(n)) for n in range(count)})
    sorter = triage(queue, archive, together=together)
    now, came, left = 1000.0, 0, []
    monkeypatch.setattr("time.time", lambda: now)
    batches = []
    while sum(batches) < count:
        while came < min(count, (now - 1000.0) * per_second):
            queue.put(f"i{came}", CT)
            came += 1
        if settled := sorter.settle_arrivals():
            batches.append(settled)
        left = [now - one.received for one in queue.arrivals()]
        assert all(age < together for age in left)
        now += 0.02
    assert len(batches) <= max(4.0 / together, count / MOST_SLICES) + 1


def test_slices_behind_images_that_keep_coming_are_settled(
    queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first slice is old though the last is always young."""
    archive = FakeArchive(**{f"i{n}": ("s1", CT, str(n)) for n in range(9)}, dx=("s2", DX, "a"))
    now = 1000.0
    monkeypatch.setattr("time.time", lambda: now)
    queue.put("dx", DX)
    for n in range(5):
        queue.put(f"i{n}", CT)
        now += 0.2
    assert triage(queue, archive, together=0.5).settle_arrivals() == 6


def test_slices_of_a_clock_that_was_set_back_do_not_wait(
    queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = FakeArchive(i1=("s1", CT, "a"))
    queue.put("i1", CT)
    monkeypatch.setattr("time.time", lambda: 1000.0)
    assert triage(queue, archive, together=60).settle_arrivals() == 1


def test_a_series_with_an_application_becomes_one_job_when_quiet(queue: JobQueue) -> None:
    archive = FakeArchive(i1=("s1", CT, "a"), i2=("s1", CT, "b"))
    sorter = triage(queue, archive)
    queue.put("i1", CT)
    sorter.settle_arrivals()
    first_look = queue.lease("w", 60)
    assert first_look is not None
    queue.recognized("s1", queue.last_arrival("s1"))
    archive.kept.add("s1")
    queue.done(first_look, "waiting")
    queue.put("i2", CT)
    sorter.settle_arrivals()
    assert sorter.settle_series() == 1
    job = queue.lease("w", 60)
    assert job is not None
    assert (job.level, job.resource) == ("series", "s1")
    assert sorter.settle_series() == 0


def test_a_series_without_application_waits_for_nothing(queue: JobQueue) -> None:
    archive = FakeArchive(i1=("s1", CT, "a"), i2=("s1", CT, "b"))
    sorter = triage(queue, archive)
    queue.put("i1", CT)
    sorter.settle_arrivals()
    job = queue.lease("w", 60)
    assert job is not None
    queue.recognized("s1", None)
    archive.kept.add("s1")
    queue.done(job, "no-application")
    queue.put("i2", CT)
    sorter.settle_arrivals()
    assert sorter.settle_series() == 0
    assert queue.pending_for(["s1", "study"]) == 0


def test_the_same_series_sent_again_is_not_analysed_again(queue: JobQueue) -> None:
    archive = FakeArchive(i1=("s1", CT, "a"))
    sorter = triage(queue, archive)
    worked_off = 0
    for _ in range(2):
        queue.put("i1", CT)
        sorter.settle_arrivals()
        queue.recognized("s1", time.time())
        sorter.settle_series()
        while (job := queue.lease("w", 60)) is not None:
            archive.kept.add(job.resource)
            queue.done(job, "done")
            worked_off += 1
    assert worked_off == 2, "one first look, one analysis"


@pytest.mark.parametrize(("kind", "jobs"), [(DX, ["i1"]), (CT, ["s1", "s1"])])
def test_what_was_deleted_and_is_sent_again_is_analysed_again(
    kind: str, jobs: list[str], queue: JobQueue
) -> None:
    archive = FakeArchive(i1=("s1", kind, "a"))
    sorter = triage(queue, archive)
    worked_off = []
    for _ in range(2):
        queue.put("i1", kind)
        sorter.settle_arrivals()
        queue.recognized("s1", time.time())
        sorter.settle_series()
        while (job := queue.lease("w", 60)) is not None:
            archive.kept.add(job.resource)
            queue.done(job, "done")
            worked_off.append(job.resource)
        archive.kept.clear()
    assert worked_off == 2 * jobs


@pytest.mark.parametrize("kind", [DX, CT])
def test_what_sidelight_made_is_looked_at_once_however_it_grows(kind: str, queue: JobQueue) -> None:
    """Nothing is kept beside it, so that nothing there says that it was looked at."""
    archive = FakeArchive(i1=("s1", kind, "a"))
    sorter = triage(queue, archive)
    looks = 0
    for _ in range(3):
        queue.put("i1", kind)
        sorter.settle_arrivals()
        while (job := queue.lease("w", 60)) is not None:
            queue.done(job, Status.OWN_OBJECT.value)
            looks += 1
    assert looks == 1


def test_a_whole_series_that_was_deleted_is_done_again_though_the_first_look_wrote_a_state(
    queue: JobQueue,
) -> None:
    """Where no application fits the first look ends it, and copies still wait for the whole."""
    archive = FakeArchive(i1=("s1", CT, "a"))
    sorter = triage(queue, archive)

    def arrive() -> list[str]:
        queue.put("i1", CT)
        sorter.settle_arrivals()
        done = []
        for _ in range(2):
            if (job := queue.lease("w", 60)) is not None:
                if job.level == "recognition":
                    queue.recognized("s1", time.time() - 1)
                archive.kept.add("s1")
                queue.done(job, Status.NO_APPLICATION.value)
                done.append(job.level)
            sorter.settle_series()
        return done

    assert arrive() == ["recognition", "series"]
    assert arrive() == []
    archive.kept.clear()
    assert arrive() == ["recognition", "series"]
    assert arrive() == []


def give_up(queue: JobQueue, *jobs: tuple[str, str]) -> None:
    for level, resource in jobs:
        queue.settle([], [NewJob(level, resource, "", "a", "s", "st", time.time())])  # type: ignore[arg-type]
        job = queue.lease("w", 60.0)
        assert job is not None
        assert queue.fail(job, "broken")


def test_scans_that_were_given_up_are_forgotten_once_they_are_gone(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path / "queue.sqlite", Retry(maximum_attempts=1))
    archive = FakeArchive(here=("there", DX, "c"))
    give_up(
        queue,
        ("instance", "here"), ("instance", "gone"), ("series", "there"), ("series", "lost"),
        ("recognition", "lost"),
    )  # fmt: skip
    triage = Triage(queue, archive, 1.0)  # type: ignore[arg-type]
    triage.forget_gone()
    assert {one["resource"] for one in queue.dead_letters()} == {"here", "there"}
    assert queue.statistics()["dead"] == 2
    assert archive.questions == 2
    triage.forget_gone()
    assert archive.questions == 2
    give_up(queue, ("instance", "gone"))  # it came again
    assert queue.statistics()["dead"] == 3


def test_a_scan_that_is_tried_again_meanwhile_is_not_forgotten(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path / "queue.sqlite", Retry(maximum_attempts=1))
    give_up(queue, ("instance", "gone"))
    letters = queue.dead_letters()
    queue.settle([], [NewJob("instance", "gone", "", "a", "s", "st", time.time())])
    queue.forget(letters)
    assert queue.statistics()["queued"] == 1
