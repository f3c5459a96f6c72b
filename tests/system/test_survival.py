# SPDX-License-Identifier: AGPL-3.0-or-later
"""Orthanc, its children, its configuration and its disk, all treated badly."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from plugin.demo.server import OrthancServer
from tests.system.pacs import finished, server_for, store
from tests.system.test_main_line import fresh

Make = Callable[..., OrthancServer]


def children(server: OrthancServer) -> dict[str, int]:
    return {str(c["name"]): int(c["pid"]) for c in server.status()["processes"] if c["pid"]}


def alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except FileNotFoundError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


def wait_until_gone(pids: list[int], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < deadline, "children are left behind"
        time.sleep(0.05)


def test_no_child_is_left_behind_when_orthanc_is_killed(own_server: Make) -> None:
    server = own_server()
    server.start()
    server.wait_ready()
    pids = list(children(server).values())
    assert len(pids) == 3
    server.kill()
    wait_until_gone(pids, 5.0)


@pytest.mark.parametrize("release", ["debian", "trixie"])
def test_orthanc_takes_its_children_along_and_ends_well_when_it_stops(
    release: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Sockets lie there; the path of one is short.
    with TemporaryDirectory(prefix="s-") as everybodys:
        monkeypatch.setenv("TMPDIR", everybodys)
        server = server_for(release, tmp_path / "orthanc", {})
        server.start()
        server.wait_ready()
        pids = list(children(server).values())
        assert list(Path(everybodys).glob("sidelight-*/web.sock"))
        assert server.stop() == 0
        assert not any(alive(pid) for pid in pids)
        assert list(Path(everybodys).glob("sidelight-*")) == []


@pytest.mark.parametrize("victim", ["worker-0", "inference", "web"])
def test_results_come_although_a_process_is_killed(
    own_server: Make, phantoms: list[Path], victim: str
) -> None:
    server = own_server()
    server.start()
    server.wait_ready()
    studies = [store(server, fresh(phantom))["ParentStudy"] for phantom in phantoms[:4]]
    os.kill(children(server)[victim], signal.SIGKILL)
    server.wait_ready()
    for study in studies:
        (scan,) = finished(server, study, seconds=90)["scans"]
        assert scan["status"] in ("findings", "no-findings")
        kinds = [item["kind"] for item in scan["objects"]]
        assert len(kinds) == len(set(kinds))


def test_what_was_queued_when_orthanc_was_killed_is_done_after_its_restart(
    own_server: Make, phantoms: list[Path]
) -> None:
    server = own_server()
    server.start()
    server.wait_ready()
    studies = [store(server, fresh(phantom))["ParentStudy"] for phantom in phantoms]
    server.kill()
    server.start()
    server.wait_ready()
    for study in studies:
        (scan,) = finished(server, study, seconds=90)["scans"]
        assert scan["status"] in ("findings", "no-findings")


def test_scans_that_came_while_sidelight_was_off_are_found(
    own_server: Make, phantoms: list[Path]
) -> None:
    server = own_server()
    server.start()
    server.wait_ready()
    time.sleep(1.0)  # the first start notes where Orthanc's changes are
    server.stop()
    server.changes["Sidelight"] = {"Enabled": False}
    server.start()
    stored = store(server, fresh(phantoms[0]))
    server.stop()
    del server.changes["Sidelight"]
    server.start()
    server.wait_ready()
    deadline = time.monotonic() + 30
    while server.client.get(f"/studies/{stored['ParentStudy']}/sidelight").json()["status"] in (
        "not-analysed",
        "in-progress",
    ):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_queue_that_cannot_be_written_is_reported_and_costs_no_scan(
    own_server: Make, phantoms: list[Path], tmp_path: Path
) -> None:
    in_the_way = tmp_path / "data"
    in_the_way.write_text("a file where the folder should be", encoding="ascii")
    server = own_server(Sidelight={"DataDirectory": str(in_the_way / "sidelight")})
    server.start()
    stored = store(server, fresh(phantoms[0]))
    assert stored["Status"] == "Success"
    status = server.status()
    assert status["status"] == "degraded"
    assert any("queue can't be written" in problem for problem in status["problems"])
    assert "queue can't be written" in server.log.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"Workers": {"Cuont": 2}}, ["Sidelight.Workers.Cuont", "Count, Nice, Scheduling"]),
        ({"Results": {"Segmentation": "MAYBE"}}, ["Sidelight.Results.Segmentation", "MAYBE"]),
        ({"Environment": "/no/such/folder"}, ["Sidelight.Environment", "no such folder"]),
    ],
)
def test_a_wrong_configuration_is_said_in_one_line_and_orthanc_goes_on(
    own_server: Make, section: dict[str, Any], words: list[str]
) -> None:
    server = own_server(Sidelight=section)
    server.start()
    answer = server.client.get("/sidelight/status")
    assert answer.status_code == 503
    assert server.client.get("/system").status_code == 200
    lines = server.log.read_text(encoding="utf-8").splitlines()
    said = [line for line in lines if "Sidelight: not started" in line]
    assert len(said) == 1
    for word in words:
        assert word in said[0]
        assert word in answer.json()["message"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with room for 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no small file system can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_costs_no_scan_and_what_was_missed_is_analysed_afterwards(
    own_server: Make, phantoms: list[Path], small_disk: Path
) -> None:
    server = own_server(Sidelight={"DataDirectory": str(small_disk / "sidelight")})
    server.start()
    server.wait_ready()
    time.sleep(1.0)
    ballast = small_disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1024))
    stored = [store(server, fresh(phantom)) for phantom in phantoms[:3]]
    assert {one["Status"] for one in stored} == {"Success"}
    assert server.status()["status"] == "degraded"
    ballast.unlink()
    for one in stored:
        (scan,) = finished(server, one["ParentStudy"], seconds=90)["scans"]
        assert scan["status"] in ("findings", "no-findings")
    assert server.status()["status"] == "ok"
