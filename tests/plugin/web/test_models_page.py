# SPDX-License-Identifier: AGPL-3.0-or-later
"""The page of models: a new version beside the old one, and the decision of who may decide."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from inference.contract import DecisionTaken, ModelVersion, ModelVersions, VersionDecision
from plugin.gate import InferenceRefusedError
from plugin.routes import USER_HEADER
from plugin.web import create_app
from plugin.web.services import Services
from plugin.web.versions import VersionDesk
from tests.plugin.web.chromium import PROGRAM, Chromium
from tests.plugin.web.fake_archive import CHEST_MODEL, FakeArchive, FakeQueue

OUTPUT = Path(__file__).parents[2] / "output"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(PROGRAM is None, reason="Chromium is not installed"),
]

KEYS = {"pneumothorax": (0.93, 0.955), "nodule": (0.81, 0.80), "cardiomegaly": (0.97, 0.91)}


def figures(which: int) -> dict[str, Any]:
    classes = {
        key: {"images": 400, "positives": 61, "auc": aucs[which], "pointing": 0.7 + 0.1 * which}
        for key, aucs in KEYS.items()
    }
    return {"images": 400, "calibration_error": 0.021 - 0.004 * which, "classes": classes}


def comparison() -> dict[str, Any]:
    differences = {
        key: {
            "auc": round(new - old, 4),
            "auc_low": round(new - old - 0.02, 4),
            "auc_high": round(new - old + 0.02, 4),
            "pointing": 0.1,
            "calibration_error": -0.004,
            "mended": 9,
            "broken": 4,
        }
        for key, (old, new) in KEYS.items()
    }
    sides = [
        {"name": "chest", "version": version, "digest": "0" * 64, "figures": figures(which)}
        for which, version in enumerate(("1.0.0", "1.1.0"))
    ]
    return {
        "images": 400,
        "old": sides[0],
        "new": sides[1],
        "differences": differences,
        "only_old": [],
        "only_new": ["edema"],
    }


@dataclass
class DecidingGate:
    """One version is served and one waits, until somebody decides."""

    promoted: list[VersionDecision] = field(default_factory=list)

    def versions(self) -> list[ModelVersions]:
        old = DecisionTaken(
            action="promoted", version="1.0.0", at="2026-11-02T08:00:00+00:00", by="chief",
            reason="first one trained here",
        )  # fmt: skip
        done = bool(self.promoted)
        now = None
        if done:
            last = self.promoted[-1]
            now = DecisionTaken(
                action="promoted", version="1.1.0", at="2026-11-29T08:00:00+00:00", by=last.by,
                reason=last.reason,
            )  # fmt: skip
        new = ModelVersion(
            version="1.1.0", state="served" if done else "waiting", decision=now, compared=True
        )
        before = ModelVersion(version="1.0.0", state="earlier" if done else "served", decision=old)
        return [ModelVersions(name="chest", versions=(new, before))]

    def comparison(self, model: str, version: str) -> dict[str, Any]:
        assert (model, version) == ("chest", "1.1.0")
        return comparison()

    def decide(self, model: str, decision: VersionDecision) -> ModelVersions:
        if decision.action != "promote":
            raise InferenceRefusedError("not-possible", "no earlier version was promoted")
        self.promoted.append(decision)
        return self.versions()[0]


def logged_in_as(app: ASGIApp, account: str) -> ASGIApp:
    """As Orthanc's side hands a request on: with the account that it checked."""

    async def handed_on(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["headers"] = [*scope["headers"], (USER_HEADER.encode(), account.encode())]
        await app(scope, receive, send)

    return handed_on


@pytest.fixture
def opened(
    tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[DecidingGate, Chromium]]:
    gate = DecidingGate()
    app = create_app(
        FakeArchive(),
        FakeQueue(),
        status=lambda: {"queue": {"queued": 0, "running": 0}},
        models=lambda: [CHEST_MODEL],
        services=Services(versions=VersionDesk(gate, ("chief",))),  # type: ignore[arg-type]
    )
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(logged_in_as(app, request.param), log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    page = Chromium(tmp_path)
    try:
        page.open(f"http://127.0.0.1:{listener.getsockname()[1]}/sidelight/ui/#models")
        page.wait_for("document.querySelectorAll('table.figures tbody tr').length === 3")
        yield gate, page
    finally:
        page.close()
        server.should_exit = True
        thread.join(20)
        listener.close()


@pytest.mark.parametrize("opened", ["chief"], indirect=True)
def test_who_may_decide_promotes_with_a_reason(opened: tuple[DecidingGate, Chromium]) -> None:
    gate, page = opened
    verdicts = "[...document.querySelectorAll('td:nth-child(5)')].map(cell => cell.className)"
    assert page.run(verdicts) == ["better", "alike", "worse"]
    page.screenshot(OUTPUT / "page-models.png")
    # Without a reason nothing is decided.
    page.run("document.querySelector('.waiting .decider .primary').click()")
    assert gate.promoted == []
    page.run("document.querySelector('.waiting .decider input').value = 'fewer misses'")
    page.run("document.querySelector('.waiting .decider .primary').click()")
    page.wait_for("document.querySelector('.version.served h3').textContent.startsWith('1.1.0')")
    (decision,) = gate.promoted
    assert (decision.by, decision.reason, decision.version) == ("chief", "fewer misses", "1.1.0")


@pytest.mark.parametrize("opened", ["reader"], indirect=True)
def test_others_see_the_comparison_and_how_to_decide(
    opened: tuple[DecidingGate, Chromium],
) -> None:
    _, page = opened
    assert page.run("document.querySelectorAll('.decider').length") == 0
    assert "sidelight models promote chest 1.1.0" in page.run(
        "document.querySelector('.waiting').textContent"
    )
