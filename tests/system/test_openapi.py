# SPDX-License-Identifier: AGPL-3.0-or-later
"""The description of the routes, held against the routes as Orthanc serves them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from plugin.demo.server import OrthancServer
from plugin.routes import ROUTES
from tests.system.pacs import finished, store
from tests.system.test_main_line import fresh

SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"

# What Orthanc itself answers before a plugin is asked: unusual methods with 400 or 404.
LEFT_TO_ORTHANC = "unsupported_method"


def test_every_route_is_described_and_every_described_route_is_there(
    server: OrthancServer,
) -> None:
    described = server.client.get("/sidelight/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    served = {route.path.replace(":path}", "}") for route in ROUTES}
    assert set(described["paths"]) == served
    for route in ROUTES:
        operations = described["paths"][route.path.replace(":path}", "}")]
        assert {m.lower() for m in route.methods} <= set(operations)


def test_the_routes_keep_what_the_description_promises(
    server: OrthancServer, phantoms: list[Path], tmp_path: Path
) -> None:
    if server.installation.name != "debian":
        pytest.skip("once is enough: both releases serve the same process")
    stored = store(server, fresh(phantoms[0]))
    finished(server, stored["ParentStudy"])
    schema = tmp_path / "openapi.json"
    schema.write_bytes(server.client.get("/sidelight/openapi.json").content)
    done = subprocess.run(
        [
            str(SCHEMATHESIS), "run", str(schema), "--url", server.url,
            "--auth", f"{server.user}:{server.password}", "--checks", "all",
            "--exclude-checks", LEFT_TO_ORTHANC, "--max-examples", "15",
            "--phases", "examples,fuzzing", "--seed", "1", "--no-color",
        ],
        capture_output=True, text=True, check=False, timeout=280, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
