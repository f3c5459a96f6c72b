# SPDX-License-Identifier: AGPL-3.0-or-later
"""A quiet study is decided about once, and again when it has grown."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from plugin.archive import ArchiveUnavailableError
from plugin.dispatch.dispatcher import Dispatcher
from plugin.dispatch.ledger import Ledger
from plugin.doors.outbox import Outbox
from plugin.routing.deciding import RoutingDecider
from plugin.routing.explanation import Explanation
from plugin.routing.matching import Matcher
from tests.plugin.routing.tables import Archive, application, table


class Node:
    """One node with an archive, and the files beside its queue."""

    def __init__(self, folder: Path) -> None:
        self.archive = Archive()
        self.outbox = Outbox(folder / "outbox.sqlite")
        self.ledger = Ledger(folder / "routing.sqlite")
        self.busy: set[str] = set()
        self.matcher = Matcher(self.archive, table(application()))
        self.restart()

    def restart(self) -> None:
        decider = RoutingDecider(self.archive, self.matcher)
        self.dispatcher = Dispatcher(self.archive, decider, self.ledger, self.outbox, self.pending)

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
