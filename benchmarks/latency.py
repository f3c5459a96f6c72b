# SPDX-License-Identifier: Apache-2.0
"""``results_after_s``: from the last C-STORE answer to SEG, SR and PR, for one 2048 x 2048 DX.

The model's forward pass, as the service measured it, is subtracted.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

import httpx
import pydicom

from benchmarks.report import say
from benchmarks.scans import c_store, chest_phantoms, copies
from plugin.demo.server import OrthancServer

WANTED = {"SEG", "SR", "PR"}
POLL_SECONDS = 0.005


def measure(
    folder: Path, *, quick: bool, figures: dict[str, float], details: dict[str, object]
) -> None:
    """Fill in the figure; images without findings have no SEG and PR and are not counted."""
    files = chest_phantoms(folder / "latency", 1 if quick else 24, 2048, 900)
    if quick:
        files = copies(files, folder / "latency-copies", 3)
    taken: list[float] = []
    stages: list[dict[str, float]] = []
    with OrthancServer(folder / "latency-orthanc") as server:
        server.wait_ready()
        for file in files:
            one = _one(server, file)
            if one is not None:
                taken.append(one[0])
                stages.append(one[1])
                say(f"results after {one[0]:.3f} s: {one[1]}")
    figures["results_after_s"] = round(statistics.median(taken), 3)
    details["results_after_s_all"] = [round(value, 3) for value in taken]
    details["stages_ms_median"] = {
        name: round(statistics.median(stage.get(name, 0.0) for stage in stages), 1)
        for name in stages[-1]
    }


def _one(server: OrthancServer, file: Path) -> tuple[float, dict[str, float]] | None:
    uid = str(pydicom.dcmread(file, stop_before_pixels=True).StudyInstanceUID)
    c_store(server.dicom_port, [file])
    start = time.perf_counter()
    study = server.client.post("/tools/lookup", content=uid).json()[0]["ID"]
    seen: set[str] = set()
    while not seen >= WANTED:
        time.sleep(POLL_SECONDS)
        seen = _retrieve_new(server, study, seen)
        if time.perf_counter() - start > 10.0:
            break
    took = time.perf_counter() - start
    scan = _state(server, study)
    if not seen >= WANTED:
        if scan["status"] != "no-findings":
            raise RuntimeError(f"no results after 10 s: {scan['status']} {scan['reason']}")
        return None
    return took - scan["milliseconds"]["forward"] / 1000.0, scan["milliseconds"]


def _retrieve_new(server: OrthancServer, study: str, seen: set[str]) -> set[str]:
    for series in server.client.get(f"/studies/{study}/series").json():
        modality = series["MainDicomTags"].get("Modality", "")
        if modality in WANTED and modality not in seen:
            answer = server.client.get(f"/instances/{series['Instances'][0]}/file")
            if answer.status_code == httpx.codes.OK and answer.content[128:132] == b"DICM":
                seen = seen | {modality}
    return seen


def _state(server: OrthancServer, study: str) -> dict[str, Any]:
    while True:
        answer = server.client.get(f"/studies/{study}/sidelight")
        if answer.status_code == httpx.codes.OK:
            scan: dict[str, Any] = answer.json()["scans"][0]
            return scan
        time.sleep(0.05)
