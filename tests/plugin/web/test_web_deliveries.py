# SPDX-License-Identifier: AGPL-3.0-or-later
"""What was sent where, over REST, and dead letters that go out again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema_rs
import pytest
from starlette.testclient import TestClient

from plugin.doors.outbox import NewDelivery, Outbox, Patience
from plugin.web import create_app, description
from plugin.web.services import Services
from tests.plugin.web.fake_archive import CHEST_MODEL, FakeArchive, FakeQueue, orthanc_id

STUDY = orthanc_id("study")


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    outbox = Outbox(tmp_path / "outbox.sqlite", Patience(maximum_refusals=1))
    outbox.note(
        [
            NewDelivery(f"r{n}", "result", "hl7", "instance", orthanc_id("i"), STUDY, 0, "ris:2575")
            for n in range(3)
        ]
    )
    for end in (lambda d: outbox.refused(d, "AE"), outbox.sent):
        delivery = outbox.due("hl7")
        assert delivery is not None
        end(delivery)
    return outbox


@pytest.fixture
def client(outbox: Outbox) -> Iterator[TestClient]:
    app = create_app(
        FakeArchive(), FakeQueue(), dict, lambda: [CHEST_MODEL], Services(deliveries=outbox)
    )
    with TestClient(app) as client:
        yield client


def test_deliveries_are_listed_with_counts_and_reasons(client: TestClient) -> None:
    content = client.get("/sidelight/deliveries").json()
    assert content["counts"] == {"queued": 1, "sent": 1, "superseded": 0, "dead": 1}
    assert [one["status"] for one in content["deliveries"]] == ["queued", "sent", "dead"]
    dead = content["deliveries"][2]
    assert (dead["reason"], dead["target"], dead["attempts"]) == ("AE", "ris:2575", 1)
    assert dead["links"]["retry"] == f"/sidelight/deliveries/{dead['id']}/retry"
    assert "retry" not in content["deliveries"][1]["links"]


def test_the_list_is_as_described(client: TestClient) -> None:
    document = json.loads(description.document())
    schema = {**document["components"]["schemas"]["Deliveries"]}
    schema["components"] = document["components"]
    jsonschema_rs.validate(schema, client.get("/sidelight/deliveries").json())


def test_one_status_can_be_asked_for(client: TestClient) -> None:
    content = client.get("/sidelight/deliveries?status=dead&limit=5").json()
    assert [one["status"] for one in content["deliveries"]] == ["dead"]
    assert client.get("/sidelight/deliveries?status=lost").status_code == 400
    assert client.get("/sidelight/deliveries?limit=0").status_code == 400


def test_a_dead_letter_is_sent_again_on_request(client: TestClient, outbox: Outbox) -> None:
    answer = client.post("/sidelight/deliveries/1/retry")
    assert (answer.status_code, answer.json()) == (202, {"delivery": 1, "status": "queued"})
    assert outbox.statistics()["dead"] == 0
    again = client.post("/sidelight/deliveries/1/retry")
    assert (again.status_code, again.json()["code"]) == (409, "not-a-dead-letter")


@pytest.mark.parametrize("number", ["99", "0", "one", "-1", "9" * 30])
def test_an_unknown_delivery_is_404(client: TestClient, number: str) -> None:
    answer = client.post(f"/sidelight/deliveries/{number}/retry")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-delivery")


def test_a_page_of_another_origin_sends_nothing(client: TestClient, outbox: Outbox) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert client.post("/sidelight/deliveries/1/retry", headers=headers).status_code == 403
    assert client.post("/sidelight/deliveries/1/retry", content=b"x").status_code == 400
    assert outbox.statistics()["dead"] == 1


def test_where_nothing_is_sent_the_list_is_empty() -> None:
    app = create_app(FakeArchive(), FakeQueue(), dict, lambda: [CHEST_MODEL])
    with TestClient(app) as client:
        content = client.get("/sidelight/deliveries").json()
        assert content["deliveries"] == []
        assert client.post("/sidelight/deliveries/1/retry").status_code == 404
