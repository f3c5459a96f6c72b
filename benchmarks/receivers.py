# SPDX-License-Identifier: Apache-2.0
"""Receivers on loopback for tests and benchmarks: an MLLP listener, and an HTTP server.

They use real sockets and keep what they got; what they answer can be set at any time.
"""

from __future__ import annotations

import re
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

START, END = b"\x0b", b"\x1c\r"


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until ``condition`` holds; ``TimeoutError`` if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("waited too long")
        time.sleep(0.02)


class _Server:
    """A server that runs in a thread while it is used as a context."""

    server: socketserver.BaseServer

    @property
    def port(self) -> int:
        """The port on loopback."""
        return int(self.server.server_address[1])

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.server.shutdown()
        self.server.server_close()


class _Listening(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class MllpListener(_Server):
    """Acknowledges HL7 messages.

    ``answers`` holds acknowledgement codes for the next messages, after that it is ``AA``; None
    closes the connection without an answer. ``more`` is appended to each acknowledgement.
    """

    def __init__(self, port: int = 0, context: ssl.SSLContext | None = None) -> None:
        self.messages: list[bytes] = []
        self.answers: list[str | None] = []
        self.more = ""
        self.context = context
        self.server = _Listening(("127.0.0.1", port), self._handler())

    def _handler(self) -> type[socketserver.BaseRequestHandler]:
        listener = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                connection: socket.socket = self.request
                try:
                    if listener.context is not None:
                        connection = listener.context.wrap_socket(connection, server_side=True)
                    listener.talk(connection)
                except OSError:
                    return  # the sender is gone, or trusts no such certificate

        return Handler

    def talk(self, connection: socket.socket) -> None:
        """Take one message and answer it."""
        received = b""
        while END not in received:
            chunk = connection.recv(65536)
            if not chunk:
                return
            received += chunk
        message = received.partition(END)[0].partition(START)[2]
        self.messages.append(message)
        code = self.answers.pop(0) if self.answers else "AA"
        if code is not None:
            connection.sendall(START + self._acknowledgement(message, code) + END)
        connection.close()

    def _acknowledgement(self, message: bytes, code: str) -> bytes:
        control_id = message.split(b"\r", 1)[0].split(b"|")[9].decode("ascii")
        text = f"MSH|^~\\&|RIS||SIDELIGHT||20261103||ACK^R01^ACK|A{control_id}|P|2.5.1\r"
        return (text + f"MSA|{code}|{control_id}\r{self.more}").encode()


@dataclass
class Posted:
    """One request that an HTTP receiver got."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class _Kept:
    posted: list[Posted] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)


class HttpReceiver(_Server):
    """Takes POST requests.

    ``answers`` holds statuses for the next requests, after that it is ``usual``.
    """

    usual = 204

    def __init__(self, port: int = 0) -> None:
        self._kept = _Kept()
        self.server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())

    @property
    def posted(self) -> list[Posted]:
        """All requests so far."""
        return self._kept.posted

    @property
    def answers(self) -> list[int]:
        """Statuses of the next answers."""
        return self._kept.answers

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def status(self, _posted: Posted) -> int:
        """What a request is answered with when ``answers`` says nothing."""
        return self.usual

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", "0"))
                headers = {name.lower(): value for name, value in self.headers.items()}
                posted = Posted(self.path, headers, self.rfile.read(length))
                receiver.posted.append(posted)
                answers = receiver.answers
                self.send_response(answers.pop(0) if answers else receiver.status(posted))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                """Nothing is printed."""

        return Handler


class WorkitemServer(HttpReceiver):
    """Creates UPS-RS workitems (PS3.18 section 11.4): 201, and 409 for one that is there."""

    _ADDRESS = re.compile(r"/dicom-web/workitems\?workitem=([0-9.]{1,64})")

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.workitems: dict[str, bytes] = {}

    @property
    def base(self) -> str:
        """The address before ``/workitems``."""
        return f"{self.url}/dicom-web"

    def status(self, posted: Posted) -> int:
        """As the standard says."""
        found = self._ADDRESS.fullmatch(posted.path)
        if not found or posted.headers.get("content-type") != "application/dicom+json":
            return 400
        if found.group(1) in self.workitems:
            return 409
        self.workitems[found.group(1)] = posted.body
        return 201
