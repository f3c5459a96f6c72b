# SPDX-License-Identifier: AGPL-3.0-or-later
"""Models in a real Orthanc: imported ones, tampered ones, and what the status says of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom

from inference.imported.importer import ImportRequest, chest_category, import_model
from inference.versions import Versions
from plugin.demo.server import OrthancServer
from tests.inference.imported.small_models import CLASSES, SIZE, torchscript
from tests.inference.test_versions import add
from tests.system.pacs import finished, store
from tests.system.test_main_line import fresh

Make = Callable[..., OrthancServer]


def with_models(server: OrthancServer, seconds: float = 120.0) -> dict[str, Any]:
    """The status once models are loaded, be they all well or not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        status = server.status()
        inference = (status.get("service") or {}).get("inference") or {}
        if inference.get("status") == "ok":
            return status
        time.sleep(0.2)
    raise AssertionError("models are not loaded")


def test_an_imported_model_answers_a_scan_with_coded_objects_and_a_tampered_one_is_named(
    own_server: Make, phantoms: list[Path], tmp_path: Path
) -> None:
    request = ImportRequest(
        path=torchscript(tmp_path / "spots.ts"),
        category=chest_category(),
        classes=CLASSES,
        size=SIZE,
        name="spots",
    )
    import_model(request, tmp_path / "models" / "spots")
    section = {
        "ModelDirectories": [str(tmp_path / "models")],
        "PinnedDigests": {"chest-phantom": "0" * 64},
    }
    environment = str(Path(__file__).resolve().parents[2] / ".venv")
    workers = {"Scheduling": "normal", "Nice": 0}
    changes = {"Environment": environment, "Inference": section, "Workers": workers}
    server = own_server(Sidelight=changes)
    server.start()
    status = with_models(server)
    assert status["status"] == "degraded"
    assert [p for p in status["problems"] if "chest-phantom" in p and "not the pinned one" in p]
    assert status["service"]["inference"]["vouched"] == {"spots": "unsigned"}
    study = store(server, fresh(phantoms[0]))["ParentStudy"]
    (scan,) = finished(server, study, seconds=90)["scans"]
    assert scan["model"] == "spots"
    report = next(item for item in scan["objects"] if item["kind"] == "SR")
    content = server.client.get(f"/instances/{report['instance']}/file").content
    assert "Pleural effusion" in str(pydicom.dcmread(BytesIO(content)))


def test_a_person_promotes_a_version_over_rest_and_rolls_it_back(
    own_server: Make, tmp_path: Path
) -> None:
    add(tmp_path / "models", "0.8.0", "chest-site")
    Versions(tmp_path / "models" / "chest-site").promote("0.8.0", "chief", "first")
    add(tmp_path / "models", "0.9.0", "chest-site")
    environment = str(Path(__file__).resolve().parents[2] / ".venv")
    section = {"ModelDirectories": [str(tmp_path / "models")], "Deciders": ["demo"]}
    workers = {"Scheduling": "normal", "Nice": 0}
    server = own_server(
        Sidelight={"Environment": environment, "Inference": section, "Workers": workers}
    )
    server.start()
    with_models(server)
    seen = server.client.get("/sidelight/versions").json()
    assert seen["may_decide"] is True
    assert [v["state"] for v in seen["models"][0]["versions"]] == ["waiting", "served"]
    asked = {"action": "promote", "version": "0.9.0", "reason": "fewer misses"}
    answer = server.client.post("/sidelight/versions/chest-site", json=asked, timeout=60)
    assert answer.status_code == 200, answer.text
    served_version(server, "chest-site", "0.9.0")
    back = {"action": "roll-back", "reason": "a radiologist saw more misses"}
    answer = server.client.post("/sidelight/versions/chest-site", json=back, timeout=60)
    assert answer.status_code == 200, answer.text
    served_version(server, "chest-site", "0.8.0")
    kept = json.loads((tmp_path / "models" / "chest-site" / "serving.json").read_text("utf-8"))
    assert [(d["action"], d["by"]) for d in kept["decisions"]][1:] == [
        ("promoted", "demo"),
        ("rolled-back", "demo"),
    ]


def served_version(server: OrthancServer, name: str, version: str, seconds: float = 60.0) -> None:
    """Wait until this version is what new scans are analysed by."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        models = server.client.get("/sidelight/models").json()["models"]
        if (name, version) in [(m["name"], m["version"]) for m in models]:
            return
        time.sleep(0.2)
    raise AssertionError(f"{name} {version} is not served")
