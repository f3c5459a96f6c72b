# SPDX-License-Identifier: AGPL-3.0-or-later
"""The journal of arrivals: what is being written is never taken to be finished."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from plugin.journal import JournalReader, JournalWriter
from plugin.queue import JobQueue, QueueError

HOUR_NS = 3600 * 10**9


def ahead(folder: Path) -> Path:
    """A segment that a process wrote while the clock was an hour ahead."""
    folder.mkdir(exist_ok=True)
    segment = folder / f"{time.time_ns() + HOUR_NS:020}.arrivals"
    segment.write_text(f"earlier 1.2 {time.time() + 3600:.6f}\n", encoding="ascii")
    return segment


def test_a_new_segment_comes_last_though_the_clock_was_set_back(tmp_path: Path) -> None:
    earlier = ahead(tmp_path)
    JournalWriter(tmp_path).append("i1", "1.2")
    reader = JournalReader(tmp_path)
    first, last = reader.segments()
    assert first == earlier.name
    assert reader.finished({first: earlier.stat().st_size}) == [first]
    assert [one.instance for one in reader.entries({}, 10)] == ["earlier", "i1"]
    assert last > first


def test_after_the_clock_was_set_back_no_arrival_is_tidied_away(tmp_path: Path) -> None:
    ahead(tmp_path / "arrivals")
    queue = JobQueue(tmp_path / "queue.sqlite")
    for n in range(3):
        queue.put(f"i{n}", "1.2")
        found = queue.arrivals()
        assert found[-1].instance == f"i{n}"
        queue.settle(found, [])
        queue.tidy()
    assert len(list((tmp_path / "arrivals").iterdir())) == 1


def test_what_follows_a_deleted_segment_can_be_read_and_says_that_something_is_missing(
    tmp_path: Path,
) -> None:
    writer, reader = JournalWriter(tmp_path), JournalReader(tmp_path)
    assert writer.append("i1", "1.2")
    assert writer.append("i2", "1.2")
    for segment in reader.segments():
        reader.remove(segment)
    assert not writer.append("i3", "1.2")
    assert writer.append("i4", "1.2")
    assert [one.instance for one in reader.entries({}, 10)] == ["i3", "i4"]


def test_what_follows_a_folder_that_was_moved_away_can_be_read_too(tmp_path: Path) -> None:
    writer, reader = JournalWriter(tmp_path / "arrivals"), JournalReader(tmp_path / "arrivals")
    assert writer.append("i1", "1.2")
    (tmp_path / "arrivals").rename(tmp_path / "aside")
    assert not writer.append("i2", "1.2")
    assert [one.instance for one in reader.entries({}, 10)] == ["i2"]


@pytest.mark.parametrize("name", ["notes.txt", "1.arrivals", "gap"])
def test_other_files_in_the_folder_are_no_segments(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    JournalWriter(tmp_path).append("i1", "1.2")
    assert len(JournalReader(tmp_path).segments()) == 1


ZEROS = b"\0" * 300


@pytest.mark.parametrize(
    "broken",
    [ZEROS + b" 1764500000.1\n", b"i2 1.2\n", b"i2 1.2 never\n", b"i2\r1.2 1.0\n", b"\xff 1 1.0\n"],
)
def test_lines_that_are_no_arrivals_are_passed_over(
    tmp_path: Path, broken: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    writer, reader = JournalWriter(tmp_path), JournalReader(tmp_path)
    writer.append("i1", "1.2")
    segment = tmp_path / reader.segments()[0]
    segment.write_bytes(segment.read_bytes() + broken)
    writer.append("i3", "1.2")
    for _ in range(2):
        assert [one.instance for one in reader.entries({}, 10)] == ["i1", "i3"]
    assert reader.entries({}, 10)[-1].end == segment.stat().st_size
    assert (reader.count({}), reader.count_of({"i1", "i3"}, {})) == (2, 2)
    assert reader.arrived(60.0) == 2
    assert len(caplog.records) == 1
    assert "i2" not in caplog.text


@pytest.mark.parametrize("sop_class", ["1.2 ", "1.2\0", "1.2 3", "\u00e9", ""])
def test_an_arrival_of_an_odd_class_is_kept_without_it(tmp_path: Path, sop_class: str) -> None:
    JournalWriter(tmp_path).append("i1", sop_class)
    (entry,) = JournalReader(tmp_path).entries({}, 10)
    assert (entry.instance, entry.sop_class) == ("i1", "")


def test_a_file_that_ends_with_lines_that_are_no_arrivals_is_finished(tmp_path: Path) -> None:
    JournalWriter(tmp_path).append("i1", "1.2")
    reader = JournalReader(tmp_path)
    (first,) = reader.segments()
    end = (tmp_path / first).stat().st_size
    (tmp_path / first).write_bytes((tmp_path / first).read_bytes() + ZEROS + b"\n")
    JournalWriter(tmp_path).append("i2", "1.2")
    assert reader.finished({first: end}) == [first]
    assert reader.count({first: end}) == 1


def test_a_folder_of_arrivals_that_can_not_be_read_is_an_error_of_the_queue(
    tmp_path: Path,
) -> None:
    (tmp_path / "arrivals").write_text("no folder", encoding="ascii")
    queue = JobQueue(tmp_path / "queue.sqlite")
    for question in (queue.arrivals, queue.statistics, queue.tidy, lambda: queue.arrived(1.0)):
        with pytest.raises(QueueError, match="the folder of arrivals"):
            question()
