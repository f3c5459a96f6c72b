# SPDX-License-Identifier: Apache-2.0
"""Faults around the arrival process: its key, the disks, and Orthanc itself going away."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.arrival_attempts import MAIN_DOORS, Attempts
from benchmarks.arrival_doors import DOORS
from benchmarks.arrival_site import (
    Site,
    faulty_interpreter,
    running,
    section,
    start,
)
from plugin.demo.server import OrthancServer

_LARGE = {"Rows": 512, "Columns": 512, "PixelData": bytes(2 * 512 * 512)}
_KEY = "deidentification.key"


def attempt(site: Site, attempts: Attempts) -> None:
    """All of them."""
    _keys(site, attempts)
    _full_disks(site, attempts)
    _orthanc_goes(site, attempts)


def _keys(site: Site, attempts: Attempts) -> None:
    with running(site.server("keys", section())) as server:
        site.wait_for_arrival(server)
        spoil_keys(server, attempts)
        attempts.look(server)
        (_data(server) / _KEY).unlink()
        server.kill()
        start(server)
        site.wait_for_arrival(server)
        attempts.through(server, "the key is missing at the start", ("C-STORE", "POST"))


def spoil_keys(
    server: OrthancServer, attempts: Attempts, doors: Sequence[str] = MAIN_DOORS
) -> None:
    """Each fault of the key on an Orthanc in good health, which it is again afterwards."""
    for fault, change in _KEY_FAULTS.items():
        with _changed(_data(server) / _KEY, change):
            attempts.through(server, fault, doors)
    with _changed(
        _data(server) / "deidentification-key.fingerprint", lambda path: path.write_bytes(b"")
    ):
        attempts.through(server, "the key's fingerprint is empty", doors)


def _data(server: OrthancServer) -> Path:
    return server.folder / "db" / "sidelight"


def _opened(path: Path) -> None:
    path.chmod(0o644)


def _to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir(mode=0o700)


_KEY_FAULTS: dict[str, Callable[[Path], object]] = {
    "the key is missing": Path.unlink,
    "the key is another one": lambda path: path.write_bytes(bytes(32)),
    "the key is too short": lambda path: path.write_bytes(bytes(31)),
    "the key is empty": lambda path: path.write_bytes(b""),
    "the key is open to others": _opened,
    "the key is a folder": _to_folder,
}


@contextmanager
def _changed(path: Path, change: Callable[[Path], object]) -> Iterator[None]:
    kept = path.read_bytes()
    change(path)
    try:
        yield
    finally:
        if path.is_dir():
            path.rmdir()
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(kept)


def _full_disks(site: Site, attempts: Attempts) -> None:
    disk = site.folder / "disk"
    with _small_disk(disk) as mounted:
        if not mounted:
            return
        _fill(disk)
        away = section(DataDirectory=str(disk / "sidelight"))
        with running(site.server("full-data", away)) as server:
            with contextlib.suppress(TimeoutError):
                site.wait_for_arrival(server, 5.0)
            attempts.through(server, "the disk of the data directory is full")
            attempts.look(server)
    with _small_disk(disk) as mounted:
        if not mounted:
            return
        whole = site.server("full-storage", section(), StorageDirectory=str(disk))
        with running(whole) as server:
            site.wait_for_arrival(server)
            _fill(disk)
            fault = "the disk of Orthanc's storage is full"
            # Of a file that fits its buffer Orthanc doesn't notice that it wasn't written.
            attempts.through(server, fault, make=lambda: attempts.files.make(1, **_LARGE))
            shutil.copytree(disk, server.folder / "db" / "disk", ignore=_ballast)
            attempts.look(server)


def _ballast(_folder: str, _names: list[str]) -> list[str]:
    return ["ballast"]


def _fill(disk: Path) -> None:
    with contextlib.suppress(OSError), (disk / "ballast").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1024))


@contextmanager
def _small_disk(folder: Path) -> Iterator[bool]:
    """A file system of 8 MB, where one may be mounted."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _orthanc_goes(site: Site, attempts: Attempts) -> None:
    """Orthanc is stopped, and killed, while it waits for the arrival process."""
    for word, number in (("stopped", signal.SIGTERM), ("killed", signal.SIGKILL)):
        script, switch = faulty_interpreter(site.folder / f"going-{word}")
        sidelight = section(Python=str(script), Arrival={"TimeoutSeconds": 3.0})
        with running(site.server(f"going-{word}", sidelight)) as server:
            for door in ("C-STORE", "POST"):
                site.wait_for_arrival(server)
                switch.write_text("the process hangs", encoding="utf-8")
                _end_while_it_waits(
                    attempts, server, f"Orthanc is {word} while it waits", door, number
                )
                switch.write_text("", encoding="utf-8")
                server.stop()
                attempts.look(server)
                start(server)


def _end_while_it_waits(
    attempts: Attempts, server: OrthancServer, fault: str, door: str, number: signal.Signals
) -> None:
    sent = attempts.files.make()

    def end() -> None:
        time.sleep(0.5)
        if server.process is not None:
            server.process.send_signal(number)

    def send() -> str:
        ending = threading.Thread(target=end)
        ending.start()
        answer = DOORS[door](server, sent)
        ending.join()
        return answer

    attempts.by(server, fault, door, sent, send)
