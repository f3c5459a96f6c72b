# SPDX-License-Identifier: AGPL-3.0-or-later
"""A study says to which applications outside it goes, beside what became of its scans."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema_rs
import pytest
from starlette.testclient import TestClient

from plugin.doors.errors import OutboxError
from plugin.doors.outbox import NewDelivery, Outbox, Patience
from plugin.web import create_app, description
from plugin.web.services import Services
from tests.plugin.web.fake_archive import CHEST_MODEL, FakeArchive, FakeQueue


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox.sqlite", Patience(maximum_refusals=1))


@pytest.fixture
def archive() -> FakeArchive:
    return FakeArchive()


@pytest.fixture
def handed_over(outbox: Outbox, archive: FakeArchive) -> Callable[[str], list[dict[str, str]]]:
    services = Services(deliveries=outbox)
    client = TestClient(create_app(archive, FakeQueue(), dict, lambda: [CHEST_MODEL], services))

    def asked(study: str) -> list[dict[str, str]]:
        answer = client.get(f"/studies/{study}/sidelight")
        whole = json.loads(description.document())
        schema = {"$ref": "#/components/schemas/Study", "components": whole["components"]}
        jsonschema_rs.validate(schema, answer.json())
        said: list[dict[str, str]] = answer.json()["handed_over"]
        return said

    return asked


def note(outbox: Outbox, study: str, door: str, digest: str = "one") -> None:
    target = "ai.example"
    outbox.note([NewDelivery(digest, "study", door, "study", study, study, 0, target)])


def test_a_study_names_the_applications_that_get_it_and_how_far_that_is(
    outbox: Outbox, archive: FakeArchive, handed_over: Callable[[str], list[dict[str, str]]]
) -> None:
    study = archive.add_study("1")
    for door in ("application-lung", "application-heart"):
        note(outbox, study, door)
    delivery = outbox.due("application-lung")
    assert delivery is not None
    outbox.sent(delivery)
    same = {"target": "ai.example", "reason": ""}
    assert handed_over(study) == [
        {"application": "heart", "status": "queued", **same},
        {"application": "lung", "status": "sent", **same},
    ]


def test_the_last_delivery_to_an_application_counts(
    outbox: Outbox, archive: FakeArchive, handed_over: Callable[[str], list[dict[str, str]]]
) -> None:
    study = archive.add_study("1")
    note(outbox, study, "application-lung")
    delivery = outbox.due("application-lung")
    assert delivery is not None
    outbox.sent(delivery)
    note(outbox, study, "application-lung", "another")
    delivery = outbox.due("application-lung")
    assert delivery is not None
    outbox.refused(delivery, "the endpoint answers 403")
    (said,) = handed_over(study)
    assert (said["status"], said["reason"]) == ("dead", "the endpoint answers 403")


def test_a_set_that_is_wanted_once_more_counts_before_the_one_that_superseded_it(
    outbox: Outbox, archive: FakeArchive, handed_over: Callable[[str], list[dict[str, str]]]
) -> None:
    study, newer = archive.add_study("1"), "the study has a newer set for this application"
    for digest in ("one", "another"):
        note(outbox, study, "application-lung", digest)
        delivery = outbox.due("application-lung")
        assert delivery is not None
        outbox.superseded(delivery, newer)
    (said,) = handed_over(study)
    assert (said["status"], said["reason"]) == ("superseded", newer)
    again = NewDelivery("one", "study", "application-lung", "study", study, study, 0, "ai.example")
    assert outbox.revive([again]) == 1
    (said,) = handed_over(study)
    assert (said["status"], said["reason"]) == ("queued", "")
    delivery = outbox.due("application-lung")
    assert delivery is not None
    outbox.sent(delivery)
    (said,) = handed_over(study)
    assert said["status"] == "sent"


def test_results_that_are_sent_elsewhere_and_other_studies_are_not_told(
    outbox: Outbox, archive: FakeArchive, handed_over: Callable[[str], list[dict[str, str]]]
) -> None:
    study, other = archive.add_study("1"), archive.add_study("2")
    outbox.note([NewDelivery("r", "result", "hl7", "study", study, study, 0, "ris")])
    note(outbox, other, "application-lung")
    assert handed_over(study) == []


def test_scans_are_told_also_where_the_outbox_can_not_be_read(
    outbox: Outbox,
    archive: FakeArchive,
    handed_over: Callable[[str], list[dict[str, str]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        raise OutboxError("disk I/O error")

    monkeypatch.setattr(outbox, "deliveries_of", broken)
    assert handed_over(archive.add_study("1")) == []
