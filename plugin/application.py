# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sidelight inside Orthanc's process: hook, routes and the child processes, put together once."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

from plugin import __version__, damage, data_format, host, routes
from plugin.arrival.entrance import Entrance
from plugin.arrival.passing import HeaderDoor, PassingInstances
from plugin.arrival.protocol import TOKEN_BYTES
from plugin.arrival.received import ArrivalDoor
from plugin.arrival.storage_settings import UnguardedError
from plugin.caller import Caller, authenticates
from plugin.configuration import Configuration
from plugin.configuration.application_table import read_applications
from plugin.configuration.copy_table import read_copies
from plugin.configuration.tables import check_tables
from plugin.doors.destinations import destinations
from plugin.events import Change
from plugin.handover import Handover
from plugin.hooks import Hooks
from plugin.orthanc_settings import OrthancSettings
from plugin.queue import JobQueue, QueueError, Retry
from plugin.site_key import LOCK_FILE, SiteKey
from plugin.supervisor import ChildSpecification, Supervisor

DEAD_LETTER_SECONDS = 7 * 24 * 3600.0
"""Somebody may look at the status once a week only."""


class StartError(RuntimeError):
    """Sidelight can't run beside this Orthanc; says why and what to do."""


@dataclass(frozen=True)
class Places:
    """Where things lie on this node."""

    data: Path
    sockets: Path

    @property
    def queue_file(self) -> Path:
        """The queue, one per Orthanc."""
        return self.data / "queue.sqlite"

    @property
    def web_socket(self) -> str:
        """Where the web process answers."""
        return str(self.sockets / "web.sock")

    @property
    def inference_socket(self) -> str:
        """Where the local inference service answers."""
        return str(self.sockets / "inference.sock")

    @property
    def arrival_socket(self) -> str:
        """Where the arrival process takes what Orthanc receives."""
        return str(self.sockets / "arrival.sock")


class Application:
    """Holds the parts together; ``register`` makes Orthanc call them."""

    def __init__(
        self, root: Path, whole: Mapping[str, Any], configuration: Configuration, python: str
    ) -> None:
        self._root, self._whole, self._python = root, whole, python
        self._configuration = configuration
        self._settings = OrthancSettings(whole, configuration.workers.count)
        self._places = _places(whole, configuration)
        self._hooks = Hooks(self._open_queue, host.log_error)
        self._supervisor: Supervisor | None = None
        self._lock: IO[str] | None = None
        self._arrival_token = secrets.token_bytes(TOKEN_BYTES)
        self._entrance = self._arrival_entrance()
        self._passing: PassingInstances | None = None

    @classmethod
    def prepare(
        cls, root: Path, whole: Mapping[str, Any], configuration: Configuration, python: str
    ) -> Application:
        """Check what must hold before anything is registered.

        Raises:
            StartError: Orthanc's HTTP server is off, the interpreter is missing, another Orthanc
                uses the same data directory, a newer version has worked with it, or the storage
                must be guarded and can't be.
            TableError: a table that the configuration names can't be used.
        """
        check_tables(configuration)
        if refusal := OrthancSettings(whole, configuration.workers.count).refusal():
            raise StartError(refusal)
        if not os.access(python, os.X_OK):
            raise StartError(f"Sidelight.Python = {python!r}: there is no such interpreter")
        application = cls(root, whole, configuration, python)
        application.take_data_directory()
        return application

    def take_data_directory(self) -> None:
        """Make the data directory ours alone.

        An unwritable directory is no reason to stop: it may become writable again, and the status
        says so until then.
        """
        try:
            self._places.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = (self._places.data / LOCK_FILE).open("w")
        except OSError as error:
            host.log_error(f"data directory can't be written: {error.strerror}")
            return
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StartError(
                "another Orthanc uses the same data directory; give each node its own "
                "Sidelight.DataDirectory"
            ) from None
        try:
            data_format.take(self._places.data)
        except data_format.NewerFormatError as error:
            self._lock.close()
            raise StartError(str(error)) from None
        except OSError as error:
            host.log_error(f"data directory can't be written: {error.strerror}")

    def register(self) -> None:
        """Register hook, changes, routes and buttons with Orthanc."""
        if self._entrance is not None:
            self._guard_arrivals(self._entrance)
        elif self._configuration.standardization.mode == "arrival":
            self._passing = PassingInstances(self._header_door().stored_for, host.log_warning)
            host.on_received(self._passing.on_received_instance)
        host.on_stored(self._hooks.on_stored_instance)
        host.on_change(self._on_change)
        caller = Caller(authenticates(self._whole), self._configuration.review.user_header)
        switchboard = routes.Switchboard(
            self._places.web_socket, self._status, caller, self._settings.waiting
        )
        for route in routes.ROUTES:
            host.on_route(routes.pattern(route), partial(switchboard.answer, route))
        script = self._root / "plugin" / "web" / "pages" / "explorer.js"
        host.extend_explorer(script.read_text(encoding="utf-8"))
        for problem in self._settings.problems():
            host.log_warning(problem)

    def _on_change(self, change: Change) -> None:
        if change.kind == "started":
            self._supervisor = Supervisor(self._children(), host.log_warning)
            self._supervisor.start()
        elif change.kind == "stopped":
            if self._supervisor is not None:
                self._supervisor.stop()
            self._remove_sockets()
        elif change.kind == "stable-series":
            self._hooks.on_stable_series(change.resource)
        elif self._entrance is not None:
            self._entrance.on_new_instance()

    def _remove_sockets(self) -> None:
        """Leave nothing behind: the folder for temporary files is everybody's."""
        try:
            for socket in self._places.sockets.glob("*.sock"):
                socket.unlink(missing_ok=True)
            self._places.sockets.rmdir()
        except OSError as error:
            host.log_warning(f"folder of the sockets could not be removed: {error.strerror}")

    def _open_queue(self) -> JobQueue:
        section = self._configuration.queue
        try:
            self._places.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise QueueError(error.strerror) from error
        return JobQueue(
            self._places.queue_file, Retry(section.maximum_attempts, section.backoff_seconds)
        )

    def _children(self) -> list[ChildSpecification]:
        greeting = self._handover().model_dump_json(by_alias=False)
        phi = partial(
            ChildSpecification,
            greeting=greeting,
            search_path=str(self._root),
            variables=self._site_key().variables,
        )
        # Somebody waits for what the web process answers: it has Orthanc's own priority.
        children = [phi("web", [self._python, "-m", "plugin.web"])]
        for slot in range(self._configuration.workers.count):
            name = f"worker-{slot}"
            command = [self._python, "-m", "plugin.worker", name]
            children.append(phi(name, command, **self._background()))
        if self._has_doors():
            children.append(phi("doors", [self._python, "-m", "plugin.doors"]))
        if self._configuration.anatomy.collecting.window:
            command = [self._python, "-m", "plugin.collecting"]
            children.append(phi("collecting", command, **self._background()))
        if self._entrance is not None or self._passing is not None:
            # A sender waits for what it answers: it has Orthanc's own priority.
            children.insert(0, phi("arrival", [self._python, "-m", "plugin.arrival"]))
        if not self._configuration.inference.url:
            # First: loading torch takes longest.
            children.insert(0, self._inference())
        return children

    def _guard_arrivals(self, entrance: Entrance) -> None:
        entrance.register()
        if self._whole.get("SaveJobs", True):
            host.log_warning(
                "arrival mode: histories of jobs keep what users type; set SaveJobs to false"
            )

    def _arrival_entrance(self) -> Entrance | None:
        section = self._configuration.arrival
        if section.mode == "off":
            return None
        door = ArrivalDoor(
            self._places.arrival_socket,
            self._arrival_token,
            section.timeout_seconds,
            section.maximum_megabytes,
        )
        try:
            return Entrance.of(door, section.guard_storage, self._whole)
        except UnguardedError as error:
            raise StartError(f"Arrival.GuardStorage is required: {error}") from None

    def _header_door(self) -> HeaderDoor:
        return HeaderDoor(
            self._places.arrival_socket,
            self._arrival_token,
            self._configuration.standardization.arrival_seconds,
            self._configuration.arrival.maximum_megabytes,
        )

    def _has_doors(self) -> bool:
        """Whether anything is sent or fetched by itself."""
        configuration = self._configuration
        table = read_applications(configuration.applications.table)
        copies = read_copies(configuration.copies.table)
        return bool(destinations(configuration.doors) or table.needs_a_process or copies.rules)

    def _inference(self) -> ChildSpecification:
        section = self._configuration.inference
        command = [self._python, "-m", "inference.service", "--socket"]
        command += [self._places.inference_socket, "--lifeline", "stdin"]
        # Threads of one forward pass wait for each other in a busy loop: with one per core they
        # take the cores from Orthanc. Measured on two cores: C-STORE 216/s with two, 245 with one.
        threads = section.threads or max(1, (os.cpu_count() or 1) // 2)
        command += ["--device", section.device, "--threads", str(threads)]
        for folder in (str(self._root / "inference" / "models"), *section.model_directories):
            command += ["--models", folder]
        for name, digests in section.pinned_digests.items():
            for digest in digests.split():
                command += ["--pin", f"{name}={digest}"]
        for key in section.trusted_keys:
            command += ["--trusted-key", key]
        if section.require_signature:
            command.append("--require-signature")
        command += ["--state", str(self._places.data / "models")]
        return ChildSpecification(
            "inference", command, search_path=str(self._root), **self._background()
        )

    def _background(self) -> dict[str, Any]:
        section = self._configuration.workers
        return {"nice": section.nice, "idle": section.scheduling == "idle"}

    def _handover(self) -> Handover:
        scheme = "https" if self._whole.get("SslEnabled") else "http"
        port = int(self._whole.get("HttpPort", 8042))
        return Handover(
            orthanc_url=f"{scheme}://127.0.0.1:{port}",
            authorization=host.authorization_token(),
            queue_file=str(self._places.queue_file),
            key_file=str(self._site_key().file),
            inference_url=self._configuration.inference.url
            or f"unix:{self._places.inference_socket}",
            web_socket=self._places.web_socket,
            stable_age=float(self._whole.get("StableAge", 60)),
            find_limit=int(self._whole.get("LimitFindResults", 0)),
            user_metadata=self._whole.get("UserMetadata") or {},
            dicomweb_root=str((self._whole.get("DicomWeb") or {}).get("Root", "/dicom-web/")),
            configuration=self._configuration,
            arrival_socket=self._places.arrival_socket if self._entrance else "",
            standardization_socket=self._places.arrival_socket if self._passing else "",
            arrival_token=self._arrival_token.hex() if self._entrance or self._passing else "",
        )

    def _site_key(self) -> SiteKey:
        return SiteKey.of(self._configuration.deidentification.key_file, self._places.data)

    def _status(self) -> dict[str, object]:
        problems = self._problems()
        try:
            queue = self._queue_status()
        except QueueError as error:
            problems.append(f"the queue can't be read: {error}")
            queue = {"writable": False, "missed": self._hooks.missed}
        problems += _of_dead_letters(queue)
        processes = self._supervisor.status() if self._supervisor else []
        status: dict[str, object] = {
            "status": "degraded" if problems else "ok",
            "version": __version__,
            "problems": problems,
            "processes": processes,
            "queue": queue,
        }
        if self._entrance is not None:
            status["arrival"] = self._entrance.status()
        if self._passing is not None:
            status["standardization"] = self._passing.status()
        return status

    def _problems(self) -> list[str]:
        problems = [problem for problem in (self._hooks.probe(),) if problem]
        problems += self._settings.problems()
        problems += self._supervisor.problems() if self._supervisor else []
        problems += self._entrance.problems() if self._entrance is not None else []
        if problem := self._site_key().problem():
            problems.append(f"nothing is de-identified: {problem}")
        if problem := self._configuration.anatomy.problem:
            problems.append(problem)
        return problems + damage.problems(self._places.data)

    def _queue_status(self) -> dict[str, object]:
        counts: dict[str, object] = {
            "writable": not self._hooks.error,
            "missed": self._hooks.missed,
        }
        if self._hooks.queue is not None and not self._hooks.error:
            counts.update(self._hooks.queue.statistics())
            counts["dead_letters"] = self._hooks.queue.dead_letters(limit=10)
        return counts


def _of_dead_letters(queue: Mapping[str, Any]) -> list[str]:
    """A problem for as long as the latest of the scans that were given up is fresh."""
    latest = next(iter(queue.get("dead_letters", ())), None)
    if latest is None or latest["finished"] < time.time() - DEAD_LETTER_SECONDS:
        return []
    said = f"scans that were given up: {queue['dead']}; the latest: {latest['reason']}"
    return [f"{said} (queue.dead_letters; mend the cause and ask for their studies again)"]


def _places(whole: Mapping[str, Any], configuration: Configuration) -> Places:
    data = configuration.data_directory
    if not data:
        index = str(whole.get("IndexDirectory") or whole.get("StorageDirectory", "OrthancStorage"))
        data = str(Path(index) / "sidelight")
    # Orthanc reads relative paths from the folder of its configuration.
    absolute = (host.configuration_folder() / data).resolve()
    return Places(absolute, _socket_folder(absolute))


def _socket_folder(data: Path) -> Path:
    # The path of a Unix socket has at most 107 bytes, so it can't lie in any data directory.
    name = hashlib.sha256(str(data).encode()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"sidelight-{os.getuid()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise StartError(f"the folder {folder} belongs to somebody else; remove it")
    return folder
