# SPDX-License-Identifier: AGPL-3.0-or-later
"""A study that can't be decided about is nobody else's trouble."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plugin.dispatch.dispatcher import LONGEST_TROUBLE_SECONDS
from plugin.queue_file import QueueError
from plugin.routing.deciding import RoutingDecider
from tests.plugin.routing.test_dispatcher import Node, roles


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_a_study_that_can_not_be_decided_holds_up_no_other_and_waits_longer_each_time(
    node: Node, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bad, _ = node.archive.ct("bad")
    study, _ = node.archive.ct("now")
    waits: list[float] = []
    later, decide = node.ledger.later, node.dispatcher.decider.of_study

    def put_off(one: str, version: int, seconds: float) -> None:
        waits.append(seconds)
        later(one, version, seconds)

    def of_study(one: str) -> Any:
        if one == bad:
            raise TypeError("PID-1 is no number")
        return decide(one)

    monkeypatch.setattr(node.ledger, "later", put_off)
    monkeypatch.setattr(RoutingDecider, "of_study", lambda _, one: of_study(one))
    for one in (bad, study):
        node.ledger.note(one, 0.0)
    assert node.dispatcher.step() == 1
    assert node.ledger.due() == []
    for _ in range(10):
        node.ledger.note(bad, 0.0)
        node.dispatcher.step()
    assert waits[:3] == [10.0, 20.0, 40.0]
    assert waits[-1] == LONGEST_TROUBLE_SECONDS
    assert "TypeError" in caplog.text
    assert "PID-1" not in caplog.text


def test_a_file_that_can_not_be_written_is_no_trouble_of_one_study(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, _ = node.archive.ct("now")
    node.ledger.note(study, 0.0)

    def full(_deliveries: object) -> None:
        raise QueueError("database or disk is full")

    with monkeypatch.context() as context:
        context.setattr(node.outbox, "note", full)
        with pytest.raises(QueueError):
            node.dispatcher.step()
    assert node.dispatcher.step() == 1


def test_a_prior_whose_issuer_is_written_as_text_goes_along(node: Node) -> None:
    node.hands_over(needs={"priors": 1})
    node.archive.ct("before", "20261004", IssuerOfPatientIDQualifiersSequence="HOSPITAL")
    study, _ = node.archive.ct("now")
    node.ledger.note(study, 0.0)
    assert node.dispatcher.step() == 1
    assert roles(node, study) == ["current", "prior"]
