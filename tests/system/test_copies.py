# SPDX-License-Identifier: AGPL-3.0-or-later
"""De-identified copies leave a real Orthanc for a second one and for a folder; originals stay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest

from benchmarks.receivers import wait_for
from plugin.demo.server import OrthancServer
from plugin.dispatch.ledger import Ledger
from tests.system.neighbour import authorization_file, held, known_as, knows, on_rare_ports
from tests.system.pacs import ROOT, store
from tests.system.test_main_line import fresh

PATIENT = {"PatientID": "COPIED-4711", "PatientName": "Copied^Cora"}

COPIES = """
[[copy]]
name = "node"
when = {{ modalities = ["DX"], stations = ["A*"] }}
destination = {{ kind = "node", modality = "node" }}

[[copy]]
name = "web"
profile = "research"
when = {{ stations = ["B"] }}
destination = {{ kind = "dicomweb", url = "{url}/dicom-web", authorization_file = "{secret}" }}

[[copy]]
name = "peer"
at = "instance"
when = {{ stations = ["C"] }}
destination = {{ kind = "orthanc", url = "{url}", authorization_file = "{secret}" }}

[[copy]]
name = "named"
when = {{ stations = ["E"] }}
destination = {{ kind = "peer", peer = "node" }}

[[copy]]
name = "folder"
when = {{ modalities = ["DX"] }}
destination = {{ kind = "folder", path = "{folder}" }}
"""


@pytest.fixture
def copying(
    tmp_path: Path, node: OrthancServer, own_server: Callable[..., OrthancServer]
) -> OrthancServer:
    """An Orthanc with Sidelight and a table of copies, beside the node."""
    table, folder = tmp_path / "copies.toml", tmp_path / "out"
    folder.mkdir()
    secret = authorization_file(node, tmp_path)
    text = COPIES.format(url=node.url, secret=secret, folder=folder)
    table.write_text(text, encoding="utf-8")
    server = own_server(
        StableAge=1,
        **known_as(node),
        Sidelight={
            "Environment": str(ROOT / ".venv"),
            "Copies": {"Table": str(table)},
            "Doors": {"BackoffSeconds": 0.2},
            # Copies are what is tried here, not who goes first.
            "Workers": {"Scheduling": "normal"},
        },
    )
    on_rare_ports(server)
    knows(node, server)
    return server


def ends(server: OrthancServer) -> list[tuple[str, str]]:
    """Door and status of every delivery; none while the web process is not there yet."""
    answer = server.client.get("/sidelight/deliveries")
    found = answer.json()["deliveries"] if answer.status_code == 200 else []
    return sorted((one["door"], one["status"]) for one in found)


def follows_changes(server: OrthancServer) -> bool:
    """Whether copies are under way: only what comes after that is copied."""
    file = server.folder / "db/sidelight/copies.sqlite"
    return file.exists() and Ledger(file).fact("last-change") is not None


def stored_before(server: OrthancServer, files: list[Path]) -> None:
    """Store while Sidelight is off."""
    section = server.changes["Sidelight"]
    server.changes["Sidelight"] = {**section, "Enabled": False}
    server.start()
    for file in files:
        store(server, fresh(file, StationName="D", **PATIENT))
    server.stop()
    server.changes["Sidelight"] = section


BACKFILL = "/sidelight/copies/backfill"


def backfilled(server: OrthancServer) -> int:
    """Run the rule of the folder over all that is stored; of how many studies something was new."""
    server.client.post(BACKFILL, json={"rules": ["folder"]}).raise_for_status()
    wait_for(lambda: progress(server).get("status") == "done", 120.0)
    wait_for(lambda: all(status == "sent" for _, status in ends(server)), 60.0)
    taken: int = progress(server)["studies"]["taken"]
    return taken


def progress(server: OrthancServer) -> dict[str, Any]:
    """How far the backfill is; nothing where a busy Orthanc drops the connection."""
    try:
        told: dict[str, Any] = server.client.get(BACKFILL).json()["backfill"]
    except httpx.RemoteProtocolError:
        return {}
    return told


def test_copies_reach_every_kind_of_destination_without_identity_and_once(
    copying: OrthancServer, node: OrthancServer, phantoms: list[Path], tmp_path: Path
) -> None:
    stored_before(copying, phantoms[2:4])
    copying.start()
    wait_for(lambda: follows_changes(copying), 120.0)
    store(copying, fresh(phantoms[0], StationName="D", **PATIENT))
    wait_for(lambda: ends(copying) == [("copy-folder", "sent")], 120.0)
    # What comes while the node is away waits, also when every process is killed.
    node.stop()
    for station in ("A1", "B", "C", "E"):
        store(copying, fresh(phantoms[1], StationName=station, **PATIENT))
    wait_for(lambda: len(ends(copying)) == 9, 120.0)
    copying.kill()
    copying.start()
    node.start()
    expected = [("copy-folder", "sent")] * 5
    expected += [(f"copy-{name}", "sent") for name in ("named", "node", "peer", "web")]
    wait_for(lambda: ends(copying) == sorted(expected), 180.0)

    received = held(node)
    files = [pydicom.dcmread(path) for path in (tmp_path / "out").rglob("*.dcm")]
    assert (len(received), len(files)) == (4, 5)
    for one in (*received, *files):
        assert one.PatientIdentityRemoved == "YES"
        assert not any(value in str(one) for value in PATIENT.values())
    assert len({one.PatientID for one in (*received, *files)}) == 1, "one key, one pseudonym"
    kept = copying.client.get("/instances").json()
    originals = [copying.client.get(f"/instances/{one}/tags?simplify").json() for one in kept]
    assert {one["PatientID"] for one in originals} == {PATIENT["PatientID"]}
    # What was stored before there was a table goes out when it is asked for, and once.
    assert [backfilled(copying) for _ in range(2)] == [2, 0]
    assert len(list((tmp_path / "out").rglob("*.dcm"))) == 7
    wait_for(lambda: ends(copying).count(("copy-folder", "sent")) == 7, 60.0)
    log = copying.log.read_text(encoding="utf-8", errors="replace")
    assert not any(value in log for value in PATIENT.values())
