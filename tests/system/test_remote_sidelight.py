# SPDX-License-Identifier: AGPL-3.0-or-later
"""An application of the table that is another Sidelight: its bundle answers over TLS, for us."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from benchmarks.receivers import wait_for
from inference.client import InferenceClient, InferenceError
from plugin.demo.server import OrthancServer, free_port
from tests.plugin.doors import certificates
from tests.system.pacs import ROOT, finished, store
from tests.system.test_main_line import fresh

PATIENT = {"PatientID": "REMOTE-4711", "PatientName": "Remote^Rosa"}
WORD = "the-word-between-both-sites"

TABLE = """
[[application]]
name = "far-away"
scan = {{ modalities = ["DX"], regions = ["chest"], views = ["PA"] }}
destination = {{ kind = "sidelight", bundle = "chest-phantom", url = "{url}", \
token_file = "{token}", certificate_authority = "{authority}", timeout_seconds = 60 }}
"""


class Terminator:
    """Ends TLS before a service, as a proxy does, and keeps what the other site sent."""

    def __init__(self, context: ssl.SSLContext, behind: int) -> None:
        self.port, self._behind = free_port(), behind
        self.seen = bytearray()
        self._context = context
        self._listening: socket.socket | None = None
        self._open: list[socket.socket] = []

    def start(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def stop(self) -> None:
        """Away: nobody is let in, and who was in is out."""
        for one in [self._listening, *self._open]:
            if one is not None:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
        self._open.clear()

    def _accept(self, listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                plain, _ = listening.accept()
                threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with suppress(OSError):
            near = self._context.wrap_socket(plain, server_side=True)
            far = socket.create_connection(("127.0.0.1", self._behind))
            self._open += [near, far]
            threading.Thread(target=self._carry, args=(far, near), daemon=True).start()
            with near, far:
                self._carry(near, far, keep=True)

    def _carry(self, source: socket.socket, target: socket.socket, keep: bool = False) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if keep:
                    self.seen += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@contextmanager
def service(folder: Path, token: Path) -> Iterator[int]:
    """A centre's inference service; its port."""
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "inference.service", "--port", str(port), "--token-file", str(token),
         "--models", str(ROOT / "inference/models"), "--state", str(folder / "state"),
         "--device", "cpu", "--threads", "1", "--lifeline", "stdin"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT,
    ) as process:  # fmt: skip
        try:
            yield port
        finally:
            process.terminate()


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[tuple[Terminator, Path, Path]]:
    """A ready centre behind TLS, the file with its token, and who vouches for it."""
    token = tmp_path / "token"
    token.write_text(f"{WORD}\n", encoding="utf-8")
    made = certificates.make(tmp_path)
    with service(tmp_path, token) as port:
        terminator = Terminator(made.server(), port)
        terminator.start()
        url = f"https://127.0.0.1:{terminator.port}"
        client = InferenceClient(url, timeout=30.0, token=WORD, ca=made.authority)
        wait_for(lambda: is_ready(client), 120.0)
        terminator.seen.clear()
        yield terminator, token, made.authority
        terminator.stop()


def is_ready(client: InferenceClient) -> bool:
    try:
        return client.health().status == "ok"
    except InferenceError:
        return False


def test_a_bundle_of_another_sidelight_analyses_our_scans_de_identified_and_is_waited_for(
    routed: Callable[[str], OrthancServer],
    centre: tuple[Terminator, Path, Path],
    phantoms: list[Path],
) -> None:
    terminator, token, authority = centre
    url = f"https://127.0.0.1:{terminator.port}"
    server = routed(TABLE.format(url=url, token=token, authority=authority))
    server.start()
    server.wait_ready(200.0)
    study = store(server, fresh(phantoms[0], **PATIENT))["ParentStudy"]
    (scan,) = finished(server, study, seconds=120)["scans"]
    assert scan["status"] in ("findings", "no-findings")
    assert b"POST /v1/analyses/chest-phantom" in terminator.seen
    assert f"Bearer {WORD}".encode() in terminator.seen
    assert not any(value.encode() in terminator.seen for value in PATIENT.values())
    report = next(item for item in scan["objects"] if item["kind"] == "SR")
    assert server.client.get(f"/instances/{report['instance']}").json()["ParentSeries"]

    # A view that the table leaves out goes to nobody, though the bundle takes it.
    supine = {"ViewPosition": "AP", "SeriesDescription": "AP", "ViewCodeSequence": []}
    other = store(server, fresh(phantoms[1], **supine, **PATIENT))["ParentStudy"]
    (left,) = finished(server, other, seconds=120)["scans"]
    assert left["status"] == "no-application"
    (told,) = server.client.get(f"/studies/{other}/sidelight/plan").json()["scans"]
    (bundle,) = told["applications"]
    (rule,) = bundle["table_rules"]
    assert [c["condition"] for c in rule["checks"] if not c["holds"]] == ["view"]

    # While the centre is away its scans wait, and are not answered by the own service.
    terminator.stop()
    waiting = store(server, fresh(phantoms[2], **PATIENT))["ParentStudy"]
    wait_for(lambda: "can't be reached" in log(server) or "not reachable" in log(server), 60.0)
    assert server.client.get(f"/studies/{waiting}/sidelight").status_code == 202
    terminator.start()
    (scan,) = finished(server, waiting, seconds=120)["scans"]
    assert scan["status"] in ("findings", "no-findings")
    assert not any(value in log(server) for value in (*PATIENT.values(), WORD))


def log(server: OrthancServer) -> str:
    return server.log.read_text(encoding="utf-8", errors="replace")
