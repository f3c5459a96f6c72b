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
            console.print(table(samples, places, scans))
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


def table(
    samples: Sequence[Sample],
    places: Sequence[dict[str, str]],
    scans: Sequence[dict[str, Any] | None],
) -> Table:
    """What became of each scan."""
    drawn = Table(title="Sidelight: results on phantoms and samples are not for clinical use")
    for column in ("scan", "anatomy", "result", "model", "top probabilities", "objects"):
        drawn.add_column(column)
    drawn.add_column("milliseconds per stage", overflow="fold")
    for sample, _place_of, scan in zip(samples, places, scans, strict=True):
        drawn.add_row(sample.name, *(_cells(scan) if scan else ("", "no result yet", *[""] * 4)))
    return drawn


def _cells(scan: dict[str, Any]) -> tuple[str, ...]:
    anatomy = scan.get("anatomy") or {}
    where = ", ".join(anatomy.get("regions") or ["unknown"])
    found = scan["probabilities"][:3]
    top = "\n".join(
        f"{'[bold]' if p['present'] else ''}{p['name']} {p['probability']:.2f}"
        f"{'[/bold]' if p['present'] else ''}"
        for p in found
    )
    objects = " ".join(item["kind"] for item in scan["objects"])
    stages = " ".join(f"{name} {ms:.0f}" for name, ms in scan["milliseconds"].items())
    result = scan["reason"] or scan["status"]
    model = f"{scan['model']} {scan['model_version']}".strip()
    return (f"{scan['modality']} {where}", result, model, top, objects, stages)


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
