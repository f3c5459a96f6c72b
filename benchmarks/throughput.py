# SPDX-License-Identifier: Apache-2.0
"""``cstore_ratio``, ``post_ratio``, ``orthanc_rss_mb``: Orthanc with Sidelight over bare Orthanc.

Rounds alternate, and the figure is the median of the pairs: the speed of a shared machine drifts
by a fifth from one round to the next, so a few pairs say nothing. Each round starts a fresh
Orthanc; with Sidelight the queue is first filled with chest images, so that the worker and the
model are busy all the while that is timed.

A virtual machine gives memory that has been free for seconds back to its host, and the first touch
of it is dear (writing 250 MB of files took up to seven times as long). Sidelight starts later than
bare Orthanc, so its rounds alone would pay for that: before each timing the memory is touched.
"""

from __future__ import annotations

import shutil
import statistics
import threading
import time
from pathlib import Path

import httpx

from benchmarks.report import say
from benchmarks.scans import c_store, chest_phantoms, copies, ct_slices
from plugin.demo.server import OrthancServer, debian_installation

ASSOCIATIONS = 4
BUSY_IMAGES = 24
TOUCHED_BYTES = 1 << 30
PAGE_BYTES = 4096


def measure(
    folder: Path, *, quick: bool, figures: dict[str, float], details: dict[str, object]
) -> None:
    """Fill in the three figures."""
    count, rounds = (60, 1) if quick else (500, 9)
    slices = ct_slices(folder / "ct", count)
    busy = busy_images(folder, quick=quick)
    if quick:
        busy = copies(busy, folder / "busy-copies", BUSY_IMAGES // 4)
    kinds = (("bare", False), ("sidelight", True))
    found: dict[str, list[dict[str, float]]] = {name: [] for name, _ in kinds}
    for number in range(rounds):
        for name, with_sidelight in kinds if number % 2 == 0 else kinds[::-1]:
            place = folder / f"{name}-{number}"
            with OrthancServer(place, _alone(), with_sidelight=with_sidelight) as server:
                found[name].append(_round(server, slices, busy))
            shutil.rmtree(place)
            say(f"round {number + 1} of {rounds}, {name}: {found[name][-1]}")
    for key in ("cstore", "post"):
        pairs = zip(found["sidelight"], found["bare"], strict=True)
        ratios = [mine[key] / bare[key] for mine, bare in pairs]
        figures[f"{key}_ratio"] = round(statistics.median(ratios), 3)
        details[f"{key}_ratios"] = [round(ratio, 3) for ratio in ratios]
    memory = {n: statistics.median(r["rss_mb"] for r in rs) for n, rs in found.items()}
    figures["orthanc_rss_mb"] = round(memory["sidelight"] - memory["bare"], 1)
    details["throughput_rounds"] = found


def busy_images(folder: Path, *, quick: bool) -> list[Path]:
    """Images that keep worker and model at work while something else is timed; made once."""
    made = sorted((folder / "busy").glob("*.dcm"))
    return made or chest_phantoms(folder / "busy", 1 if quick else BUSY_IMAGES, 1024, 700)


def _alone() -> dict[str, object]:
    # Sidelight needs the Python plugin only; DICOMweb's share is not its own.
    return {"Plugins": [str(debian_installation().plugins / "libOrthancPython.so")]}


def _round(server: OrthancServer, slices: list[Path], busy: list[Path]) -> dict[str, float]:
    if server.with_sidelight:
        server.wait_ready()
        c_store(server.dicom_port, busy, 1)
    _touch_memory()
    start = time.perf_counter()
    c_store(server.dicom_port, slices, ASSOCIATIONS)
    stored = time.perf_counter() - start
    _must_be_busy(server)
    posted = _post(_emptied(server), slices)
    _must_be_busy(server)
    rate = len(slices)
    return {"cstore": rate / stored, "post": rate / posted, "rss_mb": _rss(server)}


def _touch_memory() -> None:
    memory = bytearray(TOUCHED_BYTES)
    memory[::PAGE_BYTES] = b"\1" * (TOUCHED_BYTES // PAGE_BYTES)


def _must_be_busy(server: OrthancServer) -> None:
    if not server.with_sidelight:
        return
    queue = server.status()["queue"]
    if queue["queued"] + queue["running"] == 0:
        say("warning: the workers ran out of work while they should have been busy")


def _emptied(server: OrthancServer) -> OrthancServer:
    # The same slices go over POST next; stored ones would be answered as AlreadyStored.
    for patient in server.client.get("/patients").json():
        tags = server.client.get(f"/patients/{patient}").json()["MainDicomTags"]
        if tags.get("PatientID", "").startswith("BENCH"):
            server.client.delete(f"/patients/{patient}")
    return server


def _post(server: OrthancServer, files: list[Path]) -> float:
    contents = [file.read_bytes() for file in files]
    _touch_memory()
    gate = threading.Barrier(ASSOCIATIONS + 1)
    failures: list[str] = []

    def send(part: list[bytes]) -> None:
        with httpx.Client(
            base_url=server.url, auth=(server.user, server.password), trust_env=False, timeout=60
        ) as client:
            client.get("/system")
            gate.wait()
            for content in part:
                answer = client.post("/instances", content=content)
                if answer.status_code != 200 or answer.json()["Status"] != "Success":
                    failures.append(answer.text)

    threads = [
        threading.Thread(target=send, args=(contents[part::ASSOCIATIONS],))
        for part in range(ASSOCIATIONS)
    ]
    for thread in threads:
        thread.start()
    gate.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    if failures:
        raise RuntimeError(f"{len(failures)} of {len(files)} were not stored: {failures[0][:200]}")
    return time.perf_counter() - start


def _rss(server: OrthancServer) -> float:
    if server.process is None:
        raise RuntimeError("Orthanc is not running")
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return round(int(line.split()[1]) / 1024, 1)
