# SPDX-License-Identifier: AGPL-3.0-or-later
"""A lost key on a real Orthanc: nothing is de-identified until it is back, or another accepted."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
from typer.testing import CliRunner

from benchmarks.receivers import wait_for
from plugin.demo.server import OrthancServer
from plugin.key_commands import app
from tests.system.pacs import finished, store
from tests.system.test_main_line import fresh

Make = Callable[..., OrthancServer]
ANALYSED = ("findings", "no-findings", "abstained")
PATIENT = {"PatientID": "KEY-4711", "PatientName": "Keyed^Kim"}
COPIES = """
[[copy]]
name = "folder"
at = "instance"
when = {{ modalities = ["DX"] }}
destination = {{ kind = "folder", path = "{folder}" }}
"""


def copied(folder: Path) -> list[str]:
    """Patient IDs of the copies."""
    return [str(pydicom.dcmread(file).PatientID) for file in sorted(folder.rglob("*.dcm"))]


def key_problems(server: OrthancServer) -> list[str]:
    return [one for one in server.status()["problems"] if "nothing is de-identified" in one]


def waits(server: OrthancServer, scan: bytes) -> str:
    """Store a scan while the key is lost; its study, of which nothing was de-identified."""
    wait_for(lambda: server.client.get("/sidelight/deid/reviews").status_code == 503, 60.0)
    (problem,) = key_problems(server)
    assert server.status()["status"] == "degraded"
    assert "restore it from its backup" in problem
    assert "sidelight key accept --data" in problem
    study = store(server, scan)["ParentStudy"]
    time.sleep(8)
    assert server.client.get(f"/studies/{study}/sidelight").status_code == 202
    plan = server.client.get(f"/studies/{study}/sidelight/plan")
    assert (plan.status_code, plan.json()["code"]) == (503, "key-unusable")
    restarts = {one["name"]: one["restarts"] for one in server.status()["processes"]}
    assert set(restarts.values()) == {0}, "whoever waits does not end again and again"
    deliveries: list[dict[str, Any]] = server.client.get("/sidelight/deliveries").json()[
        "deliveries"
    ]
    assert any("key can't be used" in str(one) for one in deliveries)
    return study


def test_a_lost_key_stops_all_that_de_identifies_until_it_is_back_or_another_is_accepted(
    own_server: Make, phantoms: list[Path], tmp_path: Path
) -> None:
    table, out = tmp_path / "copies.toml", tmp_path / "out"
    out.mkdir()
    table.write_text(COPIES.format(folder=out), encoding="utf-8")
    server = own_server(
        StableAge=1,
        Sidelight={
            "Copies": {"Table": str(table)},
            "Doors": {"BackoffSeconds": 0.2},
            "DeidentificationReview": {"Reviewers": ["demo"]},
            "Workers": {"Scheduling": "normal"},
        },
    )
    data = server.folder / "db/sidelight"
    key = data / "deidentification.key"
    server.start()
    server.wait_ready(180)
    first = store(server, fresh(phantoms[0], **PATIENT))
    assert finished(server, first["ParentStudy"], seconds=180)["scans"][0]["status"] in ANALYSED
    wait_for(lambda: len(copied(out)) == 1, 60.0)

    server.stop()
    secret = key.read_bytes()
    key.unlink()
    server.start()
    second = waits(server, fresh(phantoms[1], **PATIENT))
    assert not key.exists()
    assert len(copied(out)) == 1

    key.write_bytes(secret)
    key.chmod(0o600)
    assert finished(server, second, seconds=180)["scans"][0]["status"] in ANALYSED
    wait_for(lambda: len(copied(out)) == 2, 60.0)
    assert len(set(copied(out))) == 1, "one patient, as before"
    wait_for(lambda: key_problems(server) == [], 10.0)
    wait_for(lambda: server.client.get("/sidelight/deid/reviews").status_code == 200, 30.0)

    key.unlink()
    accept = ["accept", "--draw", "--data", str(data)]
    assert "stop it first" in CliRunner().invoke(app, accept).output
    server.stop()
    assert CliRunner().invoke(app, accept).exit_code == 0
    server.start()
    server.wait_ready(180)
    third = store(server, fresh(phantoms[2], **PATIENT))
    assert finished(server, third["ParentStudy"], seconds=180)["scans"][0]["status"] in ANALYSED
    wait_for(lambda: len(set(copied(out))) == 2, 60.0)


def test_a_key_of_the_environment_reaches_the_processes_that_need_it_and_no_other(
    own_server: Make, phantoms: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = base64.b64encode(secrets.token_bytes(32)).decode()
    monkeypatch.setenv("SITE_KEY", secret)
    server = own_server(Sidelight={"Deidentification": {"KeyFile": "env:SITE_KEY"}})
    server.start()
    server.wait_ready(180)
    stored = store(server, fresh(phantoms[0], **PATIENT))
    assert finished(server, stored["ParentStudy"], seconds=180)["scans"][0]["status"] in ANALYSED
    for process in server.status()["processes"]:
        environment = Path(f"/proc/{process['pid']}/environ").read_bytes()
        assert (secret.encode() in environment) == (process["name"] != "inference")
    assert not list(server.folder.rglob("env:*"))
