# SPDX-License-Identifier: Apache-2.0
"""Faults inside Orthanc: it gets no memory while it runs, or leaves its callback out.

The Python plugin does not call the received-instance callback when it gets no memory for that, and
Orthanc then stores what it has: the original. A limit put on the running process (prlimit) brings
that about by itself; scripts in place of Sidelight's own bring it about at will.
"""

from __future__ import annotations

import resource
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.arrival_attempts import MAIN_DOORS, Attempts
from benchmarks.arrival_doors import Door, c_store, post, stow
from benchmarks.arrival_site import ROOT, Site, running, section, start
from plugin.demo.server import OrthancServer

LIMITS = {
    "a running Orthanc gets no more address space": (resource.RLIMIT_AS, "VmSize", (0.0,)),
    "a running Orthanc gets no more memory": (
        resource.RLIMIT_DATA, "VmData", (0.0, 0.5, 1.2, 1.5, 2.2, 2.5, 3.2, 3.5, 4.5, 6.5),
    ),
}  # fmt: skip
"""Which limit, what it limits, and by how many sizes of the file Orthanc may still grow."""
SIDE, GROWTH = 500, 1.05
_DOORS: dict[str, Door] = {
    # Where Orthanc has no memory to answer with, the association stays open.
    "C-STORE": partial(c_store, seconds=10.0),
    "POST": post,
    "STOW-RS": stow,
}
_KEEP = "(orthanc.ReceivedInstanceAction.KEEP_AS_IS, None)"
CALLBACKS = {
    "the callback is never registered": "pass",
    "the callback gets no memory": "register(failing)",
    "the callback lets the original pass": f"register(lambda _file, _origin: {_KEEP})",
}
_SCRIPT = """
import sys
sys.path.insert(0, {root!r})
import orthanc
register = orthanc.RegisterReceivedInstanceCallback
def failing(_file, _origin):
    raise MemoryError
def registered(_callback):
    {instead}
orthanc.RegisterReceivedInstanceCallback = registered
exec(compile(open({script!r}).read(), {script!r}, "exec"), {{"__name__": "main", "__file__": {script!r}}})
"""  # noqa: E501


def attempt(site: Site, attempts: Attempts) -> None:
    """All of them."""
    with running(site.server("no-memory", section(Arrival={"MaximumMegabytes": 64}))) as server:
        take_memory(site, server, attempts, LIMITS)
        attempts.look(server)
    for fault in CALLBACKS:
        with running(without_callback(site, fault, section())) as server:
            site.wait_for_arrival(server)
            attempts.through(server, fault, MAIN_DOORS)
            attempts.look(server)


def take_memory(
    site: Site, server: OrthancServer, attempts: Attempts, faults: Iterable[str]
) -> None:
    """Each file is larger than all before, so that none fits what was freed."""
    side = float(SIDE)
    for fault in faults:
        for room in LIMITS[fault][-1]:
            for door in _DOORS:
                _be_there(site, server)
                side *= GROWTH
                _limited(attempts, server, (fault, door, room), int(side))


def _be_there(site: Site, server: OrthancServer) -> None:
    """Start it where the fault before has ended it, and let it settle."""
    if server.process is None or server.process.poll() is not None:
        server.process = None
        start(server)
    site.wait_for_arrival(server)


def _limited(
    attempts: Attempts, server: OrthancServer, what: tuple[str, str, float], side: int
) -> None:
    fault, door, room = what
    kind, used, _ = LIMITS[fault]
    pixels = bytes(2 * side * side)
    sent = attempts.files.make(1, Rows=side, Columns=side, PixelData=pixels)
    if server.process is None:
        raise RuntimeError("Orthanc has ended")
    process = server.process.pid
    before = resource.prlimit(process, kind)
    limit = _used(process, used) + int(room * len(sent[0]))

    def send() -> str:
        resource.prlimit(process, kind, (limit, before[1]))
        try:
            return _DOORS[door](server, sent)
        finally:
            if server.process is not None and server.process.poll() is None:
                resource.prlimit(process, kind, before)

    attempts.by(server, fault, f"{door}, room for {room:g} files", sent, send)


def _used(process: int, what: str) -> int:
    """Bytes that a limit counts, as ``/proc/…/status`` says."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace")
    (line,) = [one for one in status.splitlines() if one.startswith(f"{what}:")]
    return int(line.split()[1]) << 10


def without_callback(site: Site, fault: str, sidelight: dict[str, Any]) -> OrthancServer:
    """An Orthanc, not yet started, whose callback is not what it should be."""
    guarding = sidelight["Arrival"].get("GuardStorage", "auto")
    name = f"callback-{list(CALLBACKS).index(fault)}-{guarding}"
    script = site.folder / f"{name}.py"
    site.folder.mkdir(parents=True, exist_ok=True)
    main, instead = str(ROOT / "plugin" / "main.py"), CALLBACKS[fault]
    script.write_text(_SCRIPT.format(root=str(ROOT), script=main, instead=instead), "utf-8")
    changed = {"PythonScript": str(script), "Python": {"Path": str(script)}}
    return site.server(name, sidelight, **changed)
