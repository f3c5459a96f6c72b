# SPDX-License-Identifier: AGPL-3.0-or-later
"""Starts Orthanc, sends the samples, waits for the results, and shows them."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydicom
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TimeElapsedColumn
from rich.table import Table

from plugin.demo.samples import Sample, collect
from plugin.demo.server import OrthancServer

RESULT_SECONDS = 120.0
STAGES = (
    "queue", "fetch", "deidentify", "anatomy", "analyse", "decode", "forward",
    "objects", "validate", "store",
)  # fmt: skip


class DemoError(RuntimeError):
    """The demonstration can't go on; says why."""


def run(*, once: bool, console: Console) -> None:
    """Show the whole line; serve until Ctrl-C unless ``once``."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with tempfile.TemporaryDirectory(prefix="sidelight-demo-") as folder:
        with console.status("writing sample scans"):
            samples = collect(Path(folder) / "samples")
        with OrthancServer(Path(folder) / "orthanc", {"StableAge": 2}) as server:
            with console.status("starting Orthanc and loading the model"):
                server.wait_ready()
            places = send(server, samples)
            scans = _wait(server, places, ended, console)
            console.print(results_table(samples, scans))
            console.print(times_table(samples, scans))
            _addresses(server, console)
            if not once:
                console.print("\nServing. Ctrl-C ends it and removes all of it.")
                ended.wait()
    console.print("Ended; no process is left.")


def send(server: OrthancServer, samples: Sequence[Sample]) -> list[dict[str, str]]:
    """Send the samples over C-STORE; Orthanc's identifiers of each."""
    files = [str(sample.path) for sample in samples]
    command = ["dcmsend", "-aet", "DEMO", "-aec", "ORTHANC", "127.0.0.1", str(server.dicom_port)]
    environment = {**os.environ, "TCP_NODELAY": "1"}
    done = subprocess.run(
        [*command, *files], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise DemoError(f"dcmsend ended with code {done.returncode}: {done.stderr.strip()[:500]}")
    return [_place(server, sample.path) for sample in samples]


def _place(server: OrthancServer, path: Path) -> dict[str, str]:
    uid = str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID)
    found = server.client.post("/tools/lookup", content=uid).json()
    instance = next(item["ID"] for item in found if item["Type"] == "Instance")
    series = server.client.get(f"/instances/{instance}").json()["ParentSeries"]
    study = server.client.get(f"/series/{series}").json()["ParentStudy"]
    return {"instance": instance, "series": series, "study": study}


def _wait(
    server: OrthancServer,
    places: Sequence[dict[str, str]],
    ended: threading.Event,
    console: Console,
) -> list[dict[str, Any] | None]:
    scans: list[dict[str, Any] | None] = [None] * len(places)
    deadline = time.monotonic() + RESULT_SECONDS
    columns = (SpinnerColumn(), *Progress.get_default_columns()[:-1], TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("analysing", total=len(places))
        while None in scans and time.monotonic() < deadline and not ended.is_set():
            scans = [scan or _finished(server, p) for scan, p in zip(scans, places, strict=True)]
            progress.update(task, completed=sum(scan is not None for scan in scans))
            time.sleep(0.1)
    return scans


def _finished(server: OrthancServer, place: dict[str, str]) -> dict[str, Any] | None:
    answer = server.client.get(f"/studies/{place['study']}/sidelight")
    if answer.status_code != 200:
        return None
    mine = (place["instance"], place["series"])
    scans = (scan for scan in answer.json()["scans"] if scan["resource"] in mine)
    return next(scans, None)


def results_table(samples: Sequence[Sample], scans: Sequence[dict[str, Any] | None]) -> Table:
    """What became of each scan."""
    drawn = Table(title="Results. Phantoms and samples: not for clinical use.")
    for column in ("scan", "anatomy", "result", "model", "top probabilities", "objects"):
        drawn.add_column(column)
    for sample, scan in zip(samples, scans, strict=True):
        drawn.add_row(sample.name, *(_cells(scan) if scan else ("", "no result yet", "", "", "")))
    return drawn


def times_table(samples: Sequence[Sample], scans: Sequence[dict[str, Any] | None]) -> Table:
    """Milliseconds per stage of each scan; decode and forward are parts of analyse."""
    drawn = Table(title="Milliseconds per stage")
    drawn.add_column("scan")
    for stage in STAGES:
        drawn.add_column(stage, justify="right")
    for sample, scan in zip(samples, scans, strict=True):
        spent = scan["milliseconds"] if scan else {}
        drawn.add_row(sample.name, *(f"{spent[s]:.0f}" if s in spent else "" for s in STAGES))
    return drawn


def _cells(scan: dict[str, Any]) -> tuple[str, ...]:
    anatomy = scan.get("anatomy") or {}
    where = ", ".join(anatomy.get("regions") or ["unknown"])
    top = "\n".join(_probability(found) for found in scan["probabilities"][:3])
    objects = " ".join(item["kind"] for item in scan["objects"])
    model = f"{scan['model']} {scan['model_version']}".strip()
    result = scan["status"]
    if scan["reason"]:
        result = scan["reason"] if result == "no-application" else f"{result}: {scan['reason']}"
    return (f"{scan['modality']} {where}", result, model, top, objects)


def _probability(found: dict[str, Any]) -> str:
    text = f"{found['name']} {found['probability']:.2f}"
    return f"[bold]{text}[/bold]" if found["present"] else text


def _addresses(server: OrthancServer, console: Console) -> None:
    console.print(f"\nUser [bold]{server.user}[/bold], password [bold]{server.password}[/bold]")
    for words, path in (
        ("worklist and heat maps", "/sidelight/ui/"),
        ("Orthanc Explorer", "/app/explorer.html"),
        ("status", "/sidelight/status"),
        ("description of the routes", "/sidelight/openapi.json"),
    ):
        console.print(f"  {words:28} {server.url}{path}", highlight=False)
    console.print(f"  {'C-STORE':28} ORTHANC, 127.0.0.1, port {server.dicom_port}", highlight=False)
