# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is fetched from other archives, over REST."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema_rs
from starlette.testclient import TestClient

from plugin.dispatch.ledger import Ledger
from plugin.routing.pull_report import PullOutcome, PullReport, remember_outcome, remember_run
from plugin.web import create_app, description
from plugin.web.services import Services
from tests.plugin.routing.tables import application, table
from tests.plugin.web.fake_archive import CHEST_MODEL, FakeArchive, FakeQueue


def pulls(services: Services) -> list[dict[str, Any]]:
    app = create_app(FakeArchive(), FakeQueue(), dict, lambda: [CHEST_MODEL], services)
    with TestClient(app) as client:
        assert client.get("/sidelight/pulls?name=x").status_code == 400
        told = client.get("/sidelight/pulls").json()
    components = json.loads(description.document())["components"]
    jsonschema_rs.validate({"$ref": "#/components/schemas/Pulls", "components": components}, told)
    read: list[dict[str, Any]] = told["pulls"]
    return read


def test_every_pull_tells_when_it_ran_and_how_that_went(tmp_path: Path) -> None:
    named = table(
        application(), pull=[{"name": "a", "server": "x"}, {"name": "b", "modality": "y"}]
    )
    ledger, moment = Ledger(tmp_path / "routing.sqlite"), datetime(2026, 11, 3, 2, tzinfo=UTC)
    remember_run(ledger, named.pulls[0], moment)
    remember_outcome(ledger, named.pulls[0], PullOutcome(found=3, known=1, fetched=2))
    one, other = pulls(Services(pulls=PullReport(named, ledger, lambda: moment)))
    assert (one["state"], one["last_run"]) == ("waits", "2026-11-03T02:00:00+00:00")
    assert one["outcome"]["fetched"] == 2
    assert (other["source"], other["state"], other["outcome"]) == ("modality y", "due", None)


def test_without_a_table_nothing_is_fetched() -> None:
    assert pulls(Services()) == []
