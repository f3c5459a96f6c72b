# SPDX-License-Identifier: Apache-2.0
"""Arrival mode under faults: how many originals a real Orthanc stores, which must be none.

Files full of identifiers are sent through every door while something is wrong; afterwards each byte
of Orthanc's storage and index is searched for them. Controls show that the search can fail: an
Orthanc with arrival mode off stores what is found, and so does one whose callback fails while the
guard of its storage is off; one in good health stores what is not found.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import (
    arrival_breaking,
    arrival_inputs,
    arrival_memory,
    arrival_processes,
    arrival_quick,
    arrival_starting,
    report,
)
from benchmarks.arrival_attempts import Attempts
from benchmarks.arrival_doors import DOORS
from benchmarks.arrival_memory import without_callback
from benchmarks.arrival_site import (
    Files,
    Site,
    alone,
    faulty_interpreter,
    instances_stored,
    numbers,
    originals_stored,
    running,
    section,
)
from plugin.demo.server import OrthancServer

KEY = "originals_stored_under_faults"
RELEASES = {"debian": "1.10.1", "trixie": "1.12.7"}
GROUPS = (
    arrival_processes.attempt,
    arrival_breaking.attempt,
    arrival_starting.attempt,
    arrival_inputs.attempt,
    arrival_memory.attempt,
)


class ControlError(RuntimeError):
    """The measurement itself can't be trusted; says why."""


def measure(
    quick: bool, releases: Sequence[str] = ("debian",)
) -> tuple[dict[str, float | None], dict[str, Any]]:
    """The figure, and each fault with door and answer."""
    attempts = Attempts()
    controls: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="sidelight-arrival-") as name:
        for release in releases:
            attempts.orthanc = RELEASES[release]
            site = Site(Path(name) / release, release)
            controls[release] = _controlled(site, attempts, quick)
    return {KEY: attempts.originals}, {
        "conditions": (
            "C-STORE, POST, POST of a ZIP, STOW-RS, WebDAV and C-MOVE on loopback; identifiers are "
            "searched in each byte of Orthanc's storage and index"
        ),
        "kinds_of_fault": len(attempts.kinds),
        "attempts": len(attempts.records),
        "senders_told_of_success_though_nothing_was_stored": attempts.false_successes,
        "controls": controls,
        "faults": by_fault(attempts.records),
    }


def by_fault(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """By release and fault: each door's answer, what was stored, and the reason of a refusal."""
    found: dict[str, Any] = {}
    for record in records:
        fault = found.setdefault(record["orthanc"], {}).setdefault(record["fault"], {})
        stored = "original stored" if record["originals"] else "nothing stored"
        if record["stored_deidentified"]:
            stored = "stored de-identified"
        fault[record["door"]] = f"{record['answer']}; {stored}"
        if record["reason"]:
            fault["reason"] = record["reason"]
    return found


def _controlled(site: Site, attempts: Attempts, quick: bool) -> dict[str, Any]:
    """Try the controls, and then the faults.

    Raises:
        ControlError: the search finds nothing where all is stored, or nothing is stored in health.
    """
    found = _unguarded(site, attempts.files)
    script, switch = faulty_interpreter(site.folder / "healthy")
    with running(site.server("healthy", section(Python=str(script)))) as server:
        found |= _healthy(site, server, attempts.files)
        if quick:
            arrival_quick.attempt(site, attempts, server, switch)
            return found
    for group in GROUPS:
        report.say(f"{attempts.orthanc}: {group.__module__}")
        group(site, attempts)
    return found


def _unguarded(site: Site, files: Files) -> dict[str, Any]:
    """What is stored without arrival mode, and with it where its second lock is off."""
    found: dict[str, Any] = {}
    fault = "the callback gets no memory"
    for name, made in {
        "mode off, C-STORE": site.server("off", alone(Arrival={"Mode": "off"})),
        f"GuardStorage off, {fault}, C-STORE": without_callback(
            site, fault, alone(Arrival={"GuardStorage": "off"})
        ),
    }.items():
        with running(made) as server:
            sent = files.make(2)
            found[name] = DOORS["C-STORE"](server, sent)
            if originals_stored(server) != numbers(sent):
                raise ControlError(f"{name}: the search does not find originals that were stored")
    return found


def _healthy(site: Site, server: OrthancServer, files: Files) -> dict[str, Any]:
    """What is stored in good health, which is all of it and without identifiers."""
    found: dict[str, Any] = {}
    site.wait_for_arrival(server)
    for name, door in DOORS.items():
        before = instances_stored(server)
        answer = door(server, files.make(2))
        stored = site.settled(server, before + 2) - before
        found[f"in health, {name}"] = {"answer": answer, "stored": stored}
        if stored != 2:
            raise ControlError(f"in good health {name} stores {stored} of 2: {answer}")
    if originals_stored(server):
        raise ControlError("in good health an identifier was stored")
    return found


def main() -> None:
    """Measure this part alone."""
    options = report.arguments(__doc__ or "")
    figures, details = measure(options.quick, options.only or ("debian",))
    report.finish(figures, details)


if __name__ == "__main__":
    main()
