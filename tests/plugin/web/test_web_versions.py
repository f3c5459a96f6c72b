# SPDX-License-Identifier: AGPL-3.0-or-later
"""Versions of models over REST: who may decide does, with a reason, and others see."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from plugin.gate import InferenceRefusedError, InferenceUnavailableError
from plugin.routes import USER_HEADER
from plugin.web import create_app
from plugin.web.services import Services
from plugin.web.versions import VersionDesk
from tests.plugin.web.fake_archive import FakeArchive, FakeQueue
from tests.plugin.web.fake_versions import FakeGate

AS_CHIEF = {USER_HEADER: "chief"}
PROMOTE = {"action": "promote", "version": "0.2.0", "reason": "fewer misses"}


@pytest.fixture
def gate() -> FakeGate:
    return FakeGate()


@pytest.fixture
def client(gate: FakeGate) -> TestClient:
    desk = VersionDesk(gate, ("chief",))  # type: ignore[arg-type]
    app = create_app(
        FakeArchive(),
        FakeQueue(),
        status=dict,
        models=list,
        services=Services(versions=desk),
    )
    return TestClient(app, raise_server_exceptions=False)


def test_everybody_sees_the_versions_and_whether_they_may_decide(client: TestClient) -> None:
    seen = client.get("/sidelight/versions").json()
    assert seen["may_decide"] is False
    newest, served = seen["models"][0]["versions"]
    assert newest["links"]["comparison"] == "/sidelight/versions/chest/0.2.0/comparison"
    assert (served["state"], served["decision"]["by"], served["links"]) == ("served", "a", {})
    assert client.get("/sidelight/versions", headers=AS_CHIEF).json()["may_decide"] is True
    assert client.get(newest["links"]["comparison"]).json()["images"] == 3


def test_who_may_decides_under_their_account(client: TestClient, gate: FakeGate) -> None:
    answer = client.post("/sidelight/versions/chest", json=PROMOTE, headers=AS_CHIEF)
    assert answer.status_code == 200
    ((model, decision),) = gate.decided
    assert (model, decision.action, decision.version) == ("chest", "promote", "0.2.0")
    assert (decision.by, decision.reason) == ("chief", "fewer misses")


@pytest.mark.parametrize("headers", [{}, {USER_HEADER: "reader"}, {USER_HEADER: ""}])
def test_nobody_else_decides(client: TestClient, gate: FakeGate, headers: dict[str, str]) -> None:
    answer = client.post("/sidelight/versions/chest", json=PROMOTE, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "not-a-decider")
    assert gate.decided == []


@pytest.mark.parametrize(
    "body",
    [
        {"action": "promote", "version": "0.2.0"},
        {"action": "promote", "reason": "no version"},
        {"action": "delete", "version": "0.2.0", "reason": "x"},
        {**PROMOTE, "by": "somebody else"},
        {**PROMOTE, "version": "../0.2.0"},
    ],
)
def test_a_decision_names_action_version_and_reason_and_no_other_person(
    client: TestClient, gate: FakeGate, body: dict[str, str]
) -> None:
    answer = client.post("/sidelight/versions/chest", json=body, headers=AS_CHIEF)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-body")
    assert gate.decided == []


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InferenceRefusedError("unknown-model", "none"), 404, "unknown-model"),
        (InferenceRefusedError("fails-commissioning", "AUC"), 409, "fails-commissioning"),
        (InferenceUnavailableError("away"), 503, "inference-unavailable"),
    ],
)
def test_what_inference_says_reaches_the_caller(
    client: TestClient, gate: FakeGate, error: Exception, status: int, code: str
) -> None:
    gate.error = error
    answer = client.post("/sidelight/versions/chest", json=PROMOTE, headers=AS_CHIEF)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_names_that_are_no_names_ask_nothing(client: TestClient, gate: FakeGate) -> None:
    gate.error = AssertionError("asked")
    for path in (
        "/sidelight/versions/..%2Fchest/0.2.0/comparison",
        "/sidelight/versions/chest/x/comparison",
    ):
        assert client.get(path).status_code == 404
