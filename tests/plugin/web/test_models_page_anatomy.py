# SPDX-License-Identifier: AGPL-3.0-or-later
"""The page of models shows a site's anatomy model beside the shipped one, as every other model."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from inference.anatomy.serving.comparison import Contender, compare
from inference.anatomy.serving.held_out import read_held_out
from inference.contract import ModelVersion, ModelVersions
from plugin.web import create_app
from plugin.web.services import Services
from plugin.web.versions import VersionDesk
from tests.inference.anatomy.serving.site_models import metadata_bundle
from tests.plugin.web.chromium import PROGRAM, Chromium
from tests.plugin.web.fake_archive import CHEST_MODEL, FakeArchive, FakeQueue
from tests.plugin.web.test_models_page import OUTPUT, logged_in_as

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(PROGRAM is None, reason="Chromium is not installed"),
]


class WaitingGate:
    """One version of the anatomy model waits, compared with the shipped one."""

    def __init__(self, comparison: dict[str, Any]) -> None:
        self._comparison = comparison

    def versions(self) -> list[ModelVersions]:
        waiting = ModelVersion(version="0.1.0", state="waiting", compared=True)
        return [ModelVersions(name="anatomy-metadata", versions=(waiting,))]

    def comparison(self, model: str, version: str) -> dict[str, Any]:
        return self._comparison


def test_an_anatomy_model_is_compared_by_what_it_finds(tmp_path: Path) -> None:
    bundle = metadata_bundle(tmp_path / "trained")
    found = compare(Contender.shipped(), Contender.of(bundle), read_held_out(bundle.held_out))
    gate = WaitingGate(json.loads(found.model_dump_json()))
    app = create_app(
        FakeArchive(),
        FakeQueue(),
        status=lambda: {"queue": {"queued": 0, "running": 0}},
        models=lambda: [CHEST_MODEL],
        services=Services(versions=VersionDesk(gate, ("chief",))),  # type: ignore[arg-type]
    )
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(logged_in_as(app, "chief"), log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    page = Chromium(tmp_path)
    try:
        page.open(f"http://127.0.0.1:{listener.getsockname()[1]}/sidelight/ui/#models")
        page.wait_for("document.querySelectorAll('table.figures tbody tr').length === 6")
        heads = page.run("[...document.querySelectorAll('th[scope=col]')].map(h => h.textContent)")
        assert heads[2].startswith("found shipped-")
        assert heads[3:] == ["found 0.1.0", "mended", "broken"]
        row = page.run(
            "[...document.querySelectorAll('tbody tr:nth-child(2) td')].map(c => c.textContent)"
        )
        assert row[:3] == ["8 of 40", "1.000", "1.000"]
        page.screenshot(OUTPUT / "page-models-anatomy.png")
    finally:
        page.close()
        server.should_exit = True
        thread.join(20)
        listener.close()
