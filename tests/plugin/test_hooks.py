# SPDX-License-Identifier: AGPL-3.0-or-later
"""The hook: one durable append, and never an error that would cost a scan."""

from __future__ import annotations

import sqlite3
import time
from contextlib import suppress
from pathlib import Path

import pytest

from plugin import hooks as hooks_module
from plugin.events import StoredInstance
from plugin.hooks import Hooks
from plugin.queue import GAP, JobQueue, QueueError


class Disk:
    """A queue file whose disk can be full."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.full = False

    def open(self) -> JobQueue:
        if self.full:
            raise QueueError("database or disk is full")
        return JobQueue(self.path)


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "queue.sqlite")


def told(disk: Disk) -> str:
    """What the workers are told of a gap, within a few seconds; nothing if they aren't."""
    until = time.monotonic() + 5.0
    while time.monotonic() < until:
        # The file may just be being made.
        with suppress(QueueError):
            if said := JobQueue(disk.path).fact(GAP):
                return said
        time.sleep(0.01)
    return ""


def test_an_arrival_is_in_the_queue_when_the_hook_returns(disk: Disk) -> None:
    hooks = Hooks(disk.open, lambda _: None)
    hooks.on_stored_instance(StoredInstance("i1", "1.2.3"))
    (arrival,) = JobQueue(disk.path).arrivals()
    assert (arrival.instance, arrival.sop_class) == ("i1", "1.2.3")


def test_a_full_disk_is_reported_once_and_raises_nothing(disk: Disk) -> None:
    reports: list[str] = []
    hooks = Hooks(disk.open, reports.append)
    disk.full = True
    for n in range(50):
        hooks.on_stored_instance(StoredInstance(f"i{n}", ""))
    assert len(reports) == 1
    assert "disk is full" in hooks.error
    assert hooks.missed == 50


def test_after_a_full_disk_the_workers_are_told_to_look_for_what_was_missed(disk: Disk) -> None:
    hooks = Hooks(disk.open, lambda _: None)
    disk.full = True
    hooks.on_stored_instance(StoredInstance("i1", ""))
    disk.full = False
    hooks.on_stored_instance(StoredInstance("i2", ""))
    assert told(disk)
    hooks.on_stored_instance(StoredInstance("i3", ""))
    assert hooks.error == ""


def test_the_status_notices_a_recovered_disk_without_a_new_arrival(disk: Disk) -> None:
    hooks = Hooks(disk.open, lambda _: None)
    disk.full = True
    hooks.on_stored_instance(StoredInstance("i1", ""))
    assert hooks.probe() != ""
    disk.full = False
    assert hooks.probe() == ""
    assert told(disk)


def test_after_the_journal_was_deleted_the_workers_are_told_to_look_for_what_was_missed(
    disk: Disk,
) -> None:
    hooks = Hooks(disk.open, lambda _: None)
    hooks.on_stored_instance(StoredInstance("i1", ""))
    for segment in (disk.path.parent / "arrivals").iterdir():
        segment.unlink()
    hooks.on_stored_instance(StoredInstance("i2", ""))
    assert told(disk)
    assert [one.instance for one in JobQueue(disk.path).arrivals()] == ["i2"]


@pytest.fixture
def damaged(disk: Disk) -> Disk:
    disk.path.write_bytes(b"garbage!" * 1024)
    return disk


def test_an_arrival_is_kept_while_the_queue_is_damaged(damaged: Disk) -> None:
    hooks = Hooks(damaged.open, lambda _: None)
    hooks.on_stored_instance(StoredInstance("i1", "1.2.3"))
    assert hooks.missed == 0
    damaged.path.unlink()
    assert [one.instance for one in JobQueue(damaged.path).arrivals()] == ["i1"]


def test_the_status_names_a_damaged_queue_until_it_is_moved_away(damaged: Disk) -> None:
    hooks = Hooks(damaged.open, lambda _: None)
    hooks.on_stored_instance(StoredInstance("i1", "1.2.3"))
    assert "queue.sqlite is damaged" in hooks.probe()
    assert hooks.missed == 0
    damaged.path.unlink()
    assert hooks.probe() == ""
    assert hooks.error == ""


def test_the_hook_waits_for_no_queue_that_is_locked(disk: Disk) -> None:
    """Opening the file would wait for whoever holds it, and Orthanc's storing with it."""
    JobQueue(disk.path).remember("a", "b")
    other = sqlite3.connect(disk.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    Hooks(disk.open, lambda _: None).on_stored_instance(StoredInstance("i1", ""))
    assert time.monotonic() - started < 1.0
    other.close()


def test_the_hook_waits_for_no_locked_queue_either_where_arrivals_were_missed(disk: Disk) -> None:
    JobQueue(disk.path).remember("a", "b")
    hooks = Hooks(disk.open, lambda _: None)
    hooks.on_stored_instance(StoredInstance("i1", ""))
    for segment in (disk.path.parent / "arrivals").iterdir():
        segment.unlink()
    other = sqlite3.connect(disk.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    hooks.on_stored_instance(StoredInstance("i2", ""))
    hooks.on_stored_instance(StoredInstance("i3", ""))
    assert time.monotonic() - started < 1.0
    other.close()
    assert told(disk)


def test_workers_are_told_of_what_was_missed_with_no_later_arrival(disk: Disk) -> None:
    """The journal alone can't be written: nobody stores anything more, nobody asks how it is."""
    in_the_way = disk.path.parent / "arrivals"
    in_the_way.write_text("no folder", encoding="ascii")
    hooks = Hooks(disk.open, lambda _: None)
    hooks.on_stored_instance(StoredInstance("i1", ""))
    assert told(disk)
    assert hooks.missed == 1


def test_what_is_missed_later_is_told_of_anew(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks_module, "TELL_EVERY_SECONDS", 0.01)
    hooks = Hooks(disk.open, lambda _: None)
    (disk.path.parent / "arrivals").write_text("no folder", encoding="ascii")
    hooks.on_stored_instance(StoredInstance("i1", ""))
    first = told(disk)
    JobQueue(disk.path).replace(GAP, "", instead_of=first)
    hooks.on_stored_instance(StoredInstance("i2", ""))
    assert told(disk) not in ("", first)
