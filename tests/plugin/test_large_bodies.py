# SPDX-License-Identifier: AGPL-3.0-or-later
"""Large files leave in pieces: in one buffer, what is left of it is copied after each piece."""

from __future__ import annotations

import hashlib
import importlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from inference.client import InferenceClient, InferenceError
from plugin.archive import Archive, ArchiveUnavailableError, NotFoundError
from plugin.chunks import CHUNK_BYTES, Chunks
from plugin.doors.errors import RefusedError
from plugin.doors.posting import Receiver, post
from plugin.doors.stow import stow
from plugin.routing.exchange import Exchange

LARGE = bytes(range(256)) * 40_000
"""Ten megabytes, and no whole number of pieces."""


class Received(BaseHTTPRequestHandler):
    """Keeps what came, and answers that it is stored."""

    bodies: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        length = self.headers["Content-Length"]
        assert self.headers["Transfer-Encoding"] is None
        self.bodies.append((self.path, self.rfile.read(int(length))))
        answer = b'{"ID": "a", "Status": "Success", "ParentStudy": "", "Path": ""}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self) -> None:
        missing = "missing" in self.path
        self.send_response(404 if missing else 200)
        self.send_header("Content-Length", str(0 if missing else len(LARGE)))
        self.end_headers()
        if missing:
            return
        # Cut off in the middle, where the test wants that.
        self.wfile.write(LARGE[: len(LARGE) // 2] if "cut" in self.path else LARGE)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    bodies: list[tuple[str, bytes]] = []
    handler = type("Handler", (Received,), {"bodies": bodies})
    made = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{made.server_address[1]}", bodies
    made.shutdown()
    made.server_close()


@pytest.fixture
def largest_write(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The largest buffer that the HTTP client was asked to write."""
    largest = [0]
    streams = importlib.import_module("httpcore._backends.sync").SyncStream
    write = streams.write

    def watched(stream: Any, buffer: bytes, timeout: float | None = None) -> None:
        largest[0] = max(largest[0], len(buffer))
        write(stream, buffer, timeout)

    monkeypatch.setattr(streams, "write", watched)
    return largest


def stowed(url: str) -> None:
    with pytest.raises(RefusedError):  # this server names nothing as stored
        stow(Receiver(url, 10.0), {"1.2": LARGE, "1.3": LARGE}, {})


def analysed(url: str) -> None:
    with pytest.raises(InferenceError):  # nor has it analysed anything
        InferenceClient(url).analyse("m", [LARGE])


@pytest.mark.parametrize(
    "send",
    [
        lambda url: Archive(url, "").post_instance(LARGE),
        lambda url: Exchange(url, "").send_file("node", LARGE),
        lambda url: Exchange(url, "").send_file_to_peer("node", LARGE),
        lambda url: post(Receiver(url, 10.0), LARGE, {}),
        stowed,
        analysed,
    ],
)
def test_a_large_file_is_written_in_pieces_and_arrives_whole(
    server: tuple[str, list[tuple[str, bytes]]],
    largest_write: list[int],
    send: Callable[[str], object],
) -> None:
    url, bodies = server
    send(url)
    ((_, body),) = bodies
    assert LARGE in body
    assert 0 < largest_write[0] <= CHUNK_BYTES


def test_pieces_are_the_parts_in_order_as_often_as_they_are_asked_for() -> None:
    pieces = Chunks([b"head", LARGE, b"", b"tail"])
    whole = hashlib.sha256(b"head" + LARGE + b"tail").hexdigest()
    for _ in range(2):
        assert hashlib.sha256(b"".join(pieces)).hexdigest() == whole
    assert pieces.headers == {"Content-Length": str(len(LARGE) + 8)}


def test_a_large_file_arrives_in_pieces(server: tuple[str, list[tuple[str, bytes]]]) -> None:
    with Archive(server[0], "").file_pieces("i1") as (length, pieces):
        received = list(pieces)
    assert length == len(LARGE)
    assert b"".join(received) == LARGE
    assert max(map(len, received)) <= CHUNK_BYTES


@pytest.mark.parametrize(
    ("instance", "error"), [("missing", NotFoundError), ("cut", ArchiveUnavailableError)]
)
def test_a_file_that_is_gone_or_cut_off_is_an_error(
    server: tuple[str, list[tuple[str, bytes]]], instance: str, error: type[Exception]
) -> None:
    archive = Archive(server[0], "")
    with pytest.raises(error), archive.file_pieces(instance) as (_, pieces):
        list(pieces)
