# SPDX-License-Identifier: Apache-2.0
"""What a start costs: processor time and memory of each process, and of commands.

    .venv/bin/python -m benchmarks.start_up --json [--quick] [--only orthanc arrival commands]

Orthanc starts with an empty archive. Processor seconds are what the processes have used until
``/sidelight/status`` says that all answer and the models are loaded, ``SETTLED_SECONDS`` later
(``settled``), and until the same archive is ready once more (``again``: models that passed are not
commissioned again). On a busy machine cores share their caches and all of them rise, up to twofold:
compare only what ran side by side.
Peer: the same Orthanc without any plugin. Memory is what a process has for itself (USS) and its
resident set (RSS), both settled.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydicom.data import get_testdata_file

from benchmarks import report
from benchmarks.arrival_site import section
from plugin.demo.server import ROOT, OrthancServer

SETTLED_SECONDS = 12.0
LOOK_SECONDS = 0.5
"""Between questions for the status, which cost the processor, too."""
ROUNDS = 5
PARTS = ("orthanc", "arrival", "commands")
COMMANDS = {
    "help": ["--help"],
    "deid_help": ["deid", "--help"],
    "deid_explain": ["deid", "explain"],
    "anatomy_predict": ["anatomy", "predict"],
}
ROW = "Modality,BodyPartExamined,StudyDescription\nCT,CHEST,CT THORAX\n"


class Used(NamedTuple):
    """Of one process so far."""

    cpu: float
    rss_mb: float
    uss_mb: float


def main() -> None:
    """Measure the parts asked for."""
    asked = report.arguments(__doc__ or "")
    parts, rounds = asked.only or PARTS, 1 if asked.quick else ROUNDS
    figures: dict[str, float | None] = {}
    details: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="sidelight-start-") as name:
        folder = Path(name)
        if "orthanc" in parts:
            _start(folder, "start", {}, rounds, (figures, details))
            figures["bare_orthanc_cpu_s"] = _bare(folder)
        if "arrival" in parts:
            changes = {"Arrival": section()["Arrival"], "Environment": str(ROOT / ".venv")}
            _start(folder, "arrival", {"Sidelight": changes}, rounds, (figures, details))
        if "commands" in parts:
            for what, command in COMMANDS.items():
                figures[f"{what}_cpu_s"] = _command(folder, command, rounds)
    report.finish(figures, details)


def _start(
    folder: Path,
    what: str,
    changes: Mapping[str, Any],
    rounds: int,
    found: tuple[dict[str, float | None], dict[str, object]],
) -> None:
    """Medians over several starts, each of a new archive."""
    figures, details = found
    ready: list[dict[str, Used]] = []
    settled: list[dict[str, Used]] = []
    again: list[dict[str, Used]] = []
    for number in range(rounds):
        with OrthancServer(folder / f"{what}-{number}", changes) as server:
            server.wait_ready(every=LOOK_SECONDS)
            ready.append(_processes(server))
            time.sleep(SETTLED_SECONDS)
            settled.append(_processes(server))
            server.stop()
            server.start()
            server.wait_ready(every=LOOK_SECONDS)
            again.append(_processes(server))
        report.say(f"{what} {number + 1} of {rounds}: {_total(ready[-1])} s of the processor")
    for name, measured in (("", ready), ("_settled", settled), ("_again", again)):
        figures[f"{what}{name}_cpu_s"] = round(statistics.median(map(_total, measured)), 2)
    for name in settled[0]:
        details[f"{what}: {name}"] = {
            "ready_cpu_s": _median(ready, name, 0),
            "settled_cpu_s": _median(settled, name, 0),
            "again_cpu_s": _median(again, name, 0),
            "rss_mb": _median(settled, name, 1),
            "uss_mb": _median(settled, name, 2),
        }


def _bare(folder: Path) -> float:
    with OrthancServer(folder / "bare", with_sidelight=False) as server:
        return _used(server.process.pid if server.process else 0).cpu


def _processes(server: OrthancServer) -> dict[str, Used]:
    if server.process is None:
        raise RuntimeError("Orthanc has ended")
    pids = {"orthanc": server.process.pid}
    pids |= {one["name"]: one["pid"] for one in server.status()["processes"]}
    return {name: _used(pid) for name, pid in pids.items()}


def _used(pid: int) -> Used:
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    ticks = sum(int(one) for one in stat[11:15])  # of itself, and of the children it waited for
    memory: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]:
        key, kilobytes = line.split(":")
        memory[key] = int(kilobytes.split()[0])
    own = memory["Private_Clean"] + memory["Private_Dirty"]
    return Used(ticks / os.sysconf("SC_CLK_TCK"), memory["Rss"] / 1024, own / 1024)


def _total(used: Mapping[str, Used]) -> float:
    return round(sum(one.cpu for one in used.values()), 2)


def _median(rounds: list[dict[str, Used]], name: str, field: int) -> float:
    return round(statistics.median(one[name][field] for one in rounds), 2)


def _command(folder: Path, command: list[str], rounds: int) -> float:
    """Processor seconds of one command; the first call, which may compile, is not counted."""
    taken = []
    arguments = [*command, *_inputs(folder, command)]
    for _ in range(rounds + 1):
        before = _children()
        subprocess.run(
            [str(Path(sys.executable).parent / "sidelight"), *arguments],
            check=True, stdout=subprocess.DEVNULL, cwd=ROOT, env={**os.environ, "PYTHONPATH": "."},
        )  # fmt: skip
        taken.append(_children() - before)
    return round(statistics.median(taken[1:]), 2)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _inputs(folder: Path, command: list[str]) -> list[str]:
    if command == ["deid", "explain"]:
        return [str(get_testdata_file("CT_small.dcm"))]
    if command == ["anatomy", "predict"]:
        table = folder / "headers.csv"
        table.write_text(ROW, encoding="utf-8")
        return [str(table)]
    return []


if __name__ == "__main__":
    main()
