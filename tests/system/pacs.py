# SPDX-License-Identifier: AGPL-3.0-or-later
"""A test's hands on a real Orthanc: get one, store, send, wait."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from plugin.demo.server import Installation, OrthancServer, debian_installation
from tests.system.releases import NotAvailableError, newer_environment, newer_installation

ROOT = Path(__file__).resolve().parents[2]
SHARED_DATA = ROOT.parent / "shared" / "data"


def server_for(release: str, folder: Path, changes: dict[str, Any]) -> OrthancServer:
    """An Orthanc of that release, not yet started."""
    section: dict[str, Any] = {"Environment": str(ROOT / ".venv"), **changes.get("Sidelight", {})}
    # Idle workers would get no turn beside tests that compute; who goes first is tried elsewhere.
    section.setdefault("Workers", {"Scheduling": "normal"})
    if release == "debian":
        if not Path("/usr/sbin/Orthanc").exists():
            pytest.skip("Debian's orthanc is not installed")
        return OrthancServer(
            folder, {**changes, "Sidelight": section}, installation=debian_installation()
        )
    try:
        installation: Installation = newer_installation()
        environment = newer_environment()
    except NotAvailableError as error:
        pytest.skip(f"Orthanc 1.12.7 can't be fetched: {error}")
    section.update(Environment=str(environment), Python=str(ROOT / ".venv/bin/python"))
    return OrthancServer(folder, {**changes, "Sidelight": section}, installation=installation)


def store(server: OrthancServer, content: bytes) -> dict[str, str]:
    """Store over REST; Orthanc's answer."""
    answer = server.client.post("/instances", content=content)
    answer.raise_for_status()
    read: dict[str, str] = answer.json()
    return read


def send(server: OrthancServer, files: Sequence[Path]) -> None:
    """Send over C-STORE."""
    subprocess.run(
        ["dcmsend", "-aet", "DEMO", "-aec", "ORTHANC", "127.0.0.1", str(server.dicom_port)]
        + [str(file) for file in files],
        env={**os.environ, "TCP_NODELAY": "1"}, check=True, capture_output=True,
    )  # fmt: skip


def finished(server: OrthancServer, study: str, seconds: float = 60.0) -> dict[str, Any]:
    """The study's answer once nothing is in progress."""
    deadline = time.monotonic() + seconds
    while True:
        answer = server.client.get(f"/studies/{study}/sidelight")
        if answer.status_code == 200 and answer.json()["status"] != "not-analysed":
            read: dict[str, Any] = answer.json()
            return read
        assert answer.status_code in (200, 202), answer.text
        assert time.monotonic() < deadline, f"still {answer.status_code}: {answer.text}"
        time.sleep(0.05)
