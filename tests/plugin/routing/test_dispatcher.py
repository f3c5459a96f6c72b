# SPDX-License-Identifier: AGPL-3.0-or-later
"""A quiet study is decided about once, and again when it has grown."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from plugin.archive import ArchiveUnavailableError
from plugin.dispatch import ledger
from plugin.dispatch.dispatcher import LATE_SECONDS, LONGEST_WAIT_SECONDS, Dispatcher
from plugin.dispatch.ledger import Ledger
from plugin.doors.outbox import Outbox
from plugin.routing.deciding import RoutingDecider, handed_over_by
from plugin.routing.explanation import MOST_CANDIDATES, Explanation
from plugin.routing.matching import Matcher
from plugin.routing.records import RoutingRecord
from plugin.routing.relatives import Relatives
from tests.plugin.routing.tables import Archive, application, table


class Node:
    """One node with an archive, and the files beside its queue."""

    def __init__(self, folder: Path) -> None:
        self.archive = Archive()
        self.outbox = Outbox(folder / "outbox.sqlite")
        self.ledger = Ledger(folder / "routing.sqlite")
        self.busy: set[str] = set()
        self.seconds = 0.0
        self.hands_over()

    def hands_over(self, **changes: Any) -> None:
        """The table has one application."""
        self.matcher = Matcher(self.archive, table(application(**changes)))
        self.restart()

    def restart(self) -> None:
        decider = RoutingDecider(self.archive, self.matcher, handed_over_by(self.outbox))
        relatives = Relatives(self.archive, self.matcher.furthest_days)
        self.dispatcher = Dispatcher(
            self.archive, decider, self.ledger, self.outbox, self.pending, relatives,
            clock=lambda: self.seconds,
        )  # fmt: skip

    def pending(self, resources: Iterable[str]) -> int:
        return len(self.busy & set(resources))

    def noted(self) -> list[dict[str, Any]]:
        return self.outbox.deliveries(None, 50)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_a_quiet_study_is_noted_for_its_application_and_the_decision_is_kept(node: Node) -> None:
    study, series = node.archive.ct("now")
    node.ledger.note(study, 0.0)
    assert node.dispatcher.step() == 1
    (delivery,) = node.noted()
    assert (delivery["door"], delivery["event"], delivery["level"], delivery["target"]) == (
        "application-lung", "study", "study", "modality AI",
    )  # fmt: skip
    assert series in (node.archive.kept_routing(study) or "")


def test_a_study_waits_while_it_grows_and_while_a_scan_of_it_is_worked_on(node: Node) -> None:
    study, series = node.archive.ct("now")
    node.ledger.note(study, 30.0)
    assert node.dispatcher.step() == 0
    node.ledger.note(study, 0.0)
    node.archive.studies[study]["IsStable"] = False
    assert node.dispatcher.step() == 0
    node.archive.studies[study]["IsStable"] = True
    node.busy = {series}
    node.ledger.note(study, 0.0)
    assert node.dispatcher.step() == 0
    node.busy = set()
    node.ledger.note(study, 0.0)
    assert node.dispatcher.step() == 1
    assert len(node.noted()) == 1


def test_the_same_set_is_noted_once_however_often_the_study_is_looked_at(node: Node) -> None:
    study, _ = node.archive.ct("now")
    for _ in range(3):
        node.ledger.note(study, 0.0)
        node.restart()
        assert node.dispatcher.step() == 1
    assert len(node.noted()) == 1


def test_a_study_that_has_grown_after_a_restart_is_handed_over_whole(node: Node) -> None:
    study, series = node.archive.ct("now")
    node.ledger.note(study, 0.0)
    node.dispatcher.step()
    node.restart()
    node.archive.add_instance(series)
    node.archive.becomes_stable(study)
    assert node.dispatcher.step() == 1
    assert len(node.noted()) == 2


def test_a_study_of_another_node_on_the_same_database_is_left_to_it(node: Node) -> None:
    node.dispatcher.step()
    study, _ = node.archive.ct("now")
    node.archive.becomes_stable(study)
    assert node.dispatcher.step() == 0
    assert node.noted() == []


def test_a_process_that_ended_before_it_noted_anything_does_it_again(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, _ = node.archive.ct("now")
    node.ledger.note(study, 0.0)

    def ends(_deliveries: object) -> None:
        raise SystemExit

    with monkeypatch.context() as context:
        context.setattr(node.outbox, "note", ends)
        with pytest.raises(SystemExit):
            node.dispatcher.step()
    node.restart()
    assert node.dispatcher.step() == 1
    assert len(node.noted()) == 1


def test_a_study_that_changes_while_it_is_decided_about_stays_due(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, _ = node.archive.ct("now")
    node.ledger.note(study, 0.0)
    put = node.archive.put_metadata

    def and_changes(*arguments: Any) -> None:
        put(*arguments)
        node.ledger.note(study, 0.0)

    monkeypatch.setattr(node.archive, "put_metadata", and_changes)
    node.dispatcher.step()
    assert [one for one, _ in node.ledger.due()] == [study]


def test_a_deleted_study_is_forgotten_and_an_unreachable_one_waits(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, _ = node.archive.ct("now")
    node.ledger.note(study, 0.0)
    with monkeypatch.context() as context:

        def away(_study: str) -> dict[str, Any]:
            raise ArchiveUnavailableError("Orthanc can't be reached")

        context.setattr(node.archive, "study", away)
        assert node.dispatcher.step() == 0
    node.ledger.note(study, 0.0)
    del node.archive.studies[study]
    assert node.dispatcher.step() == 1
    assert (node.ledger.due(), node.noted()) == ([], [])


def test_the_plan_tells_the_set_and_what_became_of_it(node: Node) -> None:
    study, series = node.archive.ct("now")
    explain = Explanation(node.matcher, node.outbox).of
    (before,) = explain(study)
    assert (before["decision"], before["deliveries"]) == ("matched", [])
    node.ledger.note(study, 0.0)
    node.dispatcher.step()
    (after,) = explain(study)
    assert [(one["status"], one["this_set"]) for one in after["deliveries"]] == [("queued", True)]
    assert [one["series"] for one in after["set"]] == [series]
    node.archive.add_instance(series)
    assert explain(study)[0]["deliveries"][0]["this_set"] is False


def prior_and_study(node: Node) -> tuple[str, str]:
    node.hands_over(needs={"priors": 1})
    prior, _ = node.archive.ct("before", "20261004")
    study, _ = node.archive.ct("now")
    return prior, study


def roles(node: Node, study: str) -> list[str]:
    """Of the set that was decided last."""
    record = RoutingRecord.model_validate_json(node.archive.kept_routing(study) or "")
    return [part.role for part in record.decisions[0].parts]


@pytest.mark.parametrize("what", ["grows", "is worked on"])
def test_a_study_waits_while_an_earlier_one_of_its_patient_is_not_complete(
    node: Node, what: str
) -> None:
    prior, study = prior_and_study(node)
    series = node.archive.studies[prior]["Series"][0]
    node.archive.studies[prior]["IsStable"] = what != "grows"
    node.busy = {series} if what == "is worked on" else set()
    node.ledger.note(study, 0.0)
    assert (node.dispatcher.step(), node.noted()) == (0, [])
    node.archive.add_instance(series)
    node.archive.studies[prior]["IsStable"] = True
    node.busy = set()
    node.ledger.note(study, 0.0)
    assert node.dispatcher.step() == 1
    assert roles(node, study) == ["current", "prior"]
    assert len(node.noted()) == 1


def test_a_study_waits_for_an_earlier_one_for_some_minutes_and_goes_again_with_it(
    node: Node,
) -> None:
    prior, study = prior_and_study(node)
    node.archive.studies[prior]["IsStable"] = False
    node.ledger.note(study, 0.0)
    assert node.dispatcher.step() == 0
    node.seconds = LONGEST_WAIT_SECONDS
    node.ledger.note(study, 0.0)
    assert node.dispatcher.step() == 1
    assert len(node.noted()) == 1
    node.archive.add_instance(node.archive.studies[prior]["Series"][0])
    node.archive.studies[prior]["IsStable"] = True
    node.ledger.note(prior, 0.0)
    assert node.dispatcher.step() == 1
    assert node.dispatcher.step() == 1
    assert len(node.outbox.deliveries_of(study, "study")) == 2


@pytest.mark.parametrize(
    ("day", "needs"),
    [("20261103", {"priors": 1}), ("20261203", {"priors": 1}), ("", {"priors": 1}),
     ("20261004", {"priors": 1, "within_days": 7}), ("20261004", {"priors": 0})],
)  # fmt: skip
def test_a_study_waits_for_none_that_can_not_be_its_prior(
    node: Node, day: str, needs: dict[str, int]
) -> None:
    node.hands_over(needs=needs)
    other, _ = node.archive.ct("other", day)
    node.archive.studies[other]["IsStable"] = False
    study, _ = node.archive.ct("now")
    node.ledger.note(study, 0.0)
    assert node.dispatcher.step() == 1


def test_a_prior_that_comes_after_the_hand_over_makes_another_set(node: Node) -> None:
    node.hands_over(needs={"priors": 1})
    study, _ = node.archive.ct("now")
    node.ledger.note(study, 0.0)
    node.dispatcher.step()
    prior, _ = node.archive.ct("before", "20261004")
    node.ledger.note(prior, 0.0)
    assert node.dispatcher.step() == 1
    assert node.dispatcher.step() == 1
    assert roles(node, study) == ["current", "prior"]
    assert len(node.outbox.deliveries_of(study, "study")) == 2
    assert node.ledger.due() == []


def later_studies(node: Node, number: int) -> list[str]:
    """Decided ones of different days, the latest first."""
    node.hands_over(needs={"priors": 1})
    days = [date(2026, 11, 3) - timedelta(days=one) for one in range(number)]
    studies = [node.archive.ct(f"later {day}", f"{day:%Y%m%d}")[0] for day in days]
    for one in reversed(studies):
        node.ledger.note(one, 0.0)
    while node.dispatcher.step():
        pass
    return studies


def test_a_late_prior_has_each_later_study_decided_about_once(node: Node) -> None:
    later_studies(node, 6)
    prior, _ = node.archive.ct("before", "20261004")
    node.ledger.note(prior, 0.0)
    assert [node.dispatcher.step() for _ in range(3)] == [1, 6, 0]


def test_a_later_study_that_grows_meanwhile_makes_those_after_it_due(node: Node) -> None:
    latest, middle, _ = later_studies(node, 3)
    node.ledger.revisit([middle], 0.0)
    node.ledger.note(middle, 0.0)
    assert node.dispatcher.step() == 1
    assert [one for one, _ in node.ledger.due()] == [latest]


def test_a_late_prior_makes_a_bounded_number_of_later_studies_due(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "MOST_REVISITED", 2)
    latest = later_studies(node, 4)[:2]
    prior, _ = node.archive.ct("before", "20261004")
    node.ledger.note(prior, 0.0)
    assert node.dispatcher.step() == 1
    assert {one for one, _ in node.ledger.due()} == set(latest)


def test_a_prior_that_says_nothing_new_makes_no_other_set(node: Node) -> None:
    prior, study = prior_and_study(node)
    for one in (prior, study, prior):
        node.ledger.note(one, 0.0)
        node.dispatcher.step()
        node.dispatcher.step()
    assert len(node.outbox.deliveries_of(study, "study")) == 1


def test_a_prior_that_comes_much_later_makes_no_other_set_and_the_plan_says_so(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.hands_over(needs={"priors": 1})
    study, _ = node.archive.ct("now")
    node.ledger.note(study, 0.0)
    node.dispatcher.step()
    explain = Explanation(node.matcher, node.outbox).of
    assert explain(study)[0]["handover"] == "noted"
    prior, _ = node.archive.ct("before", "20261004")
    later = time.time() + LATE_SECONDS + 1.0
    monkeypatch.setattr(time, "time", lambda: later)
    node.ledger.note(prior, 0.0)
    node.dispatcher.step()
    assert node.dispatcher.step() == 0
    (told,) = explain(study)
    assert told["handover"] == "another-set"
    assert told["candidates"] == [
        {"study": prior, "reason": "in-the-set", "prior": 1, "days_before": 30}
    ]


def test_the_plan_tells_of_a_bounded_number_of_candidates(node: Node) -> None:
    node.hands_over(needs={"priors": 1})
    study, _ = node.archive.ct("now")
    for number in range(MOST_CANDIDATES + 2):
        node.archive.ct(f"before {number}", "20261004")
    (told,) = Explanation(node.matcher, node.outbox).of(study)
    assert (len(told["candidates"]), told["candidates_left_out"]) == (MOST_CANDIDATES, 2)
    assert told["handover"] == "not-decided"
