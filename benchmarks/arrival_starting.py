# SPDX-License-Identifier: Apache-2.0
"""Faults of the start: Sidelight can't, or not yet, de-identify, and Orthanc already listens."""

from __future__ import annotations

import resource
from typing import Any

from benchmarks.arrival_attempts import Attempts
from benchmarks.arrival_site import Site, running, section, start

FAULTS: dict[str, dict[str, Any]] = {
    "another section has a key that does not exist": section(Workers={"Cuont": 1}),
    "the mode is misspelt": section(Arrival={"Mode": "deidentfy"}),
    "the section is misspelt": {
        "Arival": {"Mode": "deidentify"}, "Environment": section()["Environment"],
    },
    "the environment does not exist": section(Environment="/no/such/folder"),
    "the interpreter does not exist": section(Python="/no/such/python"),
    "the interpreter ends at once": section(Python="/bin/false"),
    "Sidelight is switched off, arrival mode is not": section(Enabled=False),
    "two options contradict each other": section(
        Deidentification={"Options": ["FullDates", "ModifiedDates"]}
    ),
}  # fmt: skip
MEMORY = 1 << 30


def attempt(site: Site, attempts: Attempts) -> None:
    """All of them."""
    for number, (fault, sidelight) in enumerate(FAULTS.items()):
        with running(site.server(f"start-{number}", sidelight)) as server:
            attempts.through(server, fault)
            attempts.look(server)
    with running(site.server("early", section())) as server:
        attempts.through(server, "the arrival process does not listen yet", ("C-STORE", "POST"))
        attempts.look(server)
    _little_memory(site, attempts)


def _little_memory(site: Site, attempts: Attempts) -> None:
    """Orthanc may not grow beyond what it has at its start, and gets a large file."""
    server = site.server("memory", section(Arrival={"MaximumMegabytes": 100}))
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, before[1]))
    try:
        # The limit is inherited, and taken away by Sidelight.
        start(server)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    try:
        site.wait_for_arrival(server)
        pixels = {"Rows": 4480, "Columns": 4480, "PixelData": bytes(2 * 4480 * 4480)}
        attempts.through(
            server,
            "Orthanc started with little memory",
            make=lambda: attempts.files.make(1, **pixels),
        )
        attempts.look(server)
    finally:
        server.kill()
