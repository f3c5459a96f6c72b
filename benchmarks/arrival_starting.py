# SPDX-License-Identifier: Apache-2.0
"""Faults of the start: Sidelight can't, or not yet, de-identify, and Orthanc already listens."""

from __future__ import annotations

from typing import Any

from benchmarks.arrival_attempts import Attempts
from benchmarks.arrival_site import Site, running, section

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
QUICK = ("the mode is misspelt", "the interpreter ends at once")


def attempt(site: Site, attempts: Attempts) -> None:
    """All of them."""
    for number, (fault, sidelight) in enumerate(FAULTS.items()):
        if site.quick and fault not in QUICK:
            continue
        with running(site.server(f"start-{number}", sidelight)) as server:
            attempts.through(server, fault)
            attempts.look(server)
    with running(site.server("early", section())) as server:
        attempts.through(server, "the arrival process does not listen yet", ("C-STORE", "POST"))
        attempts.look(server)
