# SPDX-License-Identifier: AGPL-3.0-or-later
"""A set that an application has is not sent again without some of its priors."""

from __future__ import annotations

from pathlib import Path

import pytest

from plugin.routing import matching
from plugin.routing.records import RoutingRecord, set_digest
from tests.plugin.routing.test_dispatcher import Node


class Sets(Node):
    """One application with priors, and a study whose priors come and go."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.hands_over(needs={"priors": 2})
        self.study, self.series = self.archive.ct("now")
        self.first, _ = self.archive.ct("first", "20261001")

    def decides(self) -> list[str]:
        """What became of the sets of the study, the latest first."""
        self.ledger.again(self.study)
        self.dispatcher.step()
        deliveries = self.outbox.deliveries_of(self.study, "study")
        return [str(one["status"]) for one in deliveries]

    def sends(self) -> None:
        self.outbox.sent(self.outbox.due("application-lung"))

    def deletes(self, study: str) -> None:
        del self.archive.studies[study]
        gone = [one for one, told in self.archive.serieses.items() if told["ParentStudy"] == study]
        for series in gone:
            del self.archive.serieses[series]

    def kept(self) -> RoutingRecord:
        return RoutingRecord.model_validate_json(self.archive.kept_routing(self.study) or "")


@pytest.fixture
def sets(tmp_path: Path) -> Sets:
    return Sets(tmp_path)


def test_also_where_a_larger_set_was_decided_and_not_sent_meanwhile(sets: Sets) -> None:
    assert sets.decides() == ["queued"]
    sets.sends()
    late, _ = sets.archive.ct("late", "20261010")
    assert sets.decides() == ["queued", "sent"]
    sets.deletes(late)
    sets.deletes(sets.first)
    assert sets.decides() == ["queued", "sent"]
    (decision,) = sets.kept().decisions
    assert [part.study for part in decision.parts] == [sets.study, sets.first]
    assert decision.last_sent is None


def test_however_often_another_set_is_decided_before_one_is_sent(sets: Sets) -> None:
    sets.decides()
    sets.sends()
    for number in range(3):
        late, _ = sets.archive.ct(f"late {number}", f"2026101{number}")
        sets.decides()
        sets.deletes(late)
    sets.deletes(sets.first)
    assert sets.decides() == ["queued", "queued", "queued", "sent"]
    (decision,) = sets.kept().decisions
    assert [part.study for part in decision.parts] == [sets.study, sets.first]


def test_a_study_that_has_grown_is_sent_whole_with_the_priors_that_are_left(sets: Sets) -> None:
    sets.decides()
    sets.sends()
    sets.deletes(sets.first)
    sets.archive.add_instance(sets.series)
    assert sets.decides() == ["queued", "sent"]


def test_a_set_keeps_the_name_under_which_a_former_version_sent_it(
    sets: Sets, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination = sets.matcher.table.handovers[0].handover
    assert destination is not None
    former = destination.model_dump_json()
    with monkeypatch.context() as context:
        context.setattr(
            matching, "set_digest", lambda name, _, parts: set_digest(name, former, parts)
        )
        sets.decides()
    sets.sends()
    late, _ = sets.archive.ct("late", "20261010")
    assert sets.decides() == ["queued", "sent"]
    sets.deletes(late)
    assert sets.decides() == ["queued", "sent"]


def test_a_record_says_nothing_of_a_set_that_was_sent_where_it_is_the_same(sets: Sets) -> None:
    sets.decides()
    sets.sends()
    sets.decides()
    assert "last_sent" not in (sets.archive.kept_routing(sets.study) or "")
