# SPDX-License-Identifier: AGPL-3.0-or-later
"""Studies are fetched from other archives for what the applications are made for, within bounds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from inference.contract import AnatomyAnswer
from plugin.archive import ArchiveError
from plugin.configuration.application_table import Pull
from plugin.dispatch.ledger import Ledger
from plugin.gate import InferenceUnavailableError
from plugin.routing.choosing import Arrival
from plugin.routing.exchange import FoundSeries, FoundStudies
from plugin.routing.pull_report import PullReport
from plugin.routing.pulling import Puller
from plugin.routing.served import Wanted, modalities_of, wanted_by_table
from tests.plugin.routing.tables import CT_CHEST, SCAN, application, table

PULL = {"name": "nightly", "modality": "PACS"}


def series(number: int, modality: str = "CT", text: str = "", **more: str) -> dict[str, str]:
    """What an archive answers of one series."""
    told = {
        "SeriesInstanceUID": f"1.2.8.{number}",
        "Modality": modality,
        "SeriesNumber": str(number),
    }
    return told | ({"SeriesDescription": text} if text else {}) | more


class Pacs:
    """Another archive behind Orthanc, and what Orthanc holds."""

    def __init__(self, studies: int = 3) -> None:
        self.studies = [f"1.2.{number}" for number in range(studies)]
        self.words: dict[str, dict[str, str]] = {}
        self.contents: dict[str, list[dict[str, str]]] = {}
        self.held: set[str] = set()
        self.fetched: list[tuple[str, str]] = []
        self.asked: list[dict[str, str]] = []
        self.asked_series: list[str] = []
        self.open = 0
        self.fails = self.knows_series = False
        self.moves_nothing, self.here = False, True
        self.capped, self.refuses = 0, False
        self.parts: set[str] = set()
        self.broken: set[str] = set()
        self.brings: dict[str, int] = {}
        self.results = 0

    def found(self, pull: Pull, query: Mapping[str, str], /) -> FoundStudies:
        assert pull.source == "modality PACS"
        self.asked.append(dict(query))
        matching = [n for n, uid in enumerate(self.studies) if self._matches(uid, query)]
        if self.capped and len(matching) > self.capped:
            if self.refuses:
                raise ArchiveError("Orthanc answers 500 to POST /modalities/…")
            matching = matching[: self.capped]
        self.open += 1
        told = [
            {"StudyInstanceUID": self.studies[n], **self.words.get(self.studies[n], {})}
            for n in matching
        ]
        return FoundStudies(
            told,
            lambda at: self.fetch(matching[at]),
            lambda at: self.series(matching[at]),
            self.close,
        )

    def _matches(self, uid: str, query: Mapping[str, str]) -> bool:
        """By days and hours; a study of which no day is said is of every day."""
        day, _, hour = self.words.get(uid, {}).get("moment", "").partition(" ")
        first, last = query["StudyDate"].split("-")
        since, until = query.get("StudyTime", "000000-235959").split("-")
        return not day or (first <= day <= last and since <= hour <= until)

    def answers(self, _pull: Pull, /) -> bool:
        return self.here

    def series(self, number: int) -> FoundSeries:
        uid = self.studies[number]
        self.asked_series.append(uid)
        if uid not in self.contents:
            raise ArchiveError("Orthanc answers 500 to POST /modalities/…/query")
        self.open += 1
        told = self.contents[uid]

        def fetch(at: int) -> None:
            self.fetch(number, told[at]["SeriesInstanceUID"])

        return FoundSeries(told, fetch, self.close)

    def fetch(self, number: int, part: str = "") -> None:
        uid = self.studies[number]
        if part and not self.fails:
            self.held.add(uid)  # the first image is here before the association breaks
        if self.fails or {uid, part} & self.broken:
            raise ArchiveError("Orthanc answers 500 to POST /queries/…")
        self.fetched.append((uid, part))
        if not self.moves_nothing:
            self.held.add(uid)
            self.parts.add(part)

    def close(self) -> None:
        self.open -= 1

    def find(
        self, level: str, query: Mapping[str, str], /, *, expand: bool = True, limit: int = 0
    ) -> list[Any]:
        found = [uid for uid in self.held | self.parts if uid in query.values()]
        if level == "Series" and expand:
            maker = {"Manufacturer": "Sidelight"}
            own = [{"Instances": ["r"] * self.results, "MainDicomTags": maker}]
            return own + [{"Instances": ["i"] * self.brings[uid]} for uid in found]
        return found


def spoken(told: Mapping[str, str]) -> AnatomyAnswer | None:
    """A recognizer that knows regions written with how sure they are: ``head .9``."""
    words = (told.get("SeriesDescription") or told.get("StudyDescription", "")).split()
    if words == ["away"]:
        raise InferenceUnavailableError("inference does not answer")
    if words == ["refused"]:
        return None
    regions, sure = (tuple(words[:1]), float(words[1])) if words else ((), 0.0)
    found = {"regions": regions, "modality": told["Modality"], "confidence": sure}
    return CT_CHEST.model_copy(update=found)


class Night:
    """A puller with a clock of its own."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.pacs, self.folder = Pacs(), folder
        self.time = datetime(2026, 11, 3, 2, 0, tzinfo=UTC)
        self.waited: list[float] = []
        self.arrival = Arrival(wait=self.waited.append)
        self.table = table(
            application(), application("heads", scan={**SCAN, "modalities": ["CT", "MR"]}),
            pull=[{**PULL, **changes}],
        )  # fmt: skip
        self.restart()

    def restart(self) -> None:
        ledger = Ledger(self.folder / "routing.sqlite")
        self.puller = Puller(
            self.pacs, self.table, ledger, lambda: self.time, anatomy=spoken, arrival=self.arrival
        )

    def later(self, minutes: int) -> int:
        self.time += timedelta(minutes=minutes)
        return self.puller.step()


def test_a_pull_asks_for_the_modalities_of_its_applications_within_its_days(tmp_path: Path) -> None:
    night = Night(tmp_path, days_back=2)
    assert night.puller.step() == 3
    assert [(q["ModalitiesInStudy"], q["StudyDate"]) for q in night.pacs.asked] == [
        ("CT", "20261101-20261103"),
        ("MR", "20261101-20261103"),
    ]
    assert night.pacs.open == 0
    few = night.table.pulls[0].model_copy(update={"applications": ("lung",)})
    assert modalities_of(wanted_by_table(night.table, few)) == ["CT"]


def test_a_pull_that_names_no_application_serves_the_installed_models_too(tmp_path: Path) -> None:
    night = Night(tmp_path)
    night.puller.installed = lambda: [Wanted("breasts", ("MG", "CT"), ("breast",))]
    night.puller.step()
    assert [query["ModalitiesInStudy"] for query in night.pacs.asked] == ["CT", "MR", "MG"]
    told = PullReport(night.table, night.puller.ledger, lambda: night.time).pulls()[0]
    assert told["outcome"]["modalities"] == ["CT", "MR", "MG"]
    (tmp_path / "other").mkdir()
    named = Night(tmp_path / "other", applications=["lung"])
    named.puller.installed = night.puller.installed
    named.puller.step()
    assert [query["ModalitiesInStudy"] for query in named.pacs.asked] == ["CT"]


def test_models_that_are_not_known_now_keep_no_pull_from_its_applications(tmp_path: Path) -> None:
    def away() -> list[Wanted]:
        raise InferenceUnavailableError("inference does not answer")

    night = Night(tmp_path)
    night.puller.installed = away
    assert night.puller.step() == 3


def test_what_is_here_or_was_fetched_once_is_not_fetched_again(tmp_path: Path) -> None:
    night = Night(tmp_path, applications=["lung"])
    night.pacs.held = {"1.2.0"}
    assert night.puller.step() == 2
    night.pacs.held.clear()  # the site has deleted everything
    night.restart()
    night.pacs.studies.append("1.2.9")
    assert night.later(60) == 2, "the one that was never fetched by the pull, and the new one"


def test_no_more_than_the_maximum_is_fetched_at_a_time(tmp_path: Path) -> None:
    night = Night(tmp_path, maximum_studies=2)
    assert night.puller.step() == 2
    assert night.later(30) == 0, "not yet"
    assert night.later(30) == 1


@pytest.mark.parametrize(
    ("first", "until", "hour", "fetched"),
    [(22, 5, 2, 3), (22, 5, 23, 3), (22, 5, 12, 0), (8, 17, 12, 3), (8, 17, 2, 0), (0, 24, 2, 3)],
)
def test_a_pull_keeps_to_its_hours(
    tmp_path: Path, first: int, until: int, hour: int, fetched: int
) -> None:
    night = Night(tmp_path, from_hour=first, until_hour=until)
    night.time = night.time.replace(hour=hour)
    assert night.puller.step() == fetched


def test_an_archive_that_is_away_is_asked_again_the_next_time(tmp_path: Path) -> None:
    night = Night(tmp_path)
    night.pacs.fails = True
    assert night.puller.step() == 0
    assert night.pacs.open == 0
    night.pacs.fails = False
    assert night.later(60) == 3


def test_a_study_that_can_not_be_had_stands_in_the_way_of_no_other(tmp_path: Path) -> None:
    night = Night(tmp_path, applications=["lung"], maximum_studies=1)
    night.pacs.broken = {"1.2.0"}
    assert [night.puller.step(), night.later(60), night.later(60)] == [1, 1, 0]
    night.pacs.broken.clear()
    assert night.later(60) == 1


def test_what_a_pull_did_and_when_it_goes_on_is_told(tmp_path: Path) -> None:
    night = Night(tmp_path, applications=["lung"], maximum_studies=2, from_hour=22, until_hour=5)
    night.pacs.studies += ["1.2.3", "1.2.4"]
    night.pacs.held, night.pacs.broken = {"1.2.0"}, {"1.2.1"}
    report = PullReport(night.table, night.puller.ledger, lambda: night.time)
    (told,) = report.pulls()
    assert (told["state"], told["last_run"], told["outcome"]) == ("due", "", None)
    night.puller.step()
    night.restart()
    (told,) = report.pulls()
    assert told["outcome"] == {
        "found": 5, "known": 1, "fetched": 2, "failed": 1, "left": 1, "trouble": "",
        "failure": "Orthanc answers 500 to POST /queries/…",
        "modalities": ["CT"], "in_part": 0, "unserved": 0,
        "why": {"CT: nothing that the archive says names an anatomy": 2},
    }  # fmt: skip
    assert (told["state"], told["modalities"], told["hours"]) == ("waits", ["CT"], [22, 5])
    night.time = night.time.replace(hour=12)
    assert report.pulls()[0]["state"] == "outside-its-hours"


def test_an_archive_that_can_not_be_asked_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = Night(tmp_path)

    def away(_pull: Pull, _query: Mapping[str, str]) -> FoundStudies:
        raise ArchiveError("Orthanc answers 500 to POST /modalities/…")

    monkeypatch.setattr(night.pacs, "found", away)
    assert night.puller.step() == 0
    (told,) = PullReport(night.table, night.puller.ledger, lambda: night.time).pulls()
    assert told["outcome"]["trouble"].startswith("Orthanc answers 500")


def test_an_answer_with_a_pattern_for_a_uid_is_left_alone(tmp_path: Path) -> None:
    night = Night(tmp_path)
    night.pacs.studies = ["*", ""]
    assert night.puller.step() == 0


def test_a_move_that_moved_nothing_is_no_fetch_and_is_tried_again(tmp_path: Path) -> None:
    night = Night(tmp_path)
    night.pacs.moves_nothing = True
    assert night.puller.step() == 0
    (said,) = PullReport(night.table, Ledger(tmp_path / "routing.sqlite")).pulls()
    assert (said["outcome"]["fetched"], said["outcome"]["failed"]) == (0, 6)
    assert "says that it sent a study, and nothing of it is here" in said["outcome"]["failure"]
    assert night.waited[:5] == [0.5, 1.0, 2.0, 4.0, 8.0]
    night.pacs.moves_nothing = False
    assert night.later(60) == 3


def test_where_orthanc_gives_new_uids_nobody_looks_for_what_came(tmp_path: Path) -> None:
    night = Night(tmp_path)
    night.pacs.moves_nothing = True
    night.arrival = Arrival(under_its_uids=False)
    night.restart()
    assert night.puller.step() == 3


@pytest.mark.parametrize("refuses", [True, False])
def test_an_archive_that_ends_its_answers_early_is_asked_by_smaller_windows(
    tmp_path: Path, refuses: bool
) -> None:
    night = Night(tmp_path, days_back=2, maximum_studies=1000, applications=["heads"])
    pacs = night.pacs
    pacs.capped, pacs.refuses = 10, refuses
    pacs.studies = [f"1.2.{number}" for number in range(34)]
    for number, uid in enumerate(pacs.studies):
        day = "20261101" if number < 4 else "20261103"
        pacs.words[uid] = {"moment": f"{day} {number % 12:02}3000"}
    assert night.puller.step() == 34
    assert pacs.open == 0
    hours = [one["StudyTime"] for one in pacs.asked if "StudyTime" in one]
    assert "120000-235959" in hours


def test_an_archive_that_is_away_is_not_asked_in_pieces(tmp_path: Path) -> None:
    night = Night(tmp_path, days_back=30)
    night.pacs.capped, night.pacs.refuses, night.pacs.here = 1, True, False
    assert night.puller.step() == 0
    assert len(night.pacs.asked) == 1


def short(night: Night) -> dict[str, Any]:
    """The outcome of the last run."""
    (told,) = PullReport(night.table, Ledger(night.folder / "routing.sqlite")).pulls()
    outcome: dict[str, Any] = told["outcome"]
    return outcome


def test_a_study_of_which_fewer_images_came_than_the_archive_counts_is_fetched_again(
    tmp_path: Path,
) -> None:
    night = Night(tmp_path, applications=["lung"])
    pacs = night.pacs
    pacs.studies = ["1.2.0"]
    pacs.words["1.2.0"] = {"NumberOfStudyRelatedInstances": "3"}
    pacs.brings, pacs.results = {"1.2.0": 2}, 4
    assert night.puller.step() == 0
    assert short(night)["failure"] == "modality PACS: 2 of 3 images came"
    assert night.waited == [0.5, 1.0, 2.0, 4.0, 8.0]
    night.restart()
    pacs.brings["1.2.0"] = 3
    assert [night.later(60), night.later(60)] == [1, 0]


def test_an_archive_that_counts_what_it_never_sends_is_believed_three_times(
    tmp_path: Path,
) -> None:
    night = Night(tmp_path, applications=["lung"])
    pacs = night.pacs
    pacs.studies = ["1.2.0"]
    pacs.words["1.2.0"] = {"NumberOfStudyRelatedInstances": "9"}
    pacs.brings = {"1.2.0": 2}
    assert [night.puller.step(), night.later(60)] == [0, 0]
    pacs.brings["1.2.0"] = 5
    assert [night.later(60), night.later(60)] == [0, 0], "it brought more, so it may again"
    assert [night.later(60), night.later(60)] == [1, 0]
    assert len(pacs.fetched) == 5


def test_a_short_series_is_fetched_again_and_keeps_no_other_from_being_fetched(
    tmp_path: Path,
) -> None:
    night = Night(tmp_path, applications=["lung"])
    pacs = night.pacs
    pacs.studies = ["1.2.0"]
    pacs.contents["1.2.0"] = [
        series(1, text="chest .9", NumberOfSeriesRelatedInstances="3"),
        series(2, text="chest .9", NumberOfSeriesRelatedInstances="1"),
        series(3, "MG"),
    ]
    pacs.brings = {"1.2.8.1": 2, "1.2.8.2": 1}
    assert night.puller.step() == 0
    assert [part for _, part in pacs.fetched] == ["1.2.8.1", "1.2.8.2"]
    assert short(night)["failure"] == "modality PACS: 2 of 3 images came"
    pacs.brings["1.2.8.1"] = 3
    assert [night.later(60), night.later(60)] == [1, 0]
    assert [part for _, part in pacs.fetched][2:] == ["1.2.8.1"]


@pytest.mark.parametrize("said", ["", "0", "many", "-3"])
def test_where_an_archive_counts_nothing_one_image_is_enough(tmp_path: Path, said: str) -> None:
    night = Night(tmp_path, applications=["lung"])
    night.pacs.words["1.2.0"] = {"NumberOfStudyRelatedInstances": said}
    assert night.puller.step() == 3
