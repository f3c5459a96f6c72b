# SPDX-License-Identifier: AGPL-3.0-or-later
"""A second Orthanc beside the one that is tried: what is sent to it, and fetched from it."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import pydicom

from plugin.demo.server import OrthancServer, free_port
from tests.system.pacs import ROOT


def neighbour(folder: Path, **changes: Any) -> OrthancServer:
    """An Orthanc with DICOMweb and without Sidelight, not yet started."""
    off = {"Enabled": False, "Environment": str(ROOT / ".venv")}
    return on_rare_ports(OrthancServer(folder, {"DicomAet": "NODE", "Sidelight": off, **changes}))


def on_rare_ports(server: OrthancServer) -> OrthancServer:
    """Not the usual ports: another Orthanc would take them while this one is not running."""
    server.http_port, server.dicom_port = free_port(), free_port()
    server.url = f"http://127.0.0.1:{server.http_port}"
    server.client.base_url = server.url
    return server


def knows(node: OrthancServer, server: OrthancServer) -> None:
    """Let a running node accept what the server asks; now, and after its restart."""
    known = ["ORTHANC", "127.0.0.1", server.dicom_port]
    node.client.put("/modalities/orthanc", json=known).raise_for_status()
    node.changes["DicomModalities"] = {"orthanc": known}


def known_as(node: OrthancServer) -> dict[str, Any]:
    """Keys of Orthanc's configuration that make a node known as ``node`` on every way."""
    place = {"Username": node.user, "Password": node.password}
    return {
        "DicomModalities": {"node": ["NODE", "127.0.0.1", node.dicom_port]},
        "OrthancPeers": {"node": {"Url": node.url, **place}},
        "DicomWeb": {
            "Enable": True,
            "Root": "/dicom-web/",
            "Servers": {"node": {"Url": f"{node.url}/dicom-web/", **place}},
        },
    }


def authorization_file(node: OrthancServer, folder: Path) -> Path:
    """A file with the node's password, as tables name it."""
    secret = folder / "authorization"
    credentials = base64.b64encode(f"{node.user}:{node.password}".encode()).decode()
    secret.write_text(f"Basic {credentials}\n", encoding="utf-8")
    return secret


def held(node: OrthancServer) -> list[pydicom.Dataset]:
    """Everything that a node has."""
    instances = node.client.get("/instances").json()
    files = [node.client.get(f"/instances/{one}/file").content for one in instances]
    return [pydicom.dcmread(io.BytesIO(content)) for content in files]


def routing(server: OrthancServer, study: str) -> dict[str, dict[str, Any]]:
    """What the plan of a study says, by application."""
    answer = server.client.get(f"/studies/{study}/sidelight/plan")
    answer.raise_for_status()
    return {one["application"]: one for one in answer.json()["routing"]}


def sent(server: OrthancServer, study: str, application: str) -> bool:
    """Whether the set of an application is at its destination."""
    found = routing(server, study)[application]["deliveries"]
    return [one["status"] for one in found if one["this_set"]] == ["sent"]
