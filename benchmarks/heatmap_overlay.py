# SPDX-License-Identifier: Apache-2.0
"""An overlay from a cached matrix beside Orthanc's own preview of the same image.

``python -m benchmarks.heatmap_overlay`` runs it alone and prints one JSON object. Both pictures are
asked of the same Orthanc over loopback, in turns, as a browser asks for them.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from plugin.demo.server import ROOT, OrthancServer

SIZE = 2048
ROUNDS, QUICK_ROUNDS = 25, 5
WAIT_SECONDS = 120.0


def measure(folder: Path, *, quick: bool) -> dict[str, Any]:
    """``overlay_vs_preview`` with both medians in milliseconds, on an Orthanc of its own.

    Args:
        folder: empty; Orthanc's storage and the phantom lie in it.
        quick: fewer rounds.
    """
    # The analysis only comes before what is measured; it must not wait for an idle machine.
    workers = {"Scheduling": "normal", "Nice": 0}
    section = {"Environment": str(ROOT / ".venv"), "Workers": workers}
    changes = {"StableAge": 1, "Sidelight": section}
    with OrthancServer(folder / "orthanc", changes) as server:
        server.wait_ready()
        instance, finding = _analysed(server, folder)
        preview = f"/instances/{instance}/preview"
        overlay = f"/instances/{instance}/sidelight/heatmaps/{finding}?overlay=true"
        times: dict[str, list[float]] = {"preview": [], "overlay": []}
        for path in (preview, overlay):
            server.client.get(path).raise_for_status()
        for _ in range(QUICK_ROUNDS if quick else ROUNDS):
            times["preview"].append(_milliseconds(server, preview))
            times["overlay"].append(_milliseconds(server, overlay))
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {
        "overlay_vs_preview": medians["overlay"] / medians["preview"],
        "overlay_ms": medians["overlay"],
        "preview_ms": medians["preview"],
        "rounds": len(times["overlay"]),
    }


def _milliseconds(server: OrthancServer, path: str) -> float:
    started = time.perf_counter()
    server.client.get(path).raise_for_status()
    return (time.perf_counter() - started) * 1000.0


def _analysed(server: OrthancServer, folder: Path) -> tuple[str, str]:
    """A radiograph of 2048 x 2048 that the model has analysed, and its likeliest finding."""
    phantoms = folder / "phantoms"
    command = [sys.executable, "-m", "plugin.demo.cli", "phantom", "chest", "--out", str(phantoms)]
    subprocess.run(
        [*command, "--count", "1", "--size", str(SIZE), "--seed", "20"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (file,) = phantoms.glob("*.dcm")
    answer = server.client.post("/instances", content=file.read_bytes())
    instance = str(answer.raise_for_status().json()["ID"])
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        index = server.client.get(f"/instances/{instance}/sidelight/heatmaps")
        if index.status_code == 200:
            return instance, str(index.json()["heatmaps"][0]["key"])
        time.sleep(0.2)
    raise TimeoutError(f"no heat maps within {WAIT_SECONDS:g} s: {index.text}")


def main() -> None:
    """Measure alone."""
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(json.dumps(measure(Path(folder), quick="--quick" in sys.argv)) + "\n")


if __name__ == "__main__":
    main()
