# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a worker notes when a scan's state is stored."""

from __future__ import annotations

import pytest

from inference.contract import Outcome
from plugin.configuration import read
from plugin.doors.announcer import Announcer, events, fingerprint
from plugin.doors.destinations import Destination, destinations
from plugin.doors.outbox import Outbox
from plugin.states import ScanState, Status
from tests.plugin.doors.states import state_of

DOORS = {
    "Hl7": {"Host": "ris.example", "Port": 2575},
    "Webhooks": {
        "ResultUrls": ["https://user:password@hooks.example:8443/r"],
        "EscalationUrls": ["https://hooks.example/e"],
        "FailedUrls": ["https://hooks.example/f"],
        "Secret": "0123456789abcdef",
    },
    "Escalation": {"WorkitemUrl": "https://ups.example/dicom-web", "WorklistFolder": "worklists"},
}


def configured() -> tuple[Destination, ...]:
    return destinations(read({"Doors": DOORS}).doors)


def noted(outbox: Outbox, state: ScanState) -> list[tuple[str, str]]:
    Announcer(outbox, configured(), severity=3).announce("study-1", state)
    found = outbox.deliveries(None, 100)
    return sorted((one["event"], one["target"]) for one in found)


def test_nothing_is_sent_unless_it_is_configured() -> None:
    assert destinations(read({}).doors) == ()


def test_no_password_of_an_address_is_shown(outbox: Outbox) -> None:
    noted(outbox, state_of())
    text = str(outbox.deliveries(None, 100))
    assert "hooks.example:8443" in text
    assert "password" not in text


def test_a_time_critical_finding_goes_to_all_who_asked(outbox: Outbox) -> None:
    assert noted(outbox, state_of()) == [
        ("escalation", "hooks.example"),
        ("escalation", "ups.example"),
        ("escalation", "worklist folder"),
        ("result", "hooks.example:8443"),
        ("result", "ris.example:2575"),
    ]


def test_escalations_are_sent_before_results(outbox: Outbox) -> None:
    door = Destination("result", "hl7", "ris"), Destination("escalation", "hl7", "ris")
    announcer = Announcer(outbox, door, severity=3)
    announcer.announce("s", state_of(Outcome.NO_FINDINGS, resource="image-2"))
    announcer.announce("s", state_of())
    first = outbox.due("hl7")
    assert first is not None
    assert (first.event, first.resource) == ("escalation", "image-1")


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (state_of(), ("result", "escalation")),
        (state_of(Outcome.NO_FINDINGS), ("result",)),
        (state_of(Outcome.ABSTAINED), ("result",)),
        (state_of(Outcome.REFUSED), ("result",)),
        (state_of(Outcome.FAILED), ("result", "failed")),
        (state_of(Outcome.FAILED, objects=()), ("failed",)),
        (state_of(Outcome.FINDINGS, objects=(), quarantined={"SR": "x"}), ("result", "escalation")),
        (state_of(status=Status.NO_APPLICATION, objects=(), probabilities=()), ()),
        (state_of(status=Status.OWN_OBJECT, objects=(), probabilities=()), ()),
    ],
)
def test_each_ending_is_told_as_what_it_is(state: ScanState, expected: tuple[str, ...]) -> None:
    assert events(state, 3) == expected


def test_the_severity_that_escalates_is_configurable() -> None:
    state = state_of(priority=2)
    assert events(state, 3) == ("result",)
    assert events(state, 2) == ("result", "escalation")


def test_the_same_result_again_is_no_news_and_a_changed_one_is(outbox: Outbox) -> None:
    count = len(noted(outbox, state_of()))
    again = state_of(finished_at="2026-11-03T11:00:00Z", milliseconds={"fetch": 3.0})
    assert len(noted(outbox, again)) == count
    assert fingerprint(again) == fingerprint(state_of())
    other = state_of(model_version="2.0")
    assert fingerprint(other) != fingerprint(state_of())
    assert len(noted(outbox, other)) == 2 * count


def test_the_outbox_holds_nothing_of_a_patient(outbox: Outbox) -> None:
    noted(outbox, state_of())
    for one in outbox.deliveries(None, 100):
        assert set(one) == {
            "id", "event", "door", "target", "status", "level", "resource", "study", "attempts",
            "reason", "noted", "finished",
        }  # fmt: skip
