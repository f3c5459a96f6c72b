# SPDX-License-Identifier: Apache-2.0
"""One attempt after the other to get an original into the archive, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import httpx

from benchmarks import report
from benchmarks.arrival_doors import DOORS
from benchmarks.arrival_site import Files, instances_stored, originals_stored, planted_in
from plugin.demo.server import OrthancServer

MAIN_DOORS = ("C-STORE", "POST", "POST ZIP", "STOW-RS")
ALL_DOORS = tuple(DOORS)
_SUCCESS = re.compile(r"0x0000|\bSuccess\b|stored [1-9]")


class Attempts:
    """All attempts of a measurement."""

    def __init__(self) -> None:
        self.files = Files()
        self.orthanc = ""
        """Release that is tried now."""
        self.records: list[dict[str, Any]] = []
        self._found: set[int] = set()
        self._sent: list[set[int]] = []

    @property
    def originals(self) -> int:
        """Files of which anything identifying was found in an archive."""
        return sum(bool(planted & self._found) for planted in self._sent)

    @property
    def kinds(self) -> set[str]:
        """Names of the faults so far."""
        return {record["fault"] for record in self.records}

    @property
    def false_successes(self) -> int:
        """Attempts whose sender was told of a success though nothing was stored."""
        return sum(bool(record["false_success"]) for record in self.records)

    def through(
        self,
        server: OrthancServer,
        fault: str,
        doors: Sequence[str] = MAIN_DOORS,
        make: Callable[[], list[bytes]] | None = None,
        before: Callable[[], None] = lambda: None,
    ) -> None:
        """Send files through each door; ``before`` brings the fault about anew each time."""
        for door in doors:
            sent = (make or self.files.make)()
            before()
            self._note(server, fault, door, sent, lambda d=door, s=sent: DOORS[d](server, s))

    def by(
        self, server: OrthancServer, fault: str, door: str, sent: list[bytes],
        send: Callable[[], str],
    ) -> None:  # fmt: skip
        """One attempt in a way of its own."""
        self._note(server, fault, door, sent, send)

    def look(self, server: OrthancServer) -> None:
        """Search once more, for what came late or lay in a log of the database."""
        self._found |= originals_stored(server)

    def _note(
        self, server: OrthancServer, fault: str, door: str, sent: list[bytes],
        send: Callable[[], str],
    ) -> None:  # fmt: skip
        planted = [planted_in(file) for file in sent]
        self._sent += planted
        before = _count(server)
        try:
            answer = send()
        except httpx.HTTPError as error:
            answer = f"no answer ({type(error).__name__})"
        stored = _count(server) - before
        report.say(f"{fault} | {door} | {answer} | {stored}")
        found = originals_stored(server)
        self._found |= found
        originals = sum(bool(one & found) for one in planted)
        self.records.append(
            {
                "orthanc": self.orthanc,
                "fault": fault,
                "door": door,
                "answer": answer,
                "reason": _reason(server) if stored == 0 else "",
                "stored_deidentified": max(0, stored - originals),
                "originals": originals,
                "false_success": stored == 0 and _SUCCESS.search(answer) is not None,
            }
        )


def _count(server: OrthancServer) -> int:
    """What is stored, or was when Orthanc could last be asked."""
    try:
        return instances_stored(server)
    except httpx.HTTPError:
        return 0


def _reason(server: OrthancServer) -> str:
    """Why the latest instance was refused, as the status says."""
    try:
        said = server.status()
    except (httpx.HTTPError, ValueError):
        return ""
    reason = said.get("arrival", {}).get("last_refusal") or said.get("message", "")
    return str(reason).replace(str(server.folder.parent), "…")
