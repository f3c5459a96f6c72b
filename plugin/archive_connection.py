# SPDX-License-Identifier: AGPL-3.0-or-later
"""One HTTP connection to Orthanc, and what its refusals mean."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import httpx

from plugin.chunks import CHUNK_BYTES, Chunks

ResourceLevel = Literal["patient", "study", "series", "instance"]
FOLDERS = {"patient": "patients", "study": "studies", "series": "series", "instance": "instances"}
"""Orthanc's addresses by level."""
_LONGEST_NAME = 120
_NODELAY = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]


class ArchiveError(RuntimeError):
    """Orthanc answered with an error; ``answer`` is its body, which is not for logs."""

    answer = b""


class NotFoundError(ArchiveError):
    """Orthanc has no such resource (any more)."""


class ArchiveUnavailableError(ArchiveError):
    """Orthanc can't be reached or did not answer in time; worth another try."""


class ConflictError(ArchiveError):
    """Orthanc has another revision of what was to be changed."""


class StoreError(ArchiveError):
    """Orthanc did not keep an object that was sent to it."""


class Connection:
    """Asks one Orthanc; thread-safe."""

    def __init__(self, url: str, authorization: str, seconds: float) -> None:
        self._known_system: dict[str, Any] | None = None
        self._client = httpx.Client(
            base_url=url,
            # Packing images costs Orthanc half a second each, to spare a loopback some bytes.
            headers={"Authorization": authorization, "Accept-Encoding": "identity"},
            timeout=seconds,
            trust_env=False,
            transport=httpx.HTTPTransport(
                # Loopback only: the certificate names the host's public name, not 127.0.0.1.
                verify=False,
                retries=1,
                # Orthanc closes idle connections after one second.
                limits=httpx.Limits(keepalive_expiry=0.5),
                socket_options=_NODELAY,
            ),
        )

    def _system(self) -> dict[str, Any]:
        if self._known_system is None:
            self._known_system = self._get("/system").json()
        return self._known_system

    def _text(self, path: str) -> str | None:
        try:
            return self._get(path).text
        except NotFoundError:
            return None

    def _get(self, path: str, **options: Any) -> httpx.Response:
        return self._request("GET", path, **options)

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        content = options.get("content")
        if isinstance(content, bytes) and len(content) > CHUNK_BYTES:
            pieces = Chunks([content])
            headers = {**(options.get("headers") or {}), **pieces.headers}
            options = {**options, "content": pieces, "headers": headers}
        try:
            response = self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            raise _unreachable(error) from None
        _require_success(response, path)
        return response

    @contextmanager
    def _pieces(self, path: str) -> Iterator[tuple[int, Iterator[bytes]]]:
        """How long a resource is, and its bytes piece by piece; for within.

        Whoever reads the pieces hears of a connection that was cut where it was cut, and as an
        ArchiveUnavailableError: not every reader lets an error pass that it does not know.
        """
        try:
            with self._client.stream("GET", path) as response:
                _require_success(response, path)
                length = int(response.headers.get("Content-Length", 0))
                yield length, _arriving(response, length)
        except httpx.HTTPError as error:
            raise _unreachable(error) from None


def _arriving(response: httpx.Response, length: int) -> Iterator[bytes]:
    """The pieces of an answer that is to be so long."""
    received = 0
    try:
        for piece in response.iter_bytes(CHUNK_BYTES):
            received += len(piece)
            yield piece
    except httpx.HTTPError as error:
        raise _unreachable(error) from None
    if received < length:
        raise ArchiveUnavailableError("Orthanc sent a part of an answer")


def _unreachable(error: httpx.HTTPError) -> ArchiveUnavailableError:
    """The error of a connection, without what was said over it."""
    return ArchiveUnavailableError(f"Orthanc can't be reached ({type(error).__name__})")


def _require_success(response: httpx.Response, path: str) -> None:
    """Take an answer of Orthanc, whose content may still be unread, that is none of its errors."""
    if response.status_code == 404:
        raise NotFoundError("Orthanc has no such resource")
    if response.status_code in (502, 503, 504):
        raise ArchiveUnavailableError(f"Orthanc answers {response.status_code}")
    if response.status_code >= 400:
        answer = response.read()
        place = f"{response.request.method} /{path.split('/')[1]}/…"
        kind = ConflictError if response.status_code == 409 else ArchiveError
        refusal = kind(f"Orthanc answers {response.status_code} to {place}{_said(response)}")
        refusal.answer = answer
        raise refusal


def _said(response: httpx.Response) -> str:
    """Orthanc's name of its error, one of a fixed list; what else it says may quote a value."""
    try:
        name = response.json()["OrthancError"]
    except (ValueError, KeyError, TypeError):
        return ""
    return f": {name[:_LONGEST_NAME]}" if isinstance(name, str) else ""
