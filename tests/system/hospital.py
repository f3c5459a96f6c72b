# SPDX-License-Identifier: AGPL-3.0-or-later
"""An Orthanc with every door open, and the systems behind them, on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.receivers import HttpReceiver, MllpListener, WorkitemServer
from plugin.demo.server import OrthancServer
from tests.system.pacs import ROOT, server_for

SECRET = "a secret of the test"
WORKLISTS = Path("/usr/share/orthanc/plugins/libModalityWorklists.so")
PLUGINS = Path("/usr/share/orthanc/plugins")


@dataclass
class Hospital:
    """The PACS, the RIS's listener, the receiver of webhooks, and the worklists."""

    server: OrthancServer
    listener: MllpListener
    receiver: HttpReceiver
    workitems: WorkitemServer
    worklists: Path

    def deliveries(self, status: str = "") -> list[dict[str, Any]]:
        """What ``/sidelight/deliveries`` says."""
        query = {"status": status} if status else {}
        answer = self.server.client.get("/sidelight/deliveries", params=query)
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()["deliveries"]
        return found

    def settled(self) -> bool:
        """Whether nothing waits to be sent."""
        found = self.deliveries()
        return bool(found) and all(one["status"] != "queued" for one in found)


@contextmanager
def hospital(folder: Path, port: int = 0, **section: Any) -> Iterator[Hospital]:
    """All of it, not yet analysing: call ``server.wait_ready``.

    Args:
        folder: of Orthanc and the worklists.
        port: where the listener is to be; with a port of its own it is not started.
        section: further keys of Sidelight's configuration.
    """
    worklists = folder / "worklists"
    worklists.mkdir(parents=True)
    with ExitStack() as stack:
        listener = stack.enter_context(MllpListener())
        receiver = stack.enter_context(HttpReceiver())
        workitems = stack.enter_context(WorkitemServer())
        doors = {
            "Hl7": {"Host": "127.0.0.1", "Port": port or listener.port, "TimeoutSeconds": 5.0},
            "Webhooks": {
                "ResultUrls": [f"{receiver.url}/results"],
                "EscalationUrls": [f"{receiver.url}/escalations"],
                "FailedUrls": [f"{receiver.url}/failures"],
                "Secret": SECRET,
            },
            "Escalation": {
                "Severity": 2, "WorkitemUrl": workitems.base, "WorklistFolder": str(worklists),
            },
            "BackoffSeconds": 0.2,
        }  # fmt: skip
        changes: dict[str, Any] = {
            "StableAge": 1,
            "Sidelight": {"Environment": str(ROOT / ".venv"), "Doors": doors, **section},
            "Worklists": {"Enable": True, "Database": str(worklists)},
            "Plugins": [
                str(PLUGINS / name)
                for name in ("libOrthancDicomWeb.so", "libOrthancPython.so", WORKLISTS.name)
            ],
        }
        server = stack.enter_context(server_for("debian", folder / "orthanc", changes))
        yield Hospital(server, listener, receiver, workitems, worklists)
