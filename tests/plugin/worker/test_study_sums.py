# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is kept on a study is true seconds after its last scan, at a price that does not grow."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from plugin.anatomy import AnatomyBook
from plugin.archive import ArchiveError, ArchiveUnavailableError, NotFoundError
from plugin.configuration.worklist import LabelSection
from plugin.queue import QueueError
from plugin.states import Metadata
from plugin.worker.labels import Labels
from plugin.worker.study_sums import MOST_REST_SECONDS, REST_SECONDS, StudySums
from plugin.worker.sums_ledger import LEASE_SECONDS, SumsLedger
from tests.plugin.anatomy.test_anatomy_book import Shelf, said
from tests.plugin.worker.test_labels import FakeArchive, end, end_series, shown

Clock = Callable[[float], None]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Lets seconds pass on the clock of the ledger."""
    now = [1_000.0]

    def wait(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr("plugin.worker.sums_ledger.time", SimpleNamespace(time=lambda: now[0]))
    monkeypatch.setattr("plugin.worker.study_sums.LOOK_EVERY_SECONDS", 0.0)
    return wait


@pytest.fixture
def ledger(tmp_path: Path) -> SumsLedger:
    return SumsLedger.beside(str(tmp_path / "queue.sqlite"))


def sums(archive: FakeArchive | Shelf, ledger: SumsLedger | None) -> StudySums:
    """Those of one worker process."""
    return StudySums(archive, Labels(archive, LabelSection()), ledger)  # type: ignore[arg-type]


def whole_study(archive: FakeArchive) -> set[str]:
    return shown(archive, "study", "study")


@pytest.mark.usefixtures("later")
def test_a_hundred_images_in_quick_succession_cost_as_many_questions_as_one(
    ledger: SumsLedger,
) -> None:
    one, many = FakeArchive(), FakeArchive()
    end(one, "x1", "no-findings")
    for number in range(100):
        end(many, f"x{number}", "no-findings", ledger)
    assert len(many.asked) == len(one.asked)


def test_the_sum_is_true_seconds_after_the_last_image(ledger: SumsLedger, later: Clock) -> None:
    archive = FakeArchive()
    end(archive, "x1", "abstained", ledger)
    end(archive, "x2", "no-findings", ledger)
    assert whole_study(archive) == {"sidelight-abstained"}
    assert sums(archive, ledger).run_if_due() == 0
    later(REST_SECONDS)
    assert sums(archive, ledger).run_if_due() == 1
    both = {"sidelight-negative", "sidelight-abstained"}
    assert whole_study(archive) == shown(archive, "series", "x") == both
    later(MOST_REST_SECONDS)
    assert sums(archive, ledger).run_if_due() == 0


def test_a_study_that_was_quiet_is_summed_up_at_once(ledger: SumsLedger, later: Clock) -> None:
    archive = FakeArchive()
    end(archive, "x1", "no-findings", ledger)
    later(REST_SECONDS)
    end(archive, "x2", "findings", ledger)
    assert whole_study(archive) == {"sidelight-positive"}


@pytest.mark.parametrize("finished", [0, 59])
def test_slices_are_not_asked_for_where_series_are_scans(
    finished: int, ledger: SumsLedger, later: Clock
) -> None:
    archive = FakeArchive(modality="CT")
    for number in range(60):
        series = chr(ord("A") + number)
        archive.metadatas["series", series, Metadata.ANATOMY] = '{"modality": "CT"}'
        if number < finished:
            end_series(archive, series, "no-findings", ledger)
    later(REST_SECONDS)
    archive.asked.clear()
    end_series(archive, "A", "no-findings", ledger)
    assert set(archive.asked) == {"series"}
    assert whole_study(archive) == {"sidelight-negative"}


def test_images_among_slices_count_also_when_another_scan_ends(
    ledger: SumsLedger, later: Clock
) -> None:
    archive = FakeArchive(modality="CT")
    end_series(archive, "x", "no-findings", ledger)
    later(REST_SECONDS)
    end(archive, "x9", "findings", ledger)
    assert whole_study(archive) == {"sidelight-positive"}
    for series in "yz":
        later(MOST_REST_SECONDS)
        end_series(archive, series, "no-findings", ledger)
        assert whole_study(archive) == {"sidelight-positive"}


@pytest.mark.parametrize("noted", [True, False], ids=["a ledger that is lost", "none yet"])
def test_images_among_slices_count_also_without_the_history_of_their_study(
    noted: bool, ledger: SumsLedger, later: Clock, tmp_path: Path
) -> None:
    archive = FakeArchive(modality="CT")
    first = ledger if noted else None
    end_series(archive, "x", "no-findings", first)
    end(archive, "x9", "findings", first)
    other = SumsLedger(tmp_path / "other.sqlite")
    for series in "yz":
        later(MOST_REST_SECONDS)
        archive.asked.clear()
        end_series(archive, series, "no-findings", other)
        assert whole_study(archive) == {"sidelight-positive"}
        assert archive.metadatas["study", "study", Metadata.PRIORITY] == "3"


@pytest.mark.usefixtures("later")
def test_a_finding_that_makes_a_study_positive_is_shown_at_once(ledger: SumsLedger) -> None:
    archive = FakeArchive()
    end(archive, "x1", "no-findings", ledger)
    end(archive, "x2", "findings", ledger)
    assert whole_study(archive) == shown(archive, "series", "x") == {"sidelight-positive"}
    assert archive.metadatas["study", "study", Metadata.PRIORITY] == "3"
    archive.asked.clear()
    for number in range(3, 100):
        end(archive, f"x{number}", "findings", ledger)
    assert archive.asked == []


@pytest.mark.usefixtures("later")
def test_a_finding_that_is_more_urgent_is_shown_at_once(ledger: SumsLedger) -> None:
    archive = FakeArchive()
    end(archive, "x1", "findings", ledger)
    archive.metadatas["study", "study", Metadata.PRIORITY] = "1"
    end(archive, "x2", "findings", ledger)
    assert archive.metadatas["study", "study", Metadata.PRIORITY] == "3"


@pytest.mark.usefixtures("later")
def test_a_finding_does_not_wait_for_the_sum_that_another_worker_makes(
    ledger: SumsLedger,
) -> None:
    archive = FakeArchive()
    end(archive, "x1", "no-findings")
    assert ledger.changed("states", "study", "x") is not None
    end(archive, "x2", "findings", ledger)
    assert whole_study(archive) == {"sidelight-positive"}


@pytest.mark.parametrize("back", [600.0, 7200.0])
def test_a_clock_that_is_set_back_stops_no_sum(
    back: float, ledger: SumsLedger, later: Clock
) -> None:
    archive = FakeArchive()
    end(archive, "x1", "abstained", ledger)
    end(archive, "x2", "no-findings", ledger)
    later(-back)
    assert sums(archive, ledger).run_if_due() == 1
    assert whole_study(archive) == {"sidelight-abstained", "sidelight-negative"}


def test_what_ends_while_a_sum_is_made_is_summed_up_after_it(
    ledger: SumsLedger, later: Clock
) -> None:
    archive = FakeArchive()
    ask = archive.metadata_of
    second = threading.Thread(target=end, args=(archive, "x2", "findings", ledger))

    def meanwhile(*asked: Any) -> Any:
        found = ask(*asked)
        if second.ident is None:
            second.start()
            second.join()
        return found

    archive.metadata_of = meanwhile  # type: ignore[method-assign]
    end(archive, "x1", "no-findings", ledger)
    later(REST_SECONDS)
    assert sums(archive, ledger).run_if_due() == 1
    assert whole_study(archive) == {"sidelight-positive"}


def test_a_sum_of_a_worker_that_was_killed_is_made_by_another(
    ledger: SumsLedger, later: Clock
) -> None:
    archive = FakeArchive()
    end(archive, "x1", "findings")
    archive.shown.clear()
    assert ledger.changed("states", "study", "x") is not None  # and then it is killed
    assert sums(archive, ledger).run_if_due() == 0
    later(LEASE_SECONDS)
    assert sums(archive, ledger).run_if_due() == 1
    assert whole_study(archive) == {"sidelight-positive"}


def test_a_sum_that_was_overtaken_is_made_again(ledger: SumsLedger, later: Clock) -> None:
    slow = ledger.changed("states", "study", "x")
    assert slow is not None
    later(LEASE_SECONDS)
    faster = ledger.waiting()
    assert faster is not None
    ledger.made(slow, REST_SECONDS)
    ledger.failed(faster, REST_SECONDS)
    later(REST_SECONDS)
    assert ledger.waiting() is not None


def test_orthanc_away_costs_no_sum(ledger: SumsLedger, later: Clock) -> None:
    archive = FakeArchive()
    end(archive, "x1", "abstained", ledger)
    end(archive, "x2", "no-findings", ledger)
    ask, archive.metadata_of = archive.metadata_of, _raises(ArchiveUnavailableError("away"))  # type: ignore[method-assign]
    later(REST_SECONDS)
    with pytest.raises(ArchiveUnavailableError):
        sums(archive, ledger).run_if_due()
    archive.metadata_of = ask  # type: ignore[method-assign]
    later(MOST_REST_SECONDS)
    assert sums(archive, ledger).run_if_due() == 1
    assert whole_study(archive) == {"sidelight-negative", "sidelight-abstained"}


@pytest.mark.parametrize("error", [ArchiveError("Orthanc answers 500"), ValueError("PATIENT")])
def test_one_study_that_cannot_be_summed_up_stops_no_worker(
    error: Exception, ledger: SumsLedger, later: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    archive = FakeArchive()
    end(archive, "x1", "abstained", ledger)
    end(archive, "x2", "no-findings", ledger)
    archive.metadata_of = _raises(error)  # type: ignore[method-assign]
    later(REST_SECONDS)
    worker = sums(archive, ledger)
    assert [worker.run_if_due() for _ in range(3)] == [1, 0, 0]
    assert "not summed up yet" in caplog.text
    assert "PATIENT" not in caplog.text


def test_a_study_that_was_deleted_is_forgotten(ledger: SumsLedger, later: Clock) -> None:
    archive = FakeArchive()
    end(archive, "x1", "abstained", ledger)
    end(archive, "x2", "no-findings", ledger)
    archive.metadata_of = _raises(NotFoundError("gone"))  # type: ignore[method-assign]
    later(REST_SECONDS)
    assert sums(archive, ledger).run_if_due() == 1
    later(LEASE_SECONDS)
    assert ledger.waiting() is None


def test_a_ledger_that_cannot_be_written_costs_time_alone(
    ledger: SumsLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("changed", "waiting", "made"):
        monkeypatch.setattr(ledger, name, _raises(QueueError("disk is full")))
    archive = FakeArchive()
    end(archive, "x1", "no-findings", ledger)
    end(archive, "y1", "findings", ledger)
    assert whole_study(archive) == {"sidelight-positive"}
    assert sums(archive, ledger).run_if_due() == 0


@pytest.mark.usefixtures("later")
def test_series_of_a_study_that_are_recognized_in_quick_succession_sum_it_up_once(
    ledger: SumsLedger,
) -> None:
    shelf = Counting()
    shelf.series = [f"s{number}" for number in range(60)]
    book = AnatomyBook(shelf, sum_later=sums(shelf, ledger).anatomy_changed)
    for series in shelf.series:
        book.note(series, "study", said("chest"))
    assert shelf.asked == 2
    assert shelf.study() == {"regions": ["chest"], "by_modality": {"CT": ["chest"]}}


def test_regions_of_a_study_are_true_seconds_after_its_last_series(
    ledger: SumsLedger, later: Clock
) -> None:
    shelf = Counting()
    worker = sums(shelf, ledger)
    book = AnatomyBook(shelf, sum_later=worker.anatomy_changed)
    book.note("s1", "study", said("chest"))
    book.note("s2", "study", said("abdomen"))
    later(REST_SECONDS)
    assert worker.run_if_due() == 1
    assert set(shelf.study()["regions"]) == {"chest", "abdomen"}


class Counting(Shelf):
    """Counts how often a whole study is asked for."""

    asked = 0

    def metadata_of(self, resources: Any, level: str, names: Any) -> list[Any]:
        self.asked += list(resources) == ["study"]
        return super().metadata_of(resources, level, names)


def _raises(error: Exception) -> Any:
    def fails(*_: Any) -> Any:
        raise error

    return fails
