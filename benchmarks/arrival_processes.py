# SPDX-License-Identifier: Apache-2.0
"""Faults of the arrival process: it answers wrongly, late or not, or is not there."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import threading
import time
from pathlib import Path

from benchmarks.arrival_attempts import ALL_DOORS, MAIN_DOORS, Attempts
from benchmarks.arrival_doors import DOORS
from benchmarks.arrival_faults import FAULTS
from benchmarks.arrival_site import (
    Site,
    arrival_process,
    faulty_interpreter,
    impatient,
    running,
    section,
    socket_of,
)
from plugin.demo.server import OrthancServer

CRASHES = tuple(fault for fault in FAULTS if fault.startswith("the process ends"))
ROOM = 2 << 20


def attempt(site: Site, attempts: Attempts) -> None:
    """All of them."""
    _wrong_answers(site, attempts)
    _missing_socket(site, attempts)
    for number, fault in enumerate(CRASHES):
        _crashes(site, attempts, fault, number)
    _bad_treatment(site, attempts)


def _wrong_answers(site: Site, attempts: Attempts) -> None:
    script, switch = faulty_interpreter(site.folder / "faulty")
    with running(site.server("answers", impatient(Python=str(script)))) as server:
        site.wait_for_arrival(server)
        for fault in FAULTS:
            if fault in CRASHES:
                continue
            switch.write_text(fault, encoding="utf-8")
            attempts.through(server, fault, ALL_DOORS)
        attempts.look(server)


def _crashes(site: Site, attempts: Attempts, fault: str, number: int) -> None:
    script, switch = faulty_interpreter(site.folder / f"crashing-{number}")
    with running(site.server(f"crashes-{number}", section(Python=str(script)))) as server:
        site.wait_for_arrival(server)
        switch.write_text(fault, encoding="utf-8")
        attempts.through(server, fault, MAIN_DOORS, before=lambda: site.wait_for_arrival(server))
        attempts.look(server)


def _bad_treatment(site: Site, attempts: Attempts) -> None:
    with running(site.server("treatment", impatient())) as server:
        site.wait_for_arrival(server)
        _signal(server, signal.SIGSTOP)
        attempts.through(server, "the process is stopped", ALL_DOORS)
        _killed_at_work(attempts, server)
        attempts.through(server, "the process was killed a moment ago", ("C-STORE", "POST"))
        site.wait_for_arrival(server)
        _no_memory(attempts, server)
        site.wait_for_arrival(server)
        _no_descriptors(attempts, server)
        attempts.look(server)


def _signal(server: OrthancServer, number: signal.Signals) -> None:
    process = arrival_process(server)
    if process:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)


def _killed_at_work(attempts: Attempts, server: OrthancServer) -> None:
    """It has the file and is killed before it answers."""
    victim = arrival_process(server)

    def kill() -> None:
        time.sleep(0.3)
        os.kill(victim, signal.SIGKILL)

    sent = attempts.files.make()

    def send() -> str:
        killer = threading.Thread(target=kill)
        killer.start()
        answer = DOORS["C-STORE"](server, sent)
        killer.join()
        return answer

    attempts.by(server, "the process is killed while it works", "C-STORE", sent, send)


def _no_memory(attempts: Attempts, server: OrthancServer) -> None:
    """The process may not grow any more, and gets a large file."""
    process = arrival_process(server)
    pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + ROOM
    resource.prlimit(process, resource.RLIMIT_AS, (limit, limit))
    large = {"Rows": 1400, "Columns": 1400, "PixelData": bytes(2 * 1400 * 1400)}
    attempts.through(
        server, "the process gets no memory", MAIN_DOORS, lambda: attempts.files.make(1, **large)
    )
    _signal(server, signal.SIGKILL)


def _no_descriptors(attempts: Attempts, server: OrthancServer) -> None:
    """Orthanc may open no further file."""
    if server.process is None:
        raise RuntimeError("Orthanc has ended")
    before = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    time.sleep(1.5)  # until Orthanc has closed what is idle
    used = {int(one.name) for one in Path(f"/proc/{server.process.pid}/fd").iterdir()}
    free = [number for number in range(len(used) + 2) if number not in used]
    # Room for the sender's connection, and none for another one.
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (free[1], before[1]))
    try:
        attempts.through(server, "Orthanc can open nothing more", ("C-STORE", "POST"))
    finally:
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, before)


def _missing_socket(site: Site, attempts: Attempts) -> None:
    with running(site.server("socket", section())) as server:
        site.wait_for_arrival(server)
        path = socket_of(server)
        path.unlink()
        attempts.through(server, "the socket is gone")
        path.write_text("no socket", encoding="ascii")
        attempts.through(server, "a file lies where the socket was")
        path.unlink()
        path.symlink_to("/dev/null")
        attempts.through(server, "a link to nowhere lies where the socket was")
        path.unlink()
        path.parent.rename(path.parent.with_suffix(".away"))
        try:
            attempts.through(server, "the socket's folder is gone")
        finally:
            path.parent.with_suffix(".away").rename(path.parent)
        attempts.look(server)
