# SPDX-License-Identifier: Apache-2.0
"""What the guard of the storage costs an archive in arrival mode: guarded over unguarded.

    .venv/bin/python -m benchmarks.arrival_speed --json [--quick] [--only trixie]

Two Orthancs run side by side, alike but for ``Arrival.GuardStorage``; the same CT slices of
512 x 512 go to the one and then to the other, and the order changes from round to round. A figure
is the median of the rounds' ratios of instances per second: 1.0 says that the guard costs nothing.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from benchmarks import report
from benchmarks.arrival_site import Site, running, section
from benchmarks.scans import c_store, ct_slices
from plugin.demo.server import OrthancServer

RELEASES = {"debian": "1.10.1", "trixie": "1.12.7"}
WAYS = ("cstore", "post", "read")
Rates = dict[str, float]


class Round(NamedTuple):
    """By way: instances per second, and Orthanc's processor time per instance."""

    rates: Rates
    cpu_ms: Rates


def measure(folder: Path, release: str, *, quick: bool) -> tuple[Rates, dict[str, object]]:
    """Ratios for C-STORE, POST and reading whole files back, and what is behind them."""
    count, rounds = (6, 2) if quick else (20, 15)
    site = Site(folder, release)
    found: dict[str, list[Round]] = {"auto": [], "off": []}
    with ExitStack() as stack:
        servers = {}
        for guarding in found:
            sidelight = section(Arrival={"GuardStorage": guarding})
            servers[guarding] = stack.enter_context(running(site.server(guarding, sidelight)))
        for server in servers.values():
            site.wait_for_arrival(server)
            _round(server, folder / "first", 0, 2)
        for number in range(rounds):
            for guarding in list(found)[:: 1 if number % 2 else -1]:
                place = folder / f"slices-{number}"
                found[guarding].append(_round(servers[guarding], place, number + 1, count))
            report.say(f"{release} round {number + 1} of {rounds}: {found['auto'][-1].rates}")
    return _ratios(found), {
        f"{what}_{way}_{name}": round(statistics.mean(getattr(one, what)[way] for one in some), 2)
        for what in ("rates", "cpu_ms")
        for way in WAYS
        for some, name in ((found["auto"], "guarded"), (found["off"], "unguarded"))
    }


def _ratios(found: dict[str, list[Round]]) -> Rates:
    pairs = list(zip(found["auto"], found["off"], strict=True))
    return {
        f"{way}_guarded_vs_unguarded": round(
            statistics.median(mine.rates[way] / bare.rates[way] for mine, bare in pairs), 3
        )
        for way in WAYS
    }


def _round(server: OrthancServer, place: Path, seed: int, count: int) -> Round:
    """The first half of the slices goes by C-STORE, the second by POST, and is read back."""
    slices = sorted(place.glob("*.dcm")) or ct_slices(place, 2 * count, seed)
    contents = [file.read_bytes() for file in slices[count:]]
    identifiers: list[str] = []

    def post() -> None:
        for content in contents:
            answer = server.client.post("/instances", content=content).raise_for_status()
            identifiers.append(answer.json()["ID"])

    def read() -> None:
        for identifier in identifiers:
            server.client.get(f"/instances/{identifier}/file").raise_for_status()

    works = {"cstore": lambda: c_store(server.dicom_port, slices[:count]), "post": post}
    works["read"] = read
    measured = Round({}, {})
    for way in WAYS:
        used, began = _cpu_ms(server), time.perf_counter()
        works[way]()
        measured.rates[way] = count / (time.perf_counter() - began)
        measured.cpu_ms[way] = (_cpu_ms(server) - used) / count
    return measured


def _cpu_ms(server: OrthancServer) -> float:
    """Processor time of Orthanc's process so far, which a busy machine hardly changes."""
    if server.process is None:
        raise RuntimeError("Orthanc has ended")
    fields = Path(f"/proc/{server.process.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1]
    user, system = (int(one) for one in fields.split()[11:13])
    return (user + system) * 1000 / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure one release after the other."""
    asked = report.arguments(__doc__ or "")
    figures: dict[str, float | None] = {}
    details: dict[str, object] = {}
    for release in asked.only or ("debian",):
        with tempfile.TemporaryDirectory(prefix="sidelight-speed-") as name:
            ratios, rates = measure(Path(name), release, quick=asked.quick)
        figures |= {f"{way}_{RELEASES[release]}": value for way, value in ratios.items()}
        details[RELEASES[release]] = rates
    report.finish(figures, details)


if __name__ == "__main__":
    main()
