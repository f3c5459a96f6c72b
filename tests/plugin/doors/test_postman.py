# SPDX-License-Identifier: AGPL-3.0-or-later
"""Deliveries to real sockets: retried, given up with a reason, never in each other's way."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from benchmarks.receivers import HttpReceiver, MllpListener, WorkitemServer
from inference.contract import Outcome
from plugin.configuration import read
from plugin.demo.server import free_port
from plugin.doors.announcer import Announcer
from plugin.doors.destinations import destinations
from plugin.doors.errors import UnreachableError
from plugin.doors.outbox import NewDelivery, Outbox
from plugin.doors.package import load
from plugin.doors.postman import IDLE_SECONDS, Postman
from plugin.doors.senders import senders
from plugin.states import ScanState, Status
from tests.plugin.doors.states import Archive, state_of

SECRET = "0123456789abcdef"


class Office:
    """An outbox, an archive and one postman per configured door."""

    def __init__(self, outbox: Outbox, doors: dict[str, Any]) -> None:
        section = read({"Doors": doors}).doors
        self.outbox, self.archive = outbox, Archive()
        self.announcer = Announcer(outbox, destinations(section), section.escalation.severity)
        self.postmen = [
            Postman(door, outbox, partial(load, self.archive), send)
            for door, send in senders(section).items()
        ]

    def announce(self, state: ScanState, outcome: Outcome = Outcome.FINDINGS) -> None:
        self.announcer.announce("study-1", self.archive.hold(state, outcome))

    def deliver(self, rounds: int = 1) -> list[float]:
        """Let every postman go round; how long each would wait."""
        return [postman.step() for _ in range(rounds) for postman in self.postmen]

    def ends(self) -> list[tuple[str, str]]:
        return [(one["status"], one["reason"]) for one in self.outbox.deliveries(None, 50)]


@pytest.fixture
def listener() -> Iterator[MllpListener]:
    with MllpListener() as started:
        yield started


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with HttpReceiver() as started:
        yield started


@pytest.fixture
def hl7(outbox: Outbox, listener: MllpListener) -> Office:
    return Office(outbox, {"Hl7": {"Host": "127.0.0.1", "Port": listener.port}})


@pytest.fixture
def hooks(outbox: Outbox, receiver: HttpReceiver) -> Office:
    urls = {
        f"{event}Urls": [f"{receiver.url}/{event.lower()}"]
        for event in ("Result", "Escalation", "Failed")
    }
    return Office(outbox, {"Webhooks": {**urls, "Secret": SECRET}})


def test_a_result_is_sent_and_acknowledged(hl7: Office, listener: MllpListener) -> None:
    hl7.announce(state_of())
    assert hl7.deliver(2) == [0.0, IDLE_SECONDS]
    assert hl7.ends() == [("sent", "")]
    assert b"|91.3042|" in listener.messages[0]


def test_a_refused_message_is_sent_again_under_the_same_name_then_given_up(
    hl7: Office, listener: MllpListener
) -> None:
    listener.answers = ["AE", "AR", "AE"]
    hl7.announce(state_of())
    hl7.deliver(5)
    ((status, reason),) = hl7.ends()
    assert status == "dead"
    assert "AE: application error" in reason
    control_ids = {message.split(b"|")[9] for message in listener.messages}
    assert (len(listener.messages), len(control_ids)) == (3, 1)


def test_a_dead_letter_that_is_asked_for_is_sent(hl7: Office, listener: MllpListener) -> None:
    listener.answers = ["AE", "AE", "AE"]
    hl7.announce(state_of())
    hl7.deliver(4)
    assert hl7.outbox.retry(1) is True
    hl7.deliver()
    assert hl7.ends()[0][0] == "sent"


def test_what_waited_while_the_listener_was_away_arrives_when_it_is_back(outbox: Outbox) -> None:
    port = free_port()
    office = Office(outbox, {"Hl7": {"Host": "127.0.0.1", "Port": port}})
    for number in range(3):
        office.announce(state_of(resource=f"image-{number}"))
    office.deliver(10)
    assert {status for status, _ in office.ends()} == {"queued"}
    with MllpListener(port) as listener:
        office.deliver(4)
        assert len(listener.messages) == 3
    assert office.ends() == [("sent", "")] * 3


def test_a_receiver_that_is_away_is_left_alone_longer_each_time(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.sqlite")
    office = Office(outbox, {"Hl7": {"Host": "127.0.0.1", "Port": free_port()}})
    for number in range(3):
        office.announce(state_of(resource=f"image-{number}"))
    assert office.deliver(3) == [2.0, 4.0, 8.0]


def test_one_delivery_that_always_fails_holds_up_no_other(
    hooks: Office, receiver: HttpReceiver
) -> None:
    hooks.announce(state_of(Outcome.NO_FINDINGS, resource="image-1"), Outcome.NO_FINDINGS)
    hooks.announce(state_of(Outcome.NO_FINDINGS, resource="image-2"), Outcome.NO_FINDINGS)
    receiver.answers.extend([500])
    hooks.outbox.patience = type(hooks.outbox.patience)(backoff_seconds=30.0)
    hooks.deliver(2)
    ends = {one["resource"]: one["status"] for one in hooks.outbox.deliveries(None, 10)}
    assert ends == {"image-1": "queued", "image-2": "sent"}


@pytest.mark.parametrize("urgency", [0, 3])
def test_one_that_always_fails_goes_behind_all_others_also_when_it_is_due_first(
    outbox: Outbox, urgency: int
) -> None:
    outbox.note([_set("bad", urgency), *(_set(f"good-{number}") for number in range(5))])
    tried: list[str] = []
    postman = Postman("application-a", outbox, lambda one: one.result, _fails_for("bad", tried))
    for _ in range(10):
        postman.step()
    assert [name for name in tried if name != "bad"] == [f"good-{number}" for number in range(5)]
    outbox.note([_set("late")])
    postman.step()
    postman.step()
    assert "late" in tried[-2:]


def test_several_urgent_ones_that_always_fail_hold_up_no_other(outbox: Outbox) -> None:
    bad = [_set(f"bad-{number}", urgency=3) for number in range(3)]
    outbox.note([*bad, _set("good-1"), _set("good-2")])
    tried: list[str] = []
    postman = Postman("application-a", outbox, lambda one: one.result, _fails_for("bad", tried))
    for _ in range(8):
        postman.step()
    assert tried[:4] == ["bad-0", "bad-1", "bad-2", "good-1"]
    assert "good-2" in tried


def test_while_a_receiver_is_away_each_delivery_has_its_turn(outbox: Outbox) -> None:
    outbox.note([_set("a", urgency=2), _set("b"), _set("c")])
    tried: list[str] = []
    postman = Postman("application-a", outbox, lambda one: one.result, _fails_for("", tried))
    for _ in range(3):
        postman.step()
    assert tried == ["a", "b", "c"]
    postman.step()
    assert tried[3] == "a", "the most urgent begins the next round"


def _set(name: str, urgency: int = 0) -> NewDelivery:
    return NewDelivery(name, "study", "application-a", "study", name, name, urgency)


def _fails_for(beginning: str, tried: list[str]) -> Callable[[str], None]:
    def send(name: str) -> None:
        tried.append(name)
        if name.startswith(beginning):
            raise UnreachableError("the receiver answers 500")

    return send


def test_a_webhook_is_signed_over_its_time_and_body(hooks: Office, receiver: HttpReceiver) -> None:
    hooks.announce(state_of())
    hooks.deliver()
    assert sorted(posted.path for posted in receiver.posted) == ["/escalation", "/result"]
    for posted in receiver.posted:
        parts = dict(p.split("=", 1) for p in posted.headers["x-sidelight-signature"].split(","))
        signed = parts["t"].encode() + b"." + posted.body
        expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        assert hmac.compare_digest(parts["v1"], expected)
        content = json.loads(posted.body)
        assert content["event"] == posted.headers["x-sidelight-event"] == posted.path[1:]
        assert content["delivery"] == posted.headers["x-sidelight-delivery"]
        assert content["results"][0]["findings"][0]["probability_percent"] == 91.3042
        assert "Phantom^Chest" not in posted.body.decode()


def test_a_failure_without_a_report_is_told_with_its_reason(
    hooks: Office, receiver: HttpReceiver
) -> None:
    state = state_of(Outcome.FAILED, objects=(), reason="the file can't be read as DICOM")
    hooks.announce(state)
    hooks.deliver()
    (posted,) = receiver.posted
    content = json.loads(posted.body)
    assert (posted.path, content["results"]) == ("/failed", [])
    assert content["scan"]["reason"] == "the file can't be read as DICOM"


@pytest.mark.parametrize(
    ("status", "end"),
    [(200, "sent"), (202, "sent"), (400, "dead"), (404, "dead"), (302, "dead"),
     (429, "queued"), (408, "queued"), (500, "queued"), (503, "queued")],
)  # fmt: skip
def test_a_status_decides_between_sent_again_and_given_up(
    hooks: Office, receiver: HttpReceiver, status: int, end: str
) -> None:
    receiver.usual = status
    hooks.announce(state_of(Outcome.NO_FINDINGS), Outcome.NO_FINDINGS)
    hooks.deliver(4)
    assert [found for found, _ in hooks.ends()] == [end]
    if end != "sent":
        assert hooks.ends()[0][1] == f"the receiver answers {status}"


def test_a_result_that_is_replaced_before_it_is_sent_goes_out_once(
    hl7: Office, listener: MllpListener
) -> None:
    hl7.announce(state_of(Outcome.FAILED), Outcome.FAILED)
    hl7.announce(state_of())
    hl7.deliver(3)
    assert sorted(hl7.ends()) == [("sent", ""), ("superseded", "the scan has a newer result")]
    assert len(listener.messages) == 1


def test_a_scan_that_was_deleted_is_not_told_of(hl7: Office, listener: MllpListener) -> None:
    hl7.announce(state_of())
    hl7.archive.states.clear()
    hl7.deliver(2)
    assert hl7.ends() == [("superseded", "the scan is no longer in Orthanc")]
    assert listener.messages == []


def test_a_report_in_quarantine_is_a_dead_letter_that_says_so(hl7: Office) -> None:
    state = state_of(objects=(), quarantined={"SR": "Content Sequence: missing"})
    hl7.announce(state)
    hl7.deliver()
    assert hl7.ends() == [("dead", "the scan has no report: Content Sequence: missing")]


def test_a_report_that_was_deleted_is_a_dead_letter(hl7: Office) -> None:
    hl7.announce(state_of())
    hl7.archive.files.clear()
    hl7.deliver()
    assert hl7.ends() == [("dead", "the report was deleted from Orthanc")]


def test_while_orthanc_is_away_nothing_is_given_up(hl7: Office, listener: MllpListener) -> None:
    hl7.announce(state_of())
    hl7.archive.down = True
    hl7.deliver(10)
    assert hl7.ends() == [("queued", "Orthanc can't be reached")]
    hl7.archive.down = False
    hl7.deliver()
    assert len(listener.messages) == 1


def test_an_error_of_ours_is_a_dead_letter_without_its_words(outbox: Outbox) -> None:
    office = Office(outbox, {"Hl7": {"Host": "127.0.0.1"}})
    office.announce(state_of())

    def broken(_package: object) -> None:
        raise KeyError("Phantom^Chest")

    office.postmen[0].send = broken
    office.deliver()
    assert office.ends() == [("dead", "KeyError while it was written")]


def test_an_escalation_creates_one_workitem(outbox: Outbox) -> None:
    with WorkitemServer() as server:
        escalation = {"WorkitemUrl": server.base, "WorkitemAuthorization": "Bearer word"}
        office = Office(outbox, {"Escalation": escalation})
        office.announce(state_of())
        office.deliver()
        assert office.ends() == [("sent", "")]
        assert server.posted[0].headers["authorization"] == "Bearer word"
        # The answer to the first attempt got lost: the workitem is there already.
        outbox._file.append("UPDATE deliveries SET status = 'queued'", ())
        office.deliver()
        assert [end for end, _ in office.ends()] == ["sent"]
        assert (len(server.posted), len(server.workitems)) == (2, 1)


def test_what_is_not_time_critical_creates_none(outbox: Outbox) -> None:
    with WorkitemServer() as server:
        office = Office(outbox, {"Escalation": {"WorkitemUrl": server.base}})
        office.announce(state_of(Outcome.NO_FINDINGS), Outcome.NO_FINDINGS)
        office.announce(state_of(status=Status.NO_APPLICATION, probabilities=(), objects=()))
        office.deliver()
        assert (office.ends(), server.posted) == ([], [])


def test_a_worklist_folder_that_is_missing_is_waited_for(outbox: Outbox, tmp_path: Path) -> None:
    folder = tmp_path / "worklists"
    office = Office(outbox, {"Escalation": {"WorklistFolder": str(folder)}})
    office.announce(state_of())
    office.deliver()
    ((status, reason),) = office.ends()
    assert status == "queued"
    assert "No such file" in reason
    folder.mkdir()
    office.deliver()
    assert [path.suffix for path in folder.iterdir()] == [".wl"]
