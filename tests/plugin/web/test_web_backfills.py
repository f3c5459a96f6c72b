# SPDX-License-Identifier: AGPL-3.0-or-later
"""Backfills over REST, and what the command line says of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import typer
from starlette.testclient import TestClient
from typer.testing import CliRunner

from plugin import rest_client
from plugin.copies.backfill_book import BackfillBook
from plugin.copies.commands import app
from plugin.web import create_app, description
from plugin.web.backfills import BackfillDesk
from plugin.web.services import Services
from tests.plugin.web.fake_archive import CHEST_MODEL, FakeArchive, FakeQueue

PLACE = "/sidelight/copies/backfill"


@pytest.fixture
def book(tmp_path: Path) -> BackfillBook:
    return BackfillBook(tmp_path / "copies.sqlite")


@pytest.fixture
def client(book: BackfillBook) -> Iterator[TestClient]:
    services = Services(backfills=BackfillDesk(book, ("research", "teaching")))
    with TestClient(served(services)) as client:
        yield client


def served(services: Services) -> Any:
    return create_app(FakeArchive(), FakeQueue(), dict, lambda: [CHEST_MODEL], services)


def test_an_order_is_taken_told_of_and_stopped(client: TestClient, book: BackfillBook) -> None:
    assert client.get(PLACE).json() == {"backfill": None}
    asked = {"rules": ["research"], "from": "2025-01-31", "most": 5}
    answer = client.post(PLACE, json=asked)
    assert answer.status_code == 202
    order = book.open()
    assert order is not None
    assert (order.wish.rules, order.wish.first, order.wish.most) == (("research",), "20250131", 5)
    book.list_studies(order.id, ["a", "b"])
    told = client.get(PLACE).json()
    document = json.loads(description.document())
    schema = {"$ref": "#/components/schemas/BackfillAnswer", "components": document["components"]}
    jsonschema_rs.validate(schema, told)
    assert told["backfill"]["studies"] == {"found": 2, "waiting": 2, "taken": 0}
    assert (told["backfill"]["from"], told["backfill"]["until"]) == ("2025-01-31", "")
    assert client.post(PLACE, json={}).json()["code"] == "backfill-open"
    assert client.post(f"{PLACE}/stop").json()["backfill"]["status"] == "stopped"
    assert client.post(PLACE, json={}).status_code == 202
    assert client.get(PLACE).json()["backfill"]["rules"] == ["research", "teaching"]


@pytest.mark.parametrize(
    ("asked", "parameter"),
    [
        ({"rules": ["none"]}, "rules"),
        ({"most": 0}, "most"),
        ({"from": "31.1.2025"}, "from"),
        ({"from": "0"}, "from"),
        ({"until": 0}, "until"),
        ({"until": "2025-02-30"}, "until"),
        ({"most": "5"}, "most"),
        ({"patient": "x"}, "patient"),
        ({"from": "2025-02-01", "until": "2025-01-01"}, None),
    ],
)
def test_what_is_not_understood_is_refused_by_name(
    client: TestClient, book: BackfillBook, asked: dict[str, Any], parameter: str | None
) -> None:
    answer = client.post(PLACE, json=asked)
    assert (answer.status_code, answer.json().get("parameter")) == (400, parameter)
    assert book.latest() is None


def test_a_page_of_another_origin_orders_nothing(client: TestClient, book: BackfillBook) -> None:
    foreign = {"sec-fetch-site": "cross-site"}
    assert client.post(PLACE, json={}, headers=foreign).status_code == 403
    assert client.post(f"{PLACE}/stop", headers=foreign).status_code == 403
    assert book.latest() is None


def test_without_a_rule_there_is_nothing_to_order() -> None:
    with TestClient(served(Services())) as client:
        assert client.get(PLACE).json()["code"] == "no-copies"
        assert client.post(PLACE, json={}).status_code == 404


def test_the_command_orders_and_says_how_far_it_is(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest_client.httpx, "Client", lambda **_: client)
    said = CliRunner().invoke(app, ["progress"])
    assert "no backfill yet" in said.output
    said = CliRunner().invoke(app, ["backfill", "--rule", "teaching", "--from", "2025-01-31"])
    assert (said.exit_code, "backfill 1 (teaching): ordered" in said.output) == (0, True)
    said = CliRunner().invoke(app, ["backfill"])
    assert (said.exit_code, "409: a backfill is under way" in said.output) == (1, True)
    said = CliRunner().invoke(app, ["stop"])
    assert "stopped" in said.output


def test_an_orthanc_that_is_away_is_said() -> None:
    with pytest.raises(typer.Exit):
        rest_client.RestClient("http://127.0.0.1:9", "").get(PLACE)
