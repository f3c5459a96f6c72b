# SPDX-License-Identifier: AGPL-3.0-or-later
"""A patient's earlier studies are fetched from a pull's archive for a study that is here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from plugin.archive import ArchiveError
from plugin.dispatch.dispatcher import LONGEST_WAIT_SECONDS, Dispatcher
from plugin.dispatch.ledger import Ledger
from plugin.doors.outbox import Outbox
from plugin.gate import InferenceUnavailableError
from plugin.routing.choosing import Arrival
from plugin.routing.deciding import OnlyPriors, RoutingDecider
from plugin.routing.explanation import Explanation
from plugin.routing.matching import Matcher
from plugin.routing.prior_pulls import PriorPuller
from plugin.routing.pull_report import PullReport
from plugin.routing.records import RoutingRecord
from plugin.routing.relatives import Relatives
from tests.plugin.routing.tables import Archive, application, table
from tests.plugin.routing.test_pulling import PULL, Pacs, series, spoken


class Hospital(Archive):
    """This Orthanc, which has nothing of what its neighbour holds."""

    def children(self, level: str, identifier: str, /) -> list[Any]:
        return [self.serieses[one] for one in self.studies[identifier]["Series"]]


class Router:
    """An application with priors, a pull that may ask for them, and another archive."""

    def __init__(self, folder: Path, needs: dict[str, Any] | None = None, **changes: Any) -> None:
        self.pacs, self.archive = Pacs(0), Hospital()
        self.ledger = Ledger(folder / "routing.sqlite")
        self.outbox = Outbox(folder / "outbox.sqlite")
        self.away = False
        self.seconds = 0.0
        pull = {**PULL, "priors": True, **changes}
        self.table = table(application(needs=needs or {"priors": 1}), pull=[pull])
        matcher = Matcher(self.archive, self.table)
        self.time = datetime(2026, 11, 3, 2, 0, tzinfo=UTC)
        self.puller = PriorPuller(
            self.archive, matcher, self.pacs, self.ledger, spoken,
            ready=lambda: not self.away, now=lambda: self.time,
            arrival=Arrival(wait=lambda _: None),
        )  # fmt: skip
        self.only_prior = OnlyPriors(self.archive, self.ledger)
        self.dispatcher = Dispatcher(
            self.archive,
            RoutingDecider(self.archive, matcher, only_prior=self.only_prior),
            self.ledger,
            self.outbox,
            lambda _: 0,
            Relatives(self.archive, matcher.furthest_days, self.puller.awaits),
            clock=lambda: self.seconds,
        )
        self.explain = Explanation(matcher, self.outbox, self.only_prior).of

    def holds(self, uid: str, day: str, text: str = "chest .95", **told: str) -> str:
        """The other archive has a study of one series."""
        self.pacs.studies.append(uid)
        known = {"PatientID": "PID-1", "StudyDate": day, "moment": f"{day} 101010"}
        self.pacs.words[uid] = {**known, **told}
        self.pacs.contents[uid] = [series(len(self.pacs.studies), text=text)]
        return uid

    def looks(self, study: str) -> int:
        self.ledger.note(study, 0.0)
        return self.dispatcher.step()

    @property
    def fetched(self) -> list[str]:
        return [uid for uid, _ in self.pacs.fetched]


def test_the_patients_earlier_studies_are_fetched_before_a_study_is_decided_about(
    tmp_path: Path,
) -> None:
    router = Router(tmp_path, {"priors": 1, "within_days": 365})
    router.holds("1.2.1", "20261004")
    study, _ = router.archive.ct("now")
    assert router.looks(study) == 0
    assert router.puller.step() == 1
    assert router.looks(study) == 1
    (asked,) = router.pacs.asked
    assert (asked["PatientID"], asked["StudyDate"], asked["ModalitiesInStudy"]) == (
        "PID-1", "20251103-20261102", "CT",
    )  # fmt: skip
    assert router.fetched == ["1.2.1"]
    assert router.pacs.open == 0
    assert (router.looks(study), router.puller.step(), len(router.pacs.asked)) == (1, 0, 1)


def test_what_an_archive_answers_of_other_patients_and_days_is_left_there(tmp_path: Path) -> None:
    router = Router(tmp_path, {"priors": 9, "within_days": 365})
    study, _ = router.archive.ct("now", IssuerOfPatientID="A", PatientBirthDate="19500101")
    router.holds("1.2.1", "20261001", PatientID="PID-10")
    router.holds("1.2.2", "20261002", IssuerOfPatientID="B")
    router.holds("1.2.3", "20261003", PatientBirthDate="19900505")
    router.holds("1.2.4", "20261004", text="head .95")
    router.holds("1.2.5", "20261005", IssuerOfPatientID="A", PatientBirthDate="19500101")
    for uid, day in (("1.2.6", "20200101"), ("1.2.7", "20261103"), ("1.2.8", "")):
        router.holds(uid, day, moment="")
    router.looks(study)
    assert router.puller.step() == 1
    assert router.fetched == ["1.2.5"]
    assert not router.ledger.is_prior("1.2.4")


def test_the_latest_are_fetched_and_a_few_more_than_are_wanted(tmp_path: Path) -> None:
    router = Router(tmp_path, {"priors": 1})
    for number in range(5):
        router.holds(f"1.2.{number}", f"2026010{number + 1}")
    study, _ = router.archive.ct("now")
    router.looks(study)
    assert router.puller.step() == 2
    assert router.fetched == ["1.2.4", "1.2.3"]


def test_only_later_priors_than_those_that_are_here_are_asked_for(tmp_path: Path) -> None:
    router = Router(tmp_path, {"priors": 1})
    study, _ = router.archive.ct("now")
    router.archive.ct("before", "20261004")
    router.looks(study)
    router.puller.step()
    assert [one["StudyDate"] for one in router.pacs.asked] == ["20261005-20261102"]


def test_priors_of_any_modality_are_asked_for_where_the_region_is_enough(tmp_path: Path) -> None:
    router = Router(tmp_path, {"priors": 1, "prior_series": "same-region"})
    router.holds("1.2.1", "20261004")
    router.pacs.contents["1.2.1"] = [series(1, "MR", "chest .95")]
    study, _ = router.archive.ct("now")
    router.looks(study)
    assert router.puller.step() == 1
    assert "ModalitiesInStudy" not in router.pacs.asked[0]


@pytest.mark.parametrize(
    "changes",
    [{"priors": False}, {"from_hour": 3}, {"applications": ["other"]}],
)
def test_an_archive_is_not_asked_unless_its_pull_says_so(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    router = Router(tmp_path)
    if "applications" in changes:
        changes = {"applications": ("other",)}
    pull = router.table.pulls[0].model_copy(update=changes)
    object.__setattr__(router.table, "pulls", (pull,))
    study, _ = router.archive.ct("now")
    router.looks(study)
    assert (router.puller.step(), router.pacs.asked) == (0, [])
    assert router.looks(study) == 1


@pytest.mark.parametrize("patient", ["", "PID*"])
def test_nobody_is_asked_for_a_patient_without_an_exact_number(
    tmp_path: Path, patient: str
) -> None:
    router = Router(tmp_path)
    study, _ = router.archive.ct("now")
    router.archive.studies[study]["PatientMainDicomTags"]["PatientID"] = patient
    router.looks(study)
    assert (router.puller.step(), router.pacs.asked) == (0, [])


def test_nobody_is_asked_for_a_study_that_no_application_with_priors_gets(tmp_path: Path) -> None:
    router = Router(tmp_path)
    study, _ = router.archive.ct("thin", slices=1)
    router.looks(study)
    assert (router.puller.step(), router.pacs.asked) == (0, [])


def test_a_study_that_was_fetched_as_a_prior_is_handed_over_with_the_later_one_alone(
    tmp_path: Path,
) -> None:
    router = Router(tmp_path)
    study, _ = router.archive.ct("now")
    router.looks(study)
    uid = router.holds("1.2.1", "20261004")
    router.puller.step()
    prior, series_of_prior = router.archive.ct("before", "20261004")
    router.archive.studies[prior]["MainDicomTags"]["StudyInstanceUID"] = uid
    for one in (prior, study):
        router.looks(one)
        router.puller.step()
        router.looks(one)
    assert router.outbox.deliveries_of(prior, "study") == []
    assert router.explain(prior)[0]["handover"] == "only-as-prior"
    assert len(router.outbox.deliveries_of(study, "study")) == 1
    assert series_of_prior in (router.archive.kept_routing(study) or "")
    (asked,) = router.pacs.asked
    assert asked["StudyDate"].endswith("-20261102"), "the prior's own priors are not asked for"
    (told,) = PullReport(router.table, router.ledger).of_study(uid)
    assert (told["pull"], told["takes"]) == ("nightly (priors)", "whole")


def test_a_prior_of_the_days_that_a_pull_asks_for_is_handed_over_itself_too(
    tmp_path: Path,
) -> None:
    router = Router(tmp_path, days_back=2)
    router.holds("1.2.1", "20261101")
    router.holds("1.2.2", "20261031")
    study, _ = router.archive.ct("now")
    router.looks(study)
    assert router.puller.step() == 2
    assert [router.ledger.is_prior(uid) for uid in ("1.2.1", "1.2.2")] == [False, True]


def test_an_archive_that_is_away_holds_no_study_up(tmp_path: Path) -> None:
    router = Router(tmp_path)
    router.pacs.refuses, router.pacs.capped, router.pacs.here = True, 1, False
    router.holds("1.2.1", "20261004")
    router.holds("1.2.2", "20261005")
    study, _ = router.archive.ct("now")
    assert router.looks(study) == 0
    assert router.puller.step() == 0
    assert router.looks(study) == 1
    router.pacs.capped = 0
    assert router.puller.step() == 0
    router.time += timedelta(seconds=60)
    assert router.puller.step() == 2
    router.time += timedelta(days=1)
    assert (router.puller.step(), router.looks(study)) == (0, 1)


def test_an_archive_that_stays_away_is_asked_no_more_after_some_hours(tmp_path: Path) -> None:
    router = Router(tmp_path)
    router.pacs.refuses, router.pacs.capped, router.pacs.here = True, 1, False
    for number in range(2):
        router.holds(f"1.2.{number}", "20261004")
    study, _ = router.archive.ct("now")
    router.looks(study)
    for _ in range(9):
        router.puller.step()
        router.time += timedelta(hours=1)
    assert len(router.pacs.asked) == 5


def test_priors_that_can_not_be_had_are_tried_three_at_a_time(tmp_path: Path) -> None:
    router = Router(tmp_path, {"priors": 5})
    router.pacs.fails = True
    for number in range(5):
        router.holds(f"1.2.{number}", f"2026010{number + 1}")
    study, _ = router.archive.ct("now")
    router.looks(study)
    assert router.puller.step() == 0
    assert len(router.pacs.asked_series) == 3


def test_while_inference_is_away_a_study_waits_for_some_minutes_and_is_asked_about_later(
    tmp_path: Path,
) -> None:
    router = Router(tmp_path)
    router.holds("1.2.1", "20261004")
    study, _ = router.archive.ct("now")
    router.away = True
    assert (router.looks(study), router.puller.step(), router.pacs.asked) == (0, 0, [])
    router.seconds = LONGEST_WAIT_SECONDS
    assert router.looks(study) == 1
    router.away = False
    assert router.puller.step() == 1


def another_patients(router: Router, day: str = "20261103") -> str:
    """A study of another patient, of whom the other archive has a prior."""
    router.holds("1.2.2", "20261004", PatientID="PID-2")
    study, _ = router.archive.ct("other", day)
    router.archive.studies[study]["PatientMainDicomTags"]["PatientID"] = "PID-2"
    return study


@pytest.mark.parametrize(("day", "asked"), [("00010101", 1), ("00010102", 2)])
def test_a_date_that_stands_for_none_holds_up_no_other_study(
    tmp_path: Path, day: str, asked: int
) -> None:
    router = Router(tmp_path)
    undated, _ = router.archive.ct("undated", day)
    for one in (undated, another_patients(router)):
        router.looks(one)
    assert router.puller.step() == 1
    assert (router.fetched, len(router.pacs.asked)) == (["1.2.2"], asked)
    assert not router.puller.awaits(undated)


@pytest.mark.parametrize(
    "error", [InferenceUnavailableError("http-500"), ArchiveError("http-500"), TypeError("PID-1")]
)
def test_a_study_whose_question_fails_holds_up_no_other_and_is_tried_a_few_times(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    router = Router(tmp_path)
    bad, _ = router.archive.ct("bad")
    decide, tried = Matcher.decide, 0

    def fails(matcher: Matcher, study: str) -> RoutingRecord:
        nonlocal tried
        if study == bad:
            tried += 1
            raise error
        return decide(matcher, study)

    monkeypatch.setattr(Matcher, "decide", fails)
    for one in (bad, another_patients(router)):
        router.puller.awaits(one)
    for _ in range(9):
        router.puller.step()
    assert (router.fetched, tried) == (["1.2.2"], 1)
    for _ in range(9):
        router.puller.step()
        router.time += timedelta(hours=1)
    assert tried == 5
    assert "PID-1" not in caplog.text


def test_nothing_counts_as_tried_when_inference_goes_away_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = Router(tmp_path)
    study, _ = router.archive.ct("now")
    router.looks(study)
    answers = iter([True, False])
    monkeypatch.setattr(router.puller, "ready", lambda: next(answers))
    router.holds("1.2.1", "20261004", text="away")
    assert router.puller.step() == 0
    assert router.puller.awaits(study)
