# SPDX-License-Identifier: Apache-2.0
"""A selection of the faults that takes seconds: as few Orthancs as can be, none of the waiting."""

from __future__ import annotations

from pathlib import Path

from benchmarks.arrival_attempts import Attempts
from benchmarks.arrival_breaking import spoil_keys
from benchmarks.arrival_doors import DOORS
from benchmarks.arrival_faults import FAULTS
from benchmarks.arrival_inputs import send_broken
from benchmarks.arrival_memory import CALLBACKS, LIMITS, take_memory, without_callback
from benchmarks.arrival_processes import CRASHES
from benchmarks.arrival_site import Site, alone, running
from benchmarks.arrival_starting import FAULTS as STARTS
from plugin.demo.server import OrthancServer

_DOORS = ("C-STORE", "POST")
_SLOW = ("hangs", "dribbles")
"""Each attempt lasts until the time is over."""


def attempt(site: Site, attempts: Attempts, server: OrthancServer, switch: Path) -> None:
    """Some of them, most with one Orthanc in good health whose arrival process obeys ``switch``."""
    for fault in FAULTS:
        slow = any(word in fault for word in _SLOW) and "hangs up" not in fault
        if slow or fault in CRASHES:
            continue
        switch.write_text(fault, encoding="utf-8")
        every = fault == "the original comes back"
        attempts.through(server, fault, tuple(DOORS) if every else _DOORS)
    switch.write_text("", encoding="utf-8")
    spoil_keys(server, attempts, _DOORS)
    send_broken(server, attempts, ("POST",))
    take_memory(site, server, attempts, [next(iter(LIMITS))])
    attempts.look(server)
    fault = next(iter(CALLBACKS))
    with running(without_callback(site, fault, alone())) as closed:
        attempts.through(closed, fault)
        attempts.look(closed)
    fault = "the mode is misspelt"
    with running(site.server("start", STARTS[fault])) as closed:
        attempts.through(closed, fault)
        attempts.look(closed)
