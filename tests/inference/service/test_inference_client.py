# SPDX-License-Identifier: Apache-2.0
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from inference.client import (
    InferenceClient,
    InferenceRefusedError,
    InferenceTimeoutError,
    InferenceUnavailableError,
)
from inference.contract import Health


@contextmanager
def answering(status: int, body: bytes, **headers: str) -> Iterator[tuple[str, list[str]]]:
    """A server that always answers the same; yields its address and the tokens it was sent."""
    tokens: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            tokens.append(self.headers.get("Authorization", ""))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", tokens
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def ask(address: str, timeout: float = 20.0) -> Health:
    with InferenceClient(address, timeout) as client:
        return client.health()


def test_a_service_that_is_not_there_is_unavailable(tmp_path):
    with pytest.raises(InferenceUnavailableError):
        ask(f"unix:{tmp_path / 'none'}")


def test_a_service_that_does_not_answer_is_a_timeout_which_may_be_retried(tmp_path):
    import socket

    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "s"))
        silent.listen()
        with pytest.raises(InferenceTimeoutError):
            ask(f"unix:{tmp_path / 's'}", timeout=0.2)
    assert issubclass(InferenceTimeoutError, InferenceUnavailableError)


@pytest.mark.parametrize(
    ("status", "body"),
    [(503, b'{"code": "busy", "message": "wait"}'), (502, b"<html>"), (429, b""), (408, b"")],
)
def test_conditions_that_pass_are_unavailable_with_the_time_to_wait(status, body):
    with (
        answering(status, body, Retry_After="7") as (address, _),
        pytest.raises(InferenceUnavailableError) as error,
    ):
        ask(address)
    assert error.value.retry_after == 7.0


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (422, b'{"code": "not-deidentified", "message": "x"}', "not-deidentified"),
        (404, b"nginx", "http-404"),
        (302, b"", "contract-mismatch"),
        (200, b'{"status": "fine"}', "contract-mismatch"),
        (200, b"not json", "contract-mismatch"),
    ],
)
def test_other_failures_are_refusals_with_a_code(status, body, code):
    with answering(status, body) as (address, _), pytest.raises(InferenceRefusedError) as error:
        ask(address)
    assert error.value.code == code
    assert body.decode() not in str(error.value) or not body


def test_an_answer_without_end_is_cut_off(monkeypatch):
    monkeypatch.setattr("inference.client._LARGEST_ANSWER", 1000)
    with answering(200, b"x" * 5000) as (address, _), pytest.raises(InferenceRefusedError) as error:
        ask(address)
    assert error.value.code == "answer-too-large"


def test_proxies_and_credentials_of_the_environment_are_not_used(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    health = b'{"status": "ok", "device": "cpu", "models": []}'
    with answering(200, health) as (address, tokens):
        assert ask(address).status == "ok"
    assert tokens == [""]


@pytest.mark.parametrize(
    ("base", "options"), [("ftp://x", {}), ("/run/s", {}), ("http://x", {"token": "t"})]
)
def test_an_address_that_cannot_be_asked_safely_is_refused(base, options):
    with pytest.raises(ValueError, match="https"):
        InferenceClient(base, **options)


def test_importing_the_client_loads_neither_torch_nor_pydicom():
    code = (
        "import sys, inference.client; "
        "print(sorted({'torch', 'pydicom', 'starlette', 'uvicorn', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
