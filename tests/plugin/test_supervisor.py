# SPDX-License-Identifier: AGPL-3.0-or-later
"""Child processes: started again when they end, ended with Orthanc, none left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from plugin import supervisor as supervising
from plugin.supervisor import ChildSpecification, Supervisor

ROOT = Path(__file__).resolve().parents[2]
SLEEPER = "import sys, time; print(sys.stdin.readline(), flush=True); time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def supervise(*codes: str) -> tuple[Supervisor, list[str]]:
    reports: list[str] = []
    children = [
        ChildSpecification(f"child-{n}", [sys.executable, "-c", code], greeting="hello", nice=5)
        for n, code in enumerate(codes)
    ]
    supervisor = Supervisor(children, reports.append)
    supervisor.start()
    wait_for(lambda: all(child["running"] for child in supervisor.status()))
    return supervisor, reports


def test_a_killed_child_is_started_again_and_reported() -> None:
    supervisor, reports = supervise(SLEEPER)
    try:
        first = supervisor.status()[0]["pid"]
        assert isinstance(first, int)
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: supervisor.status()[0]["running"] and supervisor.status()[0]["restarts"])
        assert supervisor.status()[0]["pid"] != first
        assert "ended with code -9" in reports[0]
    finally:
        supervisor.stop()


def test_children_run_at_the_configured_niceness() -> None:
    supervisor, _ = supervise(SLEEPER)
    try:
        pid = supervisor.status()[0]["pid"]
        assert isinstance(pid, int)
        wait_for(lambda: os.getpriority(os.PRIO_PROCESS, pid) == 5)
    finally:
        supervisor.stop()


def test_stopping_ends_even_a_stubborn_child_within_five_seconds() -> None:
    supervisor, _ = supervise(SLEEPER, STUBBORN)
    pids = [child["pid"] for child in supervisor.status()]
    time.sleep(0.3)  # let it ignore the signal first
    start = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - start < 5.0
    for pid in pids:
        assert not Path(f"/proc/{pid}").exists()


def test_a_command_that_does_not_exist_is_reported_and_not_fatal() -> None:
    reports: list[str] = []
    supervisor = Supervisor([ChildSpecification("x", ["/no/such/program"])], reports.append)
    supervisor.start()
    wait_for(lambda: bool(reports))
    supervisor.stop()
    assert "can't be started" in reports[0]


_PARENT = """
import sys, time
from plugin import supervisor as supervising
from plugin.supervisor import ChildSpecification, Supervisor
code = "from plugin.handover import _end_with_parent; _end_with_parent()"
child = ChildSpecification("c", [sys.executable, "-c", code], search_path=sys.argv[1])
supervisor = Supervisor([child], print)
supervisor.start()
while not supervisor.status() or not supervisor.status()[0]["pid"]:
    time.sleep(0.01)
time.sleep(1)
print(supervisor.status()[0]["pid"], flush=True)
time.sleep(60)
"""


def test_no_child_outlives_a_parent_that_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(ROOT)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert Path(f"/proc/{child}").exists()
        parent.kill()
    wait_for(lambda: not _alive(child))


def _alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text(encoding="ascii").split(")")[1][:3]
    except FileNotFoundError:
        return False


def test_a_child_that_ends_again_and_again_is_a_problem_also_while_it_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervising, "BACKOFF_SECONDS", (0.0,))
    supervisor, _ = supervise("import time; time.sleep(0.2); raise SystemExit(3)", SLEEPER)
    try:
        again = ["process child-0 ends again and again (code 3)"]
        wait_for(lambda: supervisor.problems() == again)
    finally:
        supervisor.stop()


def test_a_child_gets_the_variables_that_are_named_for_it_and_no_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SITE_KEY", "secret")
    tell = "import os, sys, time; open(sys.argv[1], 'w').write(os.environ.get('SITE_KEY', '-'));"
    command = [sys.executable, "-c", f"{tell} time.sleep(60)"]
    children = [
        ChildSpecification("phi", [*command, str(tmp_path / "phi")], variables=("SITE_KEY",)),
        ChildSpecification("inference", [*command, str(tmp_path / "inference")]),
    ]
    supervisor = Supervisor(children, print)
    supervisor.start()
    try:
        for name, told in (("phi", "secret"), ("inference", "-")):
            file = tmp_path / name
            wait_for(lambda file=file: file.exists() and bool(file.read_text()))  # type: ignore[misc]
            assert file.read_text() == told
    finally:
        supervisor.stop()
