# SPDX-License-Identifier: AGPL-3.0-or-later
"""The worklist follows new reports and deletions, at a price that does not grow with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from plugin.web import latest_reports
from plugin.web.latest_reports import LatestReports
from tests.plugin.web.fake_archive import FakeArchive

MOST = 10


@dataclass
class Counting(FakeArchive):
    """Counts the resources that Orthanc describes, or finds."""

    described: list[int] = field(default_factory=list)

    def find(self, *asked: Any, **options: Any) -> list[Any]:
        found = super().find(*asked, **options)
        self.described.append(len(found))
        return found

    def metadata_of(self, *asked: Any) -> list[Any]:
        found = super().metadata_of(*asked)
        self.described.append(len(found))
        return found


@pytest.fixture
def archive() -> Counting:
    archive = Counting()
    for number in range(100):
        archive.add_report(archive.add_study(f"s{number}"))
    return archive


@pytest.fixture
def latest(archive: Counting) -> LatestReports:
    latest = LatestReports(archive, MOST)
    latest.studies()
    archive.described.clear()
    return latest


def newest(archive: FakeArchive, count: int = MOST) -> list[str]:
    return list(reversed(archive.studies))[:count]


def test_the_newest_studies_are_listed_with_the_time_of_their_last_report(
    archive: Counting, latest: LatestReports
) -> None:
    found = latest.studies()
    assert list(found) == newest(archive)
    assert next(iter(found.values())) == "20261103T100099"


def test_another_look_describes_what_is_shown_alone(
    archive: Counting, latest: LatestReports
) -> None:
    latest.studies()
    assert sum(archive.described) == MOST


def test_a_new_report_is_followed_and_so_is_one_that_changed(
    archive: Counting, latest: LatestReports
) -> None:
    late = archive.add_study("late")
    archive.add_series(late, "CT")
    archive.add_report(late)
    old = next(iter(archive.studies))
    (report,) = archive.studies[old]["Series"]
    archive.serieses[report]["LastUpdate"] = "20261109T000000"
    archive.change("StableSeries", report)
    assert list(latest.studies())[:2] == [old, late]
    assert sum(archive.described) <= MOST + 3


def test_a_study_without_a_report_is_not_listed(archive: Counting, latest: LatestReports) -> None:
    study = archive.add_study("images")
    archive.add_series(study, "SR", Manufacturer="Other")
    archive.add_series(study, "CT", Manufacturer="Sidelight")
    assert study not in latest.studies()


@pytest.mark.parametrize("count", [1, MOST, 45])
def test_deleted_studies_make_room_at_once(
    count: int, archive: Counting, latest: LatestReports
) -> None:
    for study in newest(archive, count):
        del archive.studies[study]
        for series in [k for k, one in archive.serieses.items() if one["ParentStudy"] == study]:
            del archive.serieses[series]
    assert list(latest.studies()) == newest(archive)


def test_a_study_whose_reports_were_deleted_is_not_listed(
    archive: Counting, latest: LatestReports
) -> None:
    study = newest(archive)[0]
    second = archive.add_report(study)
    latest.studies()
    first, second_series = archive.studies[study]["Series"]
    assert archive.instances[second.instance]["ParentSeries"] == second_series
    archive.delete_series(second_series)
    assert latest.studies()[study] == archive.serieses[first]["LastUpdate"]
    archive.delete_series(first)
    assert study not in latest.studies()


def test_more_changes_than_are_worth_reading_are_not_read(
    archive: Counting, latest: LatestReports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latest_reports, "MOST_CHANGES", 5)
    for number in range(6):
        archive.add_report(archive.add_study(f"more {number}"))
    monkeypatch.setattr(archive, "changes", None)
    assert list(latest.studies()) == newest(archive)


@pytest.mark.parametrize("left", [0, 3])
def test_a_list_of_changes_that_starts_anew_is_noticed(
    left: int, archive: Counting, latest: LatestReports
) -> None:
    del archive.changed[left:]
    archive.add_report(archive.add_study("after"))
    assert list(latest.studies()) == newest(archive)


def test_a_list_of_changes_that_is_emptied_hides_no_report(
    archive: Counting, latest: LatestReports, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.add_report(archive.add_study("before"))
    last = archive.last_change()
    # As Orthanc answers after DELETE /changes: the numbers go on.
    monkeypatch.setattr(archive, "last_change", lambda: last)
    monkeypatch.setattr(archive, "changes", lambda *_: {"Changes": [], "Done": True, "Last": last})
    for _ in range(2):
        assert list(latest.studies()) == newest(archive)
    assert archive.described.count(len(archive.studies)) == 1  # read as a whole once


def test_changes_are_read_page_by_page(
    archive: Counting, latest: LatestReports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latest_reports, "_PAGE", 2)
    for number in range(7):
        archive.add_report(archive.add_study(f"more {number}"))
    assert list(latest.studies()) == newest(archive)


def test_all_reports_are_read_again_now_and_then(
    archive: Counting, latest: LatestReports, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.add_report(archive.add_study("unnoticed"))
    archive.changed.pop()
    assert list(latest.studies()) != newest(archive)
    monkeypatch.setattr(latest_reports, "WHOLE_SECONDS", -1.0)
    assert list(latest.studies()) == newest(archive)
