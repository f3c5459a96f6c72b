# SPDX-License-Identifier: AGPL-3.0-or-later
"""The routes that Orthanc serves for Sidelight.

Orthanc authenticates and authorizes each request as it does its own. Every route but the status is
answered by the web process (``plugin/web``), reached over a Unix socket; the status is put together
here, because it must answer when nothing else does.

Waiting on the socket lets go of Python's global lock, and no ``orthanc.*`` call is made on the way,
so a slow answer never delays a hook. The web process in turn asks Orthanc over HTTP: so that it
always finds a free thread there, only some of Orthanc's threads may wait here at the same time.
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import quote, urlencode

from plugin.caller import Caller
from plugin.events import Answer, Request
from plugin.orthanc_settings import MOST_WAITING

MAXIMUM_BODY = 64 * 1024
ANSWER_SECONDS = 60.0

USER_HEADER = "x-sidelight-user"
"""Tells the web process who asks. Not among the forwarded ones: nobody else can set it."""

_FORWARDED_HEADERS = ("accept", "if-none-match", "content-type", "origin", "sec-fetch-site")


class Route(NamedTuple):
    """One line of the table: the path as documented, and its methods."""

    path: str
    methods: tuple[str, ...] = ("GET",)


ROUTES = (
    Route("/sidelight/status"),
    Route("/sidelight/models"),
    Route("/sidelight/studies"),
    Route("/sidelight/worklist"),
    Route("/sidelight/plan"),
    Route("/sidelight/quarantine"),
    Route("/sidelight/openapi.json"),
    Route("/sidelight/ui"),
    Route("/sidelight/ui/{path:path}"),
    Route("/sidelight/results"),
    Route("/sidelight/deliveries"),
    Route("/sidelight/deliveries/{delivery}/retry", ("POST",)),
    Route("/sidelight/pulls"),
    Route("/sidelight/copies/backfill", ("GET", "POST")),
    Route("/sidelight/copies/backfill/stop", ("POST",)),
    Route("/studies/{id}/sidelight"),
    Route("/studies/{id}/sidelight/results"),
    Route("/sidelight/hangings"),
    Route("/sidelight/hangings/ohif"),
    Route("/sidelight/hangings/{name}/dicom"),
    Route("/studies/{id}/sidelight/hanging"),
    Route("/studies/{id}/sidelight/hanging/ohif"),
    Route("/studies/{id}/sidelight/priors"),
    Route("/studies/{id}/sidelight/plan"),
    Route("/studies/{id}/sidelight/analyse", ("POST",)),
    Route("/series/{id}/sidelight/anatomy", ("GET", "POST")),
    Route("/sidelight/series"),
    Route("/instances/{id}/sidelight/probabilities"),
    Route("/instances/{id}/sidelight/heatmaps"),
    Route("/instances/{id}/sidelight/heatmaps/{finding}"),
    Route("/instances/{id}/sidelight/heatmaps/{finding}/matrix"),
    Route("/instances/{id}/sidelight/composite"),
    Route("/instances/{id}/sidelight/regions"),
    Route("/instances/{id}/sidelight/display"),
    Route("/instances/{id}/sidelight/masks/{region}"),
    Route("/instances/{id}/sidelight/reviews", ("GET", "POST")),
    Route("/sidelight/reviews"),
    Route("/sidelight/remediations", ("GET", "POST")),
    Route("/sidelight/deid/reviews"),
    Route("/sidelight/deid/reviews/{item}", ("GET", "POST")),
    Route("/sidelight/deid/reviews/{item}/original"),
    Route("/sidelight/deid/reviews/{item}/result"),
    Route("/sidelight/deid/audit"),
    Route("/sidelight/deid/terms"),
    Route("/sidelight/deid/terms/{term}", ("POST",)),
    Route("/sidelight/versions"),
    Route("/sidelight/versions/{model}", ("POST",)),
    Route("/sidelight/versions/{model}/{version}/comparison"),
)


def pattern(route: Route) -> str:
    """The regular expression that Orthanc matches against the whole path."""
    parts = []
    for part in route.path.split("/"):
        if part.endswith(":path}"):
            parts.append("(.*)")
        elif part.startswith("{"):
            parts.append("([^/]+)")
        else:
            parts.append(part.replace(".", r"\."))
    return "/".join(parts)


@dataclass
class Switchboard:
    """Answers every route: the status itself, all others through the web process's socket.

    ``waiting`` is how many requests may wait for it at the same time.
    """

    web_socket: str
    status: Callable[[], dict[str, object]]
    caller: Caller = field(default_factory=lambda: Caller(authenticated=False))
    waiting: int = MOST_WAITING

    def __post_init__(self) -> None:
        self._waiting = threading.BoundedSemaphore(self.waiting)

    def answer(self, route: Route, request: Request) -> Answer:
        """Answer one request."""
        if request.method not in route.methods:
            return error(405, "method-not-allowed", f"use {', '.join(route.methods)}", route)
        if route.path == "/sidelight/status":
            return self._status(request)
        if len(request.body) > MAXIMUM_BODY:
            return error(413, "body-too-large", f"at most {MAXIMUM_BODY} bytes")
        if not self._waiting.acquire(blocking=False):
            return error(503, "busy", "too many requests at once, try again")
        try:
            return forward(self.web_socket, request, user=self.caller.of(request.headers))
        finally:
            self._waiting.release()

    def _status(self, request: Request) -> Answer:
        for name in request.query:
            return error(400, "unknown-parameter", f"there is no parameter {name[:40]!a}")
        report = self.status()
        report["service"] = service = web_status(self.web_socket)
        found = service.get("problems") if service else None
        if isinstance(found, list) and found:
            known = report.get("problems")
            report["problems"] = [*(known if isinstance(known, list) else []), *found]
            report["status"] = "degraded"
        body = json.dumps(report).encode("ascii")
        return Answer(200, {"Content-Type": "application/json", "Cache-Control": "no-store"}, body)


def error(status: int, code: str, message: str, route: Route | None = None) -> Answer:
    """A JSON error with a stable code."""
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    if status == 405 and route is not None:
        headers["Allow"] = ", ".join(route.methods)
    if status == 503:
        headers["Retry-After"] = "1"
    body = json.dumps({"code": code, "message": message}).encode("ascii")
    return Answer(status, headers, body)


def web_status(web_socket: str) -> dict[str, object] | None:
    """What the web process says of itself and of inference; None while it can't be reached."""
    asked = Request("GET", "/sidelight/status", {}, {}, b"")
    answer = forward(web_socket, asked, seconds=3.0)
    if answer.status != 200:
        return None
    read: dict[str, object] = json.loads(answer.body)
    return read


def forward(
    web_socket: str, request: Request, seconds: float = ANSWER_SECONDS, user: str = ""
) -> Answer:
    """Ask the web process; of the credentials only the name goes on.

    503 while it is not there, 504 where its answer takes longer than ``seconds``.
    """
    connection = _UnixConnection(web_socket, timeout=seconds)
    target = quote(request.path)
    if request.query:
        target += "?" + urlencode(request.query)
    headers = {
        name: request.headers[name] for name in _FORWARDED_HEADERS if name in request.headers
    }
    if user:
        headers[USER_HEADER] = user
    try:
        connection.request(request.method, target, body=request.body or None, headers=headers)
        response = connection.getresponse()
        body = response.read()
        return Answer(response.status, _end_to_end(response.getheaders()), body)
    except TimeoutError:
        # No Retry-After: what was asked goes on there, and asking again would double it.
        return error(504, "too-slow", f"no answer within {seconds:.0f} seconds; ask for less")
    except (OSError, http.client.HTTPException):
        return error(503, "starting", "Sidelight's web process is not ready, try again")
    finally:
        connection.close()


def _end_to_end(headers: list[tuple[str, str]]) -> dict[str, str]:
    dropped = {"connection", "content-length", "date", "server", "transfer-encoding"}
    return {name: value for name, value in headers if name.lower() not in dropped}


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("sidelight", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket instead of to a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
