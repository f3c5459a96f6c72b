# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whatever table it serves, the dispatcher follows Orthanc without losing or repeating anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from plugin.archive import NotFoundError
from plugin.dispatch.dispatcher import Dispatcher
from plugin.dispatch.ledger import Ledger
from plugin.doors.outbox import NewDelivery, Outbox
from tests.plugin.routing.tables import Archive


@dataclass
class Table:
    """Wants every study and every instance."""

    awaits_workers: bool = True
    takes_strangers: bool = True
    gone: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)

    def of_study(self, study: str) -> Sequence[NewDelivery]:
        return [NewDelivery(f"digest of {study}", "copy", "door", "study", study, study)]

    def of_instance(self, instance: str) -> Sequence[NewDelivery]:
        if instance in self.gone:
            raise NotFoundError("gone")
        if instance in self.broken:
            raise TypeError("PID-1 is no number")
        return [NewDelivery(f"digest of {instance}", "copy", "door", "instance", instance, "s")]


class Pages(Archive):
    """An archive that answers two changes at a time."""

    def changes(self, since: int, limit: int = 1000, /) -> dict[str, Any]:
        page = self.change_list[since : since + 2]
        last = since + len(page)
        return {"Changes": page, "Last": last, "Done": last == len(self.change_list)}

    def arrives(self, *instances: str) -> None:
        self.change_list += [{"ChangeType": "NewInstance", "ID": one} for one in instances]


class Node:
    def __init__(self, folder: Path) -> None:
        self.archive, self.table, self.pending = Pages(), Table(), 0
        self.outbox = Outbox(folder / "outbox.sqlite")
        self.ledger = Ledger(folder / "copies.sqlite")
        self.step()

    def dispatcher(self) -> Dispatcher:
        return Dispatcher(
            self.archive, self.table, self.ledger, self.outbox, lambda _: self.pending
        )

    def step(self) -> int:
        return self.dispatcher().step()

    def noted(self) -> list[str]:
        return sorted(one["resource"] for one in self.outbox.deliveries(None, 50))


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_every_change_of_every_page_is_followed_once(node: Node) -> None:
    node.archive.arrives("a", "b", "c", "d", "e")
    node.step()
    node.step()
    assert node.noted() == ["a", "b", "c", "d", "e"]
    assert node.ledger.fact("last-change") == "5"


@pytest.mark.parametrize("after", range(1, 5))
def test_a_process_that_ends_while_it_reads_changes_reads_them_again(
    node: Node, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    node.archive.arrives("a", "b", "c", "d")
    note, noted = node.outbox.note, 0

    def ends(deliveries: Sequence[NewDelivery]) -> int:
        nonlocal noted
        noted += 1
        if noted == after:
            raise SystemExit
        return note(deliveries)

    with monkeypatch.context() as context:
        context.setattr(node.outbox, "note", ends)
        with pytest.raises(SystemExit):
            node.step()
    node.step()
    assert node.noted() == ["a", "b", "c", "d"]


def test_an_instance_that_is_gone_holds_up_no_other(node: Node) -> None:
    node.table.gone = {"a"}
    node.archive.arrives("a", "b")
    node.step()
    assert node.noted() == ["b"]


def test_an_instance_that_can_not_be_decided_about_is_left_after_five_tries(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    node = Node(tmp_path)
    node.table.broken = {"a"}
    node.archive.arrives("a", "b")
    dispatcher = node.dispatcher()
    for _ in range(4):
        with pytest.raises(TypeError):
            dispatcher.step()
    assert node.noted() == []
    dispatcher.step()
    assert node.noted() == ["b"]
    assert "TypeError" in caplog.text
    assert "PID-1" not in caplog.text


def test_only_a_table_that_cares_for_what_workers_find_waits_for_them(node: Node) -> None:
    study, _ = node.archive.ct("now")
    node.archive.becomes_stable(study)
    node.pending = 1
    assert node.step() == 0
    node.table.awaits_workers = False
    node.ledger.stable([study])
    assert node.step() == 1
    assert node.noted() == [study]


def test_only_a_table_that_takes_strangers_follows_studies_that_nobody_noted(node: Node) -> None:
    study, _ = node.archive.ct("now")
    node.table.takes_strangers = False
    node.archive.becomes_stable(study)
    assert node.step() == 0
    node.table.takes_strangers = True
    node.archive.becomes_stable(study)
    assert node.step() == 1
