# SPDX-License-Identifier: Apache-2.0
"""``kill_lost``, ``kill_duplicated``: every process killed once while 1,000 instances are queued.

An instance is lost when it has no final state or no SR in its study afterwards. It is duplicated
when its study has more than one SR, SEG or PR, or when its job was acknowledged more than once.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import threading
import time
from pathlib import Path

import httpx

from benchmarks.report import say
from benchmarks.scans import chest_phantoms, copies
from plugin.demo.server import OrthancServer

SEED = 4
SECONDS_PER_INSTANCE = 3.0


def measure(
    folder: Path, *, quick: bool, figures: dict[str, float], details: dict[str, object]
) -> None:
    """Fill in both figures."""
    count = 8 if quick else 1000
    sources = chest_phantoms(folder / "kill-sources", 1 if quick else 10, 512, 300)
    files = copies(sources, folder / "kill", count)
    server = OrthancServer(folder / "kill-orthanc")
    server.start()
    try:
        server.wait_ready()
        studies = _store(server, files)
        killed = _kill_all(server, random.Random(SEED), quick=quick)  # noqa: S311
        _wait_until_done(server, count)
        figures["kill_lost"], figures["kill_duplicated"] = _count(server, studies)
    finally:
        server.stop()
        server.client.close()
    details["killed"] = killed
    say(f"killed {killed}: lost {figures['kill_lost']}, twice {figures['kill_duplicated']}")


def _store(server: OrthancServer, files: list[Path]) -> dict[str, str]:
    """Instance -> study. Two senders, so that arrivals and kills overlap with the work."""
    studies: dict[str, str] = {}

    def send(part: list[Path]) -> None:
        for file in part:
            answer = server.client.post("/instances", content=file.read_bytes()).json()
            studies[answer["ID"]] = answer["ParentStudy"]

    threads = [threading.Thread(target=send, args=(files[n::2],)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return studies


def _kill_all(server: OrthancServer, chance: random.Random, *, quick: bool) -> list[str]:
    names = [str(child["name"]) for child in server.status()["processes"]] + ["orthanc"]
    chance.shuffle(names)
    for name in names:
        time.sleep(chance.uniform(0.5, 0.6 if quick else 15.0))
        if name == "orthanc":
            server.kill()
            server.start()
        else:
            children = {child["name"]: child["pid"] for child in server.status()["processes"]}
            os.kill(int(children[name]), signal.SIGKILL)
        say(f"killed {name}")
        server.wait_ready()
    return names


def _wait_until_done(server: OrthancServer, count: int) -> None:
    deadline = time.monotonic() + count * SECONDS_PER_INSTANCE + 60
    while time.monotonic() < deadline:
        queue = server.status()["queue"]
        if queue["arrivals"] + queue["queued"] + queue["running"] == 0:
            return
        say(f"{queue['done']} done, {queue['queued']} queued")
        time.sleep(0.5 if count < 100 else 5)
    raise RuntimeError("the queue did not run empty in time")


def _count(server: OrthancServer, studies: dict[str, str]) -> tuple[int, int]:
    lost = duplicated = 0
    for study in studies.values():
        answer = server.client.get(f"/studies/{study}/sidelight")
        kinds = [
            series["MainDicomTags"].get("Modality", "")
            for series in server.client.get(f"/studies/{study}/series").json()
            for _ in series["Instances"]
        ]
        done = answer.status_code == httpx.codes.OK and answer.json()["status"] == "done"
        lost += not done or "SR" not in kinds
        duplicated += any(kinds.count(kind) > 1 for kind in ("SR", "SEG", "PR"))
    return lost, duplicated + _acknowledged_twice(server)


def _acknowledged_twice(server: OrthancServer) -> int:
    path = server.folder / "db" / "sidelight" / "queue.sqlite"
    with sqlite3.connect(path) as db:
        return int(db.execute("SELECT count(*) FROM jobs WHERE runs > 1").fetchone()[0])
