# SPDX-License-Identifier: AGPL-3.0-or-later
"""The outbox: nothing is lost, nothing sent twice, and every end has a reason."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from plugin.doors.errors import OutboxError
from plugin.doors.outbox import (
    _NEXT,
    LONGEST_BACKOFF_SECONDS,
    Delivery,
    NewDelivery,
    Outbox,
    Patience,
)
from tests.plugin.query_plans import plan_of


def new(result: str = "r1", door: str = "hl7", urgency: int = 0) -> NewDelivery:
    return NewDelivery(result, "result", door, "instance", "i1", "s1", urgency, "ris:2575")


def due(outbox: Outbox, door: str = "hl7") -> Delivery:
    found = outbox.due(door)
    assert found is not None
    return found


def shown(outbox: Outbox) -> list[tuple[str, str]]:
    return [(one["status"], one["reason"]) for one in outbox.deliveries(None, 10)]


def test_a_result_that_is_noted_twice_is_sent_once(outbox: Outbox) -> None:
    outbox.note([new()])
    outbox.note([new()])
    outbox.sent(due(outbox))
    outbox.note([new()])
    assert outbox.due("hl7") is None
    assert outbox.statistics() == {"queued": 0, "sent": 1, "superseded": 0, "dead": 0}


def test_every_door_gets_its_own(outbox: Outbox) -> None:
    outbox.note([new(), new(door="webhook-1")])
    outbox.sent(due(outbox))
    assert due(outbox, "webhook-1").result == "r1"
    assert outbox.due("other") is None


def test_the_most_urgent_goes_first_then_the_oldest(outbox: Outbox) -> None:
    outbox.note([new("r1"), new("r2"), new("r3", urgency=2)])
    order = []
    while (delivery := outbox.due("hl7")) is not None:
        order.append(delivery.result)
        outbox.sent(delivery)
    assert order == ["r3", "r1", "r2"]


def test_what_was_tried_goes_behind_what_was_not(outbox: Outbox) -> None:
    outbox.note([new("r1"), new("r2"), new("r3")])
    outbox.unreachable(due(outbox), "500")
    assert due(outbox).result == "r2"


def test_an_outbox_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "o.sqlite"
    Outbox(path).note([new("r1")])
    with sqlite3.connect(path) as db:
        db.execute("DROP INDEX deliveries_next")
        db.execute(
            "CREATE INDEX deliveries_open ON deliveries (door, urgency DESC, id)"
            " WHERE status = 'queued'"
        )
    assert due(Outbox(path)).result == "r1"


def test_the_next_delivery_of_many_is_found_without_sorting_them(outbox: Outbox) -> None:
    plan = outbox._file.read(f"EXPLAIN QUERY PLAN {_NEXT.format(spared='?')}", ("hl7", 0.0, 1))
    assert not any("TEMP B-TREE" in row[-1] for row in plan), plan


def test_what_was_cut_off_is_due_again(outbox: Outbox, tmp_path: Path) -> None:
    outbox.note([new()])
    assert due(outbox).attempts == 1
    again = Outbox(tmp_path / "outbox.sqlite")  # as after the end of the process
    assert due(again).attempts == 2


def test_a_delivery_that_is_refused_too_often_is_a_dead_letter(outbox: Outbox) -> None:
    outbox.note([new()])
    assert [outbox.refused(due(outbox), "AE") for _ in range(3)] == [False, False, True]
    assert outbox.due("hl7") is None
    assert shown(outbox) == [("dead", "AE")]


def test_a_receiver_that_is_away_costs_no_delivery(outbox: Outbox) -> None:
    outbox.note([new()])
    assert not any(outbox.unreachable(due(outbox), "refused") for _ in range(50))
    assert shown(outbox) == [("queued", "refused")]


def test_a_receiver_that_is_away_for_days_leaves_a_dead_letter(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.sqlite", Patience(keep_trying_seconds=0.0))
    outbox.note([new()])
    assert outbox.unreachable(due(outbox), "refused")
    assert shown(outbox) == [("dead", "refused")]


def test_waits_double_up_to_five_minutes() -> None:
    patience = Patience(backoff_seconds=2.0)
    assert [patience.wait(attempt) for attempt in (1, 2, 3)] == [2.0, 4.0, 8.0]
    assert patience.wait(1000) == LONGEST_BACKOFF_SECONDS


def test_a_refused_delivery_waits_while_the_next_one_goes(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.sqlite", Patience(backoff_seconds=60.0))
    outbox.note([new("r1"), new("r2")])
    outbox.refused(due(outbox), "AE")
    assert due(outbox).result == "r2"


def test_a_dead_letter_can_be_sent_again_and_nothing_else(outbox: Outbox) -> None:
    outbox.note([new()])
    delivery = due(outbox)
    assert outbox.retry(delivery.id) is False
    outbox.bury(delivery, "no report")
    assert outbox.retry(delivery.id) is True
    again = due(outbox)
    assert (again.id, again.attempts, again.refusals) == (delivery.id, 1, 0)
    outbox.sent(again)
    assert outbox.retry(delivery.id) is False
    assert outbox.retry(4711) is None


def test_what_waits_for_a_door_that_is_gone_says_so(outbox: Outbox) -> None:
    outbox.note([new(), new(door="webhook-old")])
    assert outbox.bury_orphans(["hl7"]) == 1
    assert ("dead", "this door is configured no longer") in shown(outbox)
    assert due(outbox).door == "hl7"


def test_deliveries_are_listed_the_newest_first_and_by_status(outbox: Outbox) -> None:
    outbox.note([new(f"r{n}") for n in range(5)])
    outbox.sent(due(outbox))
    assert [one["id"] for one in outbox.deliveries(None, 2)] == [5, 4]
    assert [one["status"] for one in outbox.deliveries("sent", 10)] == ["sent"]
    assert outbox.deliveries(None, 1)[0]["target"] == "ris:2575"


def test_tidying_forgets_old_deliveries_and_no_dead_letter(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox.note([new("r1"), new("r2")])
    outbox.sent(due(outbox))
    outbox.bury(due(outbox), "no report")
    outbox.tidy()
    assert len(shown(outbox)) == 2
    future = time.time() + 100 * 86400
    monkeypatch.setattr(time, "time", lambda: future)
    outbox.tidy()
    assert shown(outbox) == [("dead", "no report")]


def test_noting_is_all_or_nothing(outbox: Outbox) -> None:
    wrong = NewDelivery(None, "result", "hl7", "instance", "i", "s")  # type: ignore[arg-type]
    with pytest.raises(OutboxError):
        outbox.note([new(), wrong])
    assert outbox.statistics()["queued"] == 0


def test_a_file_that_cannot_be_written_is_an_error_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(OutboxError, match="outbox"):
        Outbox(tmp_path / "no such folder" / "o.sqlite").statistics()


def note_until_killed(path: str) -> None:
    outbox = Outbox(Path(path))
    number = 0
    while True:
        outbox.note([new(f"r{number}")])
        # Said after it is noted: what was said must be there.
        (Path(path).parent / "said").write_text(str(number), encoding="ascii")
        number += 1


def test_what_was_noted_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    process = multiprocessing.get_context("spawn").Process(
        target=note_until_killed, args=(str(path),)
    )
    process.start()
    said = tmp_path / "said"
    deadline = time.monotonic() + 60
    while not said.exists() or not said.read_text(encoding="ascii").strip("0"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.3)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    text = said.read_text(encoding="ascii")
    # The kill may have cut the note beside it short, never the outbox.
    assert Outbox(path).statistics()["queued"] >= int(text or 0) + 1


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.sqlite")

    def work(name: int) -> None:
        for number in range(20):
            outbox.note([new(f"{name}-{number}")])

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outbox.statistics()["queued"] == 80


def test_deliveries_are_counted_as_they_change(outbox: Outbox) -> None:
    outbox.note([new("r1"), new("r2"), new("r3")])
    outbox.sent(due(outbox))
    dead = due(outbox)
    outbox.bury(dead, "no report")
    outbox.superseded(due(outbox), "newer")
    assert outbox.statistics() == {"queued": 0, "sent": 1, "superseded": 1, "dead": 1}
    assert outbox.retry(dead.id)
    assert outbox.revive([new("r3")]) == 1
    outbox._file.append("DELETE FROM deliveries WHERE status = ?", ("sent",))
    assert outbox.statistics() == {"queued": 2, "sent": 0, "superseded": 0, "dead": 0}


def test_deliveries_of_an_earlier_release_are_counted(outbox: Outbox) -> None:
    outbox.note([new("r1"), new("r2")])
    outbox.sent(due(outbox))
    for kind, name in outbox._file.read(
        "SELECT type, name FROM sqlite_master WHERE type = 'trigger' OR name = 'delivery_counts'"
    ):
        outbox._file.append(f"DROP {kind} {name}", ())
    ((_, _, path),) = outbox._file.read("PRAGMA database_list")
    assert Outbox(Path(path)).statistics()["sent"] == 1


def test_counts_what_waits_and_dead_letters_are_found_without_reading_what_was_sent(
    outbox: Outbox,
) -> None:
    outbox.note([new("r1")])
    outbox.bury(due(outbox), "no report")
    asked = (
        outbox.statistics,
        lambda: outbox.deliveries("dead", 10),
        lambda: outbox.deliveries("queued", 10),
        outbox.tidy,
    )
    few = ("deliveries_dead", "deliveries_queued")
    for ask in asked:
        for step in plan_of(outbox._file, ask):
            assert not step.startswith("SCAN deliveries") or step.endswith(few)
            assert "TEMP B-TREE" not in step
