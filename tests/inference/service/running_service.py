# SPDX-License-Identifier: Apache-2.0
import asyncio
import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import uvicorn
from pydicom import Dataset

from inference.anatomy.serving.served import ServedAnatomy
from inference.client import InferenceClient, InferenceUnavailableError
from inference.contract import (
    AnalysisAnswer,
    CodedConcept,
    FindingClass,
    ModelDescription,
    Outcome,
    ScanCategory,
    Standing,
)
from inference.phantoms import chest_phantom
from inference.phantoms.dicom import chest_dataset
from inference.service import Limits, Service
from inference.serving.models import Models
from inference.serving.sockets import unix_socket
from inference.serving.version_desk import VersionDesk

DEIDENTIFIED = {"00120062": {"vr": "CS", "Value": ["YES"]}}


def dicom_file(ds: Dataset) -> bytes:
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def chest_file(*, removed: str | None = "YES", **values: object) -> bytes:
    ds = chest_dataset(chest_phantom(7, 256, ["nodule"]))
    if removed is not None:
        ds.PatientIdentityRemoved = removed
    elif "PatientIdentityRemoved" in ds:
        del ds.PatientIdentityRemoved
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return dicom_file(ds)


@dataclass
class FakeModel:
    """Answers at once, or as long as it is held."""

    held: threading.Event = field(default_factory=threading.Event)
    running: int = 0
    most: int = 0
    seen: list[list[bytes]] = field(default_factory=list)
    error: Exception | None = None

    def __post_init__(self) -> None:
        self.held.set()

    @property
    def description(self) -> ModelDescription:
        code = CodedConcept(value="4147007", scheme="SCT", meaning="Mass")
        return ModelDescription(
            name="fake",
            version="1.0.0",
            title="Fake",
            disclaimer="for tests",
            digest="0" * 64,
            works_on="instance",
            categories=(ScanCategory(modalities=("DX",), regions=("chest",)),),
            classes=(
                FindingClass(
                    key="mass", name="mass", code=code, threshold=0.5, patch_threshold=0.5
                ),
            ),
            levels=(8,),
        )

    def analyse(self, instances: Sequence[bytes]) -> AnalysisAnswer:
        self.running += 1
        self.most = max(self.most, self.running)
        self.seen.append(list(instances))
        try:
            assert self.held.wait(30)
            if self.error:
                raise self.error
            return AnalysisAnswer(
                model="fake", version="1.0.0", digest="0" * 64, outcome=Outcome.NO_FINDINGS
            )
        finally:
            self.running -= 1


@dataclass
class FakeLoaded:
    served: dict[str, FakeModel]
    rejected: dict[str, str] = field(default_factory=lambda: {"broken": "weights are damaged"})
    device: str = "cpu"
    standing: Standing = field(default_factory=Standing)


@dataclass
class Running:
    """A service in a thread of this process."""

    address: str
    model: FakeModel
    loading: threading.Event
    token: str | None = None
    clients: list[InferenceClient] = field(default_factory=list)

    def client(self, timeout: float = 20.0) -> InferenceClient:
        self.clients.append(InferenceClient(self.address, timeout, token=self.token))
        return self.clients[-1]


@contextlib.contextmanager
def served(
    path: Path,
    *,
    limits: Limits | None = None,
    loaded: bool = True,
    token: str | None = None,
    desk: VersionDesk | None = None,
    anatomy: ServedAnatomy | None = None,
) -> Iterator[Running]:
    model, loading = FakeModel(), threading.Event()
    if loaded:
        loading.set()

    def load() -> FakeLoaded:
        assert loading.wait(30)
        return FakeLoaded({"fake": model})

    models = Models(load, concurrency=1)
    listening = unix_socket(path, 0o600)
    app = Service(models, limits or Limits(), token, desk, anatomy).app()
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    server.install_signal_handlers = lambda: None
    models.start(failed=lambda error: None)
    thread = threading.Thread(
        target=lambda: asyncio.run(server.serve(sockets=[listening])), daemon=True
    )
    thread.start()
    running = Running(f"unix:{path}", model, loading, token)
    client = running.client()
    try:
        if loaded:
            until(lambda: client.health().status == "ok")
        else:
            until(lambda: bool(client.health()))
        yield running
    finally:
        for client in running.clients:
            client.close()
        loading.set()
        model.held.set()
        server.should_exit = True
        thread.join(10)
        models.pool.shutdown()
        path.unlink(missing_ok=True)


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for a condition; while a service is not reachable it does not hold."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(InferenceUnavailableError):
            if condition():
                return
        time.sleep(0.02)
    raise AssertionError("waited in vain")


@dataclass
class ServiceProcess:
    """A service as a process of its own."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)

    def events(self, name: str) -> list[dict[str, object]]:
        return [event for line in list(self.lines) if (event := json.loads(line))["event"] == name]

    def event(self, name: str) -> dict[str, object]:
        until(lambda: bool(self.events(name)) or self.process.poll() is not None)
        if not self.events(name):
            raise AssertionError(f"no {name} but {self.lines}")
        return self.events(name)[0]

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        for stream in (self.process.stdin, self.process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._reader.join(10)
