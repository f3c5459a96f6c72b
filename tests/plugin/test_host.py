# SPDX-License-Identifier: AGPL-3.0-or-later
"""The two generations of Orthanc's Python plugin, behind one interface."""

from __future__ import annotations

from typing import Any

import pytest

from plugin import host
from plugin.events import Answer, Request


class Output:
    """Records what a route answers; ``arity`` is what SendHttpStatus of that version takes."""

    def __init__(self, arity: int) -> None:
        self.arity = arity
        self.headers: dict[str, str] = {}
        self.answer: tuple[Any, ...] = ()

    def SetHttpHeader(self, name: str, value: str) -> None:  # noqa: N802
        self.headers[name] = value

    def AnswerBuffer(self, body: bytes, mime: str) -> None:  # noqa: N802
        self.answer = (200, body, mime)

    def SendHttpStatusCode(self, status: int) -> None:  # noqa: N802
        self.answer = (status,)

    def SendMethodNotAllowed(self, allowed: str) -> None:  # noqa: N802
        self.answer = (405, allowed)

    def SendHttpStatus(self, *arguments: Any) -> None:  # noqa: N802
        if len(arguments) != self.arity:
            raise TypeError("Bad types for the arguments")
        self.answer = arguments


def serve(orthanc: Any, answer: Answer, output: Output, **request: Any) -> list[Request]:
    asked: list[Request] = []
    routes: dict[str, Any] = {}
    orthanc.RegisterRestCallback = routes.__setitem__

    def handler(received: Request) -> Answer:
        asked.append(received)
        return answer

    host.on_route("/x", handler)
    routes["/x"](output, "/x", method="GET", **request)
    return asked


@pytest.mark.parametrize(("arity", "expected"), [(3, (404, "{}", 2)), (2, (404, "{}"))])
def test_an_error_status_is_sent_as_each_version_wants_it(
    orthanc: Any, arity: int, expected: tuple[Any, ...]
) -> None:
    output = Output(arity)
    serve(orthanc, Answer(404, {"content-type": "application/json"}, b"{}"), output)
    assert output.answer == expected
    assert output.headers["Content-Type"] == "application/json"


def test_a_good_answer_keeps_bytes_and_type(orthanc: Any) -> None:
    output = Output(3)
    serve(orthanc, Answer(200, {"content-type": "image/png", "etag": '"1"'}, b"\x00\x01"), output)
    assert output.answer == (200, b"\x00\x01", "image/png")
    assert output.headers == {"Etag": '"1"'}


def test_an_unchanged_answer_has_no_body(orthanc: Any) -> None:
    output = Output(3)
    serve(orthanc, Answer(304, {}, b""), output)
    assert output.answer == (304,)


def test_a_request_without_query_or_body_is_complete(orthanc: Any) -> None:
    (asked,) = serve(orthanc, Answer(200, {}, b""), Output(3), headers={"Accept": "a/b"})
    assert asked == Request("GET", "/x", {}, {"accept": "a/b"}, b"")


def test_a_query_is_decoded(orthanc: Any) -> None:
    query = {"AccessionNumber": "A%26B%2F1+2%2B3", "region": "upper%20limb", "x": "%C3%84%FF"}
    (asked,) = serve(orthanc, Answer(200, {}, b""), Output(3), get=query)
    assert asked.query == {
        "AccessionNumber": "A&B/1 2+3", "region": "upper limb", "x": "\u00c4\ufffd",
    }  # fmt: skip


def test_a_wrong_method_is_said_as_orthanc_allows_it(orthanc: Any) -> None:
    output = Output(3)
    headers = {"content-type": "application/json", "allow": "GET, POST"}
    serve(orthanc, Answer(405, headers, b"{}"), output)
    assert output.answer == (405, "GET, POST")
    assert output.headers == {}


class Actions:
    KEEP_AS_IS, MODIFY, DISCARD = "keep", "modify", "discard"


def received(orthanc: Any, handler: Any, content: bytes = b"file") -> tuple[str, bytes | None]:
    registered: list[Any] = []
    orthanc.ReceivedInstanceAction = Actions
    orthanc.RegisterReceivedInstanceCallback = registered.append
    host.on_received(handler)
    answer: tuple[str, bytes | None] = registered[0](content, 2)
    return answer


def test_a_received_file_is_replaced_by_what_the_handler_gives(orthanc: Any) -> None:
    assert received(orthanc, lambda _: b"another") == ("modify", b"another")


def test_a_received_file_stays_where_the_handler_gives_it_back(orthanc: Any) -> None:
    assert received(orthanc, lambda content: content) == ("keep", None)


@pytest.mark.parametrize("answer", [None, b""])
def test_a_refused_file_is_replaced_by_what_no_archive_stores(orthanc: Any, answer: Any) -> None:
    # Orthanc stores the original where the replacement is empty.
    assert received(orthanc, lambda _: answer) == ("modify", host.REFUSAL)


@pytest.mark.parametrize("error", [ValueError, MemoryError, KeyboardInterrupt, SystemExit])
def test_no_error_of_a_handler_reaches_orthanc_which_would_store_the_original(
    orthanc: Any, error: type[BaseException]
) -> None:
    def handler(_content: bytes) -> bytes:
        raise error("Doe^Jane")

    lines: list[str] = []
    orthanc.LogError = lines.append
    assert received(orthanc, handler) == ("modify", host.REFUSAL)
    assert len(lines) == 1
    assert "Doe" not in lines[0]


def test_not_even_a_broken_log_does(orthanc: Any) -> None:
    def handler(_content: bytes) -> bytes:
        raise ValueError

    def log(_line: str) -> None:
        raise MemoryError

    orthanc.LogError = log
    assert received(orthanc, handler) == ("modify", host.REFUSAL)
