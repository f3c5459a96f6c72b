# SPDX-License-Identifier: AGPL-3.0-or-later
"""The thin side of the routes: table, forwarding, limits."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from plugin import routes
from plugin.events import Request
from plugin.routes import ROUTES, Route, Switchboard, forward, pattern

WAITING = 3
IDENTIFIER = "f689ddd2-662f8fe1-8b18180d-ec2a2cee-937917af"


def request(path: str, method: str = "GET", **parts: object) -> Request:
    return Request(method, path, {}, {}, b"")._replace(**parts)  # type: ignore[arg-type]


class OneAnswer:
    """A server on a Unix socket that answers every request the same, after ``hold`` is set."""

    def __init__(self, path: str, answer: bytes) -> None:
        self.path, self.answer = path, answer
        self.received: list[bytes] = []
        self.hold = threading.Event()
        self.hold.set()
        self.server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.server.bind(path)
        self.server.listen(64)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            self.received.append(connection.recv(65536))
            self.hold.wait(10)
            with suppress(BrokenPipeError):  # nobody waits for it any more
                connection.sendall(self.answer)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[OneAnswer]:
    body = b'{"a": 1}'
    head = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nRetry-After: 2\r\n"
    server = OneAnswer(
        str(tmp_path / "s"), head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    yield server
    server.server.close()


def test_every_route_matches_its_own_addresses_only() -> None:
    patterns = {route.path: re.compile(pattern(route) + r"\Z") for route in ROUTES}
    heat_map = f"/instances/{IDENTIFIER}/sidelight/heatmaps/nodule"
    assert [p for p, regex in patterns.items() if regex.match(heat_map)] == [
        "/instances/{id}/sidelight/heatmaps/{finding}"
    ]
    assert patterns["/sidelight/ui/{path:path}"].match("/sidelight/ui/app.js")
    assert not patterns["/sidelight/openapi.json"].match("/sidelight/openapi-json")


def test_a_request_is_forwarded_with_query_and_accept(web: OneAnswer) -> None:
    asked = request(
        f"/studies/{IDENTIFIER}/sidelight",
        query={"a b": "c&d"},
        headers={"accept": "x/y", "authorization": "secret", "origin": "http://evil.example"},
    )
    answer = forward(web.path, asked)
    assert (answer.status, json.loads(answer.body)) == (202, {"a": 1})
    assert answer.headers["Retry-After"] == "2"
    (received,) = web.received
    assert received.startswith(f"GET /studies/{IDENTIFIER}/sidelight?a+b=c%26d HTTP/1.1".encode())
    assert b"accept: x/y" in received
    assert b"origin: http://evil.example" in received
    assert b"secret" not in received


def test_while_the_web_process_is_away_the_answer_is_503_with_retry(tmp_path: Path) -> None:
    answer = forward(str(tmp_path / "absent"), request("/sidelight/models"))
    assert answer.status == 503
    assert json.loads(answer.body)["code"] == "starting"
    assert answer.headers["Retry-After"] == "1"


def test_an_answer_that_takes_too_long_is_504_and_does_not_ask_to_try_again(
    web: OneAnswer,
) -> None:
    web.hold.clear()
    answer = forward(web.path, request("/sidelight/models"), seconds=0.2)
    web.hold.set()
    assert answer.status == 504
    assert json.loads(answer.body)["code"] == "too-slow"
    assert "Retry-After" not in answer.headers


def test_a_wrong_method_names_the_right_ones(tmp_path: Path) -> None:
    board = Switchboard(str(tmp_path / "absent"), dict)
    route = Route("/studies/{id}/sidelight/analyse", ("POST",))
    answer = board.answer(route, request("/studies/x/sidelight/analyse"))
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


def test_waiting_requests_never_take_all_of_orthancs_threads(web: OneAnswer) -> None:
    web.hold.clear()
    board = Switchboard(web.path, dict, waiting=WAITING)
    route = Route("/sidelight/models")
    answers: list[int] = []

    def ask() -> None:
        answers.append(board.answer(route, request("/sidelight/models")).status)

    threads = [threading.Thread(target=ask) for _ in range(WAITING)]
    for thread in threads:
        thread.start()
    while len(web.received) < WAITING:
        threading.Event().wait(0.01)
    assert board.answer(route, request("/sidelight/models")).status == 503
    web.hold.set()
    for thread in threads:
        thread.join()
    assert answers == [202] * WAITING


def test_the_status_answers_when_nothing_else_does(tmp_path: Path) -> None:
    board = Switchboard(str(tmp_path / "absent"), lambda: {"status": "degraded"})
    answer = board.answer(Route("/sidelight/status"), request("/sidelight/status"))
    assert answer.status == 200
    assert json.loads(answer.body) == {"status": "degraded", "service": None}


def test_problems_of_the_models_make_the_whole_status_degraded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(routes, "web_status", lambda _: {"problems": ["model x is not served"]})
    board = Switchboard("", lambda: {"status": "ok", "problems": ["a"]})
    said = json.loads(board.answer(Route("/sidelight/status"), request("/sidelight/status")).body)
    assert said["status"] == "degraded"
    assert said["problems"] == ["a", "model x is not served"]


def test_a_body_that_is_too_large_is_refused_unforwarded(web: OneAnswer) -> None:
    board = Switchboard(web.path, dict)
    route = Route("/studies/{id}/sidelight/analyse", ("POST",))
    asked = request("/studies/x/sidelight/analyse", "POST", body=b"x" * 100_000)
    assert board.answer(route, asked).status == 413
    assert web.received == []
