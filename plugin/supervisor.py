# SPDX-License-Identifier: AGPL-3.0-or-later
"""Starts the child processes, starts them again when they end, and ends them with Orthanc.

``sys.executable`` inside Orthanc is Orthanc itself, so children run under the environment's own
interpreter. Their standard input is a pipe that only this process holds: it closes when Orthanc
ends, even by SIGKILL, and each child ends when it closes.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
HEALTHY_AFTER_SECONDS = 60.0
OFTEN = 3
"""Ends in a row by which a child is known not to be able to do its work."""
STOP_SECONDS = 3.0

_KEPT_VARIABLES = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ", "CUDA_VISIBLE_DEVICES")


@dataclass(frozen=True)
class ChildSpecification:
    """One child process: its name, command, what it reads first, and the packages it sees.

    ``idle`` gives it the processor only when nothing else wants it (SCHED_IDLE): niceness alone
    still interrupts Orthanc each time that a child wakes up. ``variables`` are names of variables
    that it gets of Orthanc's environment beside the usual ones.
    """

    name: str
    command: Sequence[str]
    greeting: str = ""
    search_path: str = ""
    nice: int = 0
    idle: bool = False
    variables: Sequence[str] = ()


@dataclass
class Child:
    """A child process with its history."""

    specification: ChildSpecification
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    restarts: int = 0
    failures: int = 0
    next_start: float = 0.0
    last_exit: int | None = None


@dataclass
class Supervisor:
    """Keeps the children alive from a thread of its own.

    ``report`` is told, in one line, of each unexpected end.
    """

    specifications: Sequence[ChildSpecification]
    report: Callable[[str], None]
    _children: list[Child] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Start all children."""
        self._children = [Child(specification) for specification in self.specifications]
        # PR_SET_PDEATHSIG in the children is bound to the thread that started them: this thread
        # starts them all and lives until they are to end.
        self._thread = threading.Thread(target=self._run, name="sidelight-supervisor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End all children: asked first, killed after three seconds."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=STOP_SECONDS + 1.5)

    def status(self) -> list[dict[str, object]]:
        """Name, process id, restarts and last exit code of each child."""
        return [
            {
                "name": child.specification.name,
                "pid": child.process.pid if child.process else None,
                "running": child.process is not None and child.process.poll() is None,
                "restarts": child.restarts,
                "last_exit": child.last_exit,
            }
            for child in self._children
        ]

    def problems(self) -> list[str]:
        """Which children are not there, or end by themselves again and again, in words."""
        return [text for child in self._children if (text := _problem(child, time.monotonic()))]

    def _run(self) -> None:
        while not self._stop.is_set():
            for child in self._children:
                self._look_after(child)
            self._stop.wait(0.1)
        _end(self._children)

    def _look_after(self, child: Child) -> None:
        now = time.monotonic()
        if child.process is None:
            if now >= child.next_start:
                self._launch(child)
            return
        code = child.process.poll()
        if code is None:
            return
        _close_input(child.process)
        child.process, child.last_exit = None, code
        child.restarts += 1
        child.failures = 0 if now - child.started > HEALTHY_AFTER_SECONDS else child.failures + 1
        wait = BACKOFF_SECONDS[min(child.failures, len(BACKOFF_SECONDS) - 1)]
        child.next_start = now + wait
        name = child.specification.name
        self.report(f"process {name} ended with code {code}; next start in {wait:g} s")

    def _launch(self, child: Child) -> None:
        specification = child.specification
        child.started = time.monotonic()
        try:
            child.process = subprocess.Popen(
                list(specification.command),
                stdin=subprocess.PIPE,
                env=_environment(os.environ, specification.search_path, specification.variables),
            )
            _greet(child.process, specification)
        except OSError as error:
            child.failures += 1
            child.next_start = child.started + BACKOFF_SECONDS[-1]
            self.report(f"process {specification.name} can't be started: {error.strerror}")


def _problem(child: Child, now: float) -> str:
    name, process = child.specification.name, child.process
    if process is None or process.poll() is not None:
        return f"process {name} is not running"
    # Between its start and its end it is running, so that alone says little.
    fails = child.failures >= OFTEN and now - child.started < HEALTHY_AFTER_SECONDS
    if fails and child.last_exit is not None and child.last_exit > 0:
        return f"process {name} ends again and again (code {child.last_exit})"
    return ""


def _greet(process: subprocess.Popen[bytes], specification: ChildSpecification) -> None:
    try:
        os.setpriority(os.PRIO_PROCESS, process.pid, specification.nice)
        if specification.idle:
            os.sched_setscheduler(process.pid, os.SCHED_IDLE, os.sched_param(0))
        if specification.greeting and process.stdin is not None:
            process.stdin.write(specification.greeting.encode() + b"\n")
            process.stdin.flush()
    except (BrokenPipeError, ProcessLookupError):
        # It has ended already; the next look sees its exit code and reports it.
        return


def _environment(
    current: Mapping[str, str], search_path: str, variables: Sequence[str] = ()
) -> dict[str, str]:
    # An allow-list: PYTHONHOME and library paths of Orthanc's own Python would break the child's,
    # and nothing secret that Orthanc was started with reaches the models.
    names = (*_KEPT_VARIABLES, *variables)
    kept = {name: current[name] for name in names if name in current}
    kept["PYTHONPATH"] = search_path
    kept["PYTHONUNBUFFERED"] = "1"
    kept["TCP_NODELAY"] = "1"
    return kept


def _close_input(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        try:
            process.stdin.close()
        except BrokenPipeError:
            # The rest of the greeting had no reader any more; the pipe is closed all the same.
            return


def _end(children: Sequence[Child]) -> None:
    running = [child.process for child in children if child.process is not None]
    for process in running:
        process.terminate()
        _close_input(process)
    deadline = time.monotonic() + STOP_SECONDS
    for process in running:
        try:
            process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
