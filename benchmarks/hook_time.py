# SPDX-License-Identifier: Apache-2.0
"""``on_stored_ms``: how long one OnStoredInstance call holds Orthanc, while four senders store."""

from __future__ import annotations

import os
import statistics
from pathlib import Path

from benchmarks.report import say
from benchmarks.scans import c_store, ct_slices
from benchmarks.throughput import busy_images
from plugin.demo.server import OrthancServer


def measure(
    folder: Path, *, quick: bool, figures: dict[str, float], details: dict[str, object]
) -> None:
    """Fill in the figure."""
    script = str(Path(__file__).with_name("timed_main.py"))
    times = folder / "hook-times"
    os.environ["SIDELIGHT_HOOK_TIMES"] = str(times)
    changes = {"PythonScript": script, "Python": {"Path": script, "AllowThreads": True}}
    busy = busy_images(folder, quick=quick)[:4]
    with OrthancServer(folder / "hook", changes) as server:
        server.wait_ready()
        c_store(server.dicom_port, busy, 1)
        c_store(server.dicom_port, ct_slices(folder / "hook-ct", 100 if quick else 500, 2), 4)
    taken = [float(line) for line in times.read_text(encoding="ascii").split()]
    figures["on_stored_ms"] = round(statistics.median(taken), 4)
    details["on_stored_ms_p99"] = round(statistics.quantiles(taken, n=100)[98], 4)
    say(f"hook: median {figures['on_stored_ms']} ms of {len(taken)} calls")
