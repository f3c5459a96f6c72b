# SPDX-License-Identifier: AGPL-3.0-or-later
"""A real Orthanc of one's own: own folder, own ports on loopback, started and ended by its id."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import httpx

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 20.0
PLUGINS = ("libOrthancDicomWeb.so", "libOrthancPython.so")


class OrthancStartError(RuntimeError):
    """Orthanc did not start, or Sidelight inside it did not."""


@dataclass(frozen=True)
class Installation:
    """One installed Orthanc: how to call it, and where its plugins lie."""

    name: str
    command: Sequence[str]
    plugins: Path
    environment: Mapping[str, str] = field(default_factory=dict)


def debian_installation() -> Installation:
    """Orthanc as Debian's packages install it."""
    return Installation("debian", ["/usr/sbin/Orthanc"], Path("/usr/share/orthanc/plugins"))


_GIVEN: set[int] = set()
_MOST_TRIES = 100


def free_port(wanted: int = 0) -> int:
    """``wanted`` if it is free on loopback, else any free port that was not given out before.

    A port counts as free until its server has started: the next who asks must get another.
    """
    for port in (wanted, *(0,) * _MOST_TRIES):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found = int(probe.getsockname()[1])
        if port or found not in _GIVEN:
            _GIVEN.add(found)
            return found
    raise OrthancStartError("no free port on loopback")


class OrthancServer:
    """Starts Orthanc in ``folder`` with the shipped ``orthanc.json`` and some keys changed.

    Args:
        folder: where storage, index and log go.
        changes: keys of Orthanc's configuration that replace the shipped ones.
        with_sidelight: False gives an Orthanc without any plugin, to compare with.
        installation: which Orthanc.
    """

    usual_ports: ClassVar[tuple[int, int]] = (8042, 4242)
    """Of HTTP and DICOM, taken where they are free; 0: any free one."""

    def __init__(
        self,
        folder: Path,
        changes: Mapping[str, Any] | None = None,
        *,
        with_sidelight: bool = True,
        installation: Installation | None = None,
    ) -> None:
        self.folder = folder
        self.installation = installation or debian_installation()
        self.with_sidelight = with_sidelight
        self.user, self.password = "demo", secrets.token_urlsafe(12)
        self.http_port, self.dicom_port = map(free_port, self.usual_ports)
        self.url = f"http://127.0.0.1:{self.http_port}"
        self.changes = dict(changes or {})
        self.process: subprocess.Popen[bytes] | None = None
        self.client = httpx.Client(
            base_url=self.url,
            auth=(self.user, self.password),
            timeout=30.0,
            trust_env=False,
            # Orthanc closes idle connections after one second.
            limits=httpx.Limits(keepalive_expiry=0.5),
        )

    @property
    def log(self) -> Path:
        """Orthanc's log, with those of the child processes."""
        return self.folder / "orthanc.log"

    def configuration(self) -> dict[str, Any]:
        """The shipped configuration, for this folder and these ports."""
        whole: dict[str, Any] = json.loads((ROOT / "orthanc.json").read_text(encoding="utf-8"))
        script = str(ROOT / "plugin" / "main.py")
        whole.update(
            StorageDirectory=str(self.folder / "db"),
            IndexDirectory=str(self.folder / "db"),
            HttpPort=self.http_port,
            DicomPort=self.dicom_port,
            RegisteredUsers={self.user: self.password},
            DicomModalities={"demo": ["DEMO", "127.0.0.1", 11112]},
            Plugins=[str(self.installation.plugins / name) for name in PLUGINS],
        )
        if self.with_sidelight:
            whole["PythonScript"] = whole["Python"]["Path"] = script
            whole["Sidelight"] = {"Environment": str(ROOT / ".venv")}
        whole.update(self.changes)
        if not self.with_sidelight:
            for key in ("PythonScript", "Python", "Sidelight", "Plugins"):
                whole.pop(key, None)
        return whole

    def write_configuration(self) -> Path:
        """Write what Orthanc is started with; the file, or a folder of files."""
        path = self.folder / "orthanc.json"
        path.write_text(json.dumps(self.configuration(), indent=1), encoding="utf-8")
        return path

    def start(self) -> None:
        """Start Orthanc and wait until it answers.

        Raises:
            OrthancStartError: it ended, or did not answer within 30 seconds.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.write_configuration()
        environment = {**os.environ, "TCP_NODELAY": "1", **self.installation.environment}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.installation.command, str(path)],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment,
            )  # fmt: skip
        self._wait(lambda: self._answers("/system"), 30.0, "Orthanc does not answer")

    def wait_ready(self, seconds: float = 90.0, every: float = 0.05) -> None:
        """Wait until Sidelight's processes answer and the models are loaded.

        Args:
            seconds: at most.
            every: seconds between two questions.

        Raises:
            OrthancStartError: not within ``seconds``; names the log.
        """
        self._wait(self._ready, seconds, "Sidelight is not ready", every)

    def stop(self) -> int | None:
        """Ask Orthanc to end; kill it if it does not within 20 seconds.

        Returns:
            Its exit status, negative for a signal that ended it; None where none was running.
        """
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        ended, self.process = self.process.returncode, None
        return ended

    def kill(self) -> None:
        """End Orthanc as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def __enter__(self) -> OrthancServer:
        """Start."""
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()
        self.client.close()

    def status(self) -> dict[str, Any]:
        """``/sidelight/status``."""
        answer = self.client.get("/sidelight/status")
        read: dict[str, Any] = answer.json()
        return read

    def _ready(self) -> bool:
        if not self._answers("/sidelight/status"):
            return False
        try:
            status = self.status()
        except httpx.TransportError:
            return False  # Orthanc closes connections that a busy machine left idle for a second
        service = status.get("service") or {}
        inference = service.get("inference") or {}
        return status["status"] == "ok" and inference.get("status") == "ok"

    def _answers(self, path: str) -> bool:
        try:
            return self.client.get(path, timeout=5.0).status_code == 200
        except httpx.HTTPError:
            return False

    def _wait(self, condition: Any, seconds: float, complaint: str, every: float = 0.05) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                raise OrthancStartError(f"Orthanc has ended; its log: {self.log}")
            if condition():
                return
            time.sleep(every)
        raise OrthancStartError(f"{complaint} after {seconds:g} s; the log: {self.log}")
