# SPDX-License-Identifier: Apache-2.0
"""Asking an inference service, wherever it runs.

Light on purpose: neither torch nor pydicom. Answers come from a zone that is trusted less than the
caller's, so they are bounded in size and validated against :mod:`inference.contract`.
"""

from __future__ import annotations

import json
import ssl
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from inference.contract import (
    AnalysisAnswer,
    AnatomyAnswer,
    ErrorAnswer,
    Health,
    ModelDescription,
    ModelVersions,
    PixelAnatomyAnswer,
    VersionDecision,
)

_Answer = TypeVar("_Answer")

_HEALTH = TypeAdapter(Health)
_MODELS = TypeAdapter(list[ModelDescription])
_VERSIONS = TypeAdapter(list[ModelVersions])
_DECIDED = TypeAdapter(ModelVersions)
_OBJECT = TypeAdapter(dict[str, Any])
_ANATOMY = TypeAdapter(AnatomyAnswer)
_ANATOMIES = TypeAdapter(list[AnatomyAnswer])
_PIXEL_ANATOMY = TypeAdapter(PixelAnatomyAnswer)
_ANALYSIS = TypeAdapter(AnalysisAnswer)
_UNIX = "unix:"
_CONNECT_SECONDS = 5.0
_LARGEST_ANSWER = 256 << 20
_CHUNK_BYTES = 1 << 20
# Conditions that pass: too slow a sender, too many requests, and all that is the server's own.
_PASSING = frozenset((408, 429))


class InferenceError(Exception):
    """Inference gave no answer. Messages hold nothing from a request."""


class InferenceUnavailableError(InferenceError):
    """The service cannot be reached or cannot answer now; a retry may succeed.

    ``retry_after`` is the number of seconds that the service asks to wait, if it does.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class InferenceTimeoutError(InferenceUnavailableError):
    """The service did not answer in time; a retry may succeed."""


class InferenceRefusedError(InferenceError):
    """The service refuses this request and would again. ``code`` is stable, for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class InferenceClient:
    """Asks one service; safe to share between threads, connections are kept.

    :param base: ``unix:/path/to/socket``, ``http://host:port`` or ``https://host:port``.
    :param timeout: seconds without a byte of answer after which to give up.
    :param token: bearer token that a remote service requires.
    :param ca: certificate authorities to trust with https, as a PEM file; the system's if left out.
    :raises ValueError: for another kind of base, or a token that would travel in the clear.
    """

    def __init__(
        self,
        base: str,
        timeout: float = 60.0,
        *,
        token: str | None = None,
        ca: Path | None = None,
    ) -> None:
        transport: httpx.HTTPTransport | None = None
        address = base
        if base.startswith(_UNIX):
            transport = httpx.HTTPTransport(uds=base.removeprefix(_UNIX))
            address = "http://inference"
        elif not base.startswith(("http://", "https://")):
            raise ValueError("an inference service is unix:/path, http://host or https://host")
        elif token and base.startswith("http://"):
            raise ValueError("a token needs https, or everybody on the way reads it")
        self._client = httpx.Client(
            base_url=address,
            transport=transport,
            verify=ssl.create_default_context(cafile=str(ca)) if ca else True,
            timeout=httpx.Timeout(timeout, connect=min(timeout, _CONNECT_SECONDS)),
            headers={"Authorization": f"Bearer {token}"} if token else {},
            # Neither a proxy nor .netrc of the environment may get hold of requests.
            trust_env=False,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def health(self) -> Health:
        """Ask whether the service is ready."""
        return self._ask(_HEALTH, "GET", "/v1/health")

    def models(self) -> list[ModelDescription]:
        """Ask what is served.

        :raises InferenceUnavailableError: also while models are being loaded.
        """
        return self._ask(_MODELS, "GET", "/v1/models")

    def versions(self) -> list[ModelVersions]:
        """Ask which models have several versions, and what was decided about them."""
        return self._ask(_VERSIONS, "GET", "/v1/versions")

    def comparison(self, model_name: str, version: str) -> dict[str, Any]:
        """Ask how a version compares with the one before it."""
        return self._ask(_OBJECT, "GET", f"/v1/comparisons/{model_name}/{version}")

    def decide(self, model_name: str, decision: VersionDecision) -> ModelVersions:
        """Have a person's decision about a version carried out."""
        return self._ask(
            _DECIDED,
            "POST",
            f"/v1/versions/{model_name}",
            content=decision.model_dump_json().encode(),
            headers={"Content-Type": "application/json"},
        )

    def recognize_anatomy(self, header: Mapping[str, Any]) -> AnatomyAnswer:
        """Ask for the anatomy of a de-identified header, as DICOM JSON."""
        return self._ask(
            _ANATOMY,
            "POST",
            "/v1/anatomy",
            content=json.dumps(header).encode(),
            headers={"Content-Type": "application/dicom+json"},
        )

    def recognize_study(self, headers: Sequence[Mapping[str, Any]]) -> list[AnatomyAnswer]:
        """Ask for the anatomy of the series of one study, each by a de-identified header."""
        return self._ask(
            _ANATOMIES,
            "POST",
            "/v1/anatomy/study",
            content=json.dumps(list(headers)).encode(),
            headers={"Content-Type": "application/dicom+json"},
        )

    def recognize_pixels(self, instances: Sequence[bytes]) -> PixelAnatomyAnswer:
        """Ask for the anatomy that the pixels of de-identified DICOM files of one scan show."""
        return self._send(_PIXEL_ANATOMY, "/v1/anatomy/pixels", instances)

    def analyse(self, model_name: str, instances: Sequence[bytes]) -> AnalysisAnswer:
        """Have de-identified DICOM files of one scan analysed by one model."""
        return self._send(_ANALYSIS, f"/v1/analyses/{model_name}", instances)

    def _send(
        self, adapter: TypeAdapter[_Answer], path: str, instances: Sequence[bytes]
    ) -> _Answer:
        body = _RelatedBody(instances)
        return self._ask(
            adapter,
            "POST",
            path,
            content=body,
            headers={"Content-Type": body.content_type, "Content-Length": str(body.length)},
        )

    def _ask(
        self, adapter: TypeAdapter[_Answer], method: str, path: str, **request: Any
    ) -> _Answer:
        try:
            with self._client.stream(method, path, **request) as response:
                content = _bounded(response)
        except httpx.TimeoutException:
            raise InferenceTimeoutError("inference did not answer in time") from None
        except httpx.HTTPError as error:
            raise InferenceUnavailableError(
                f"inference is not reachable ({type(error).__name__})"
            ) from None
        if not response.is_success:
            raise _failure(response, content)
        try:
            return adapter.validate_json(content)
        except ValidationError:
            raise _mismatch() from None


class _RelatedBody:
    """A ``multipart/related`` body that is sent in pieces, without being copied together."""

    def __init__(self, instances: Sequence[bytes]) -> None:
        boundary = uuid.uuid4().hex
        self.content_type = f'multipart/related; type="application/dicom"; boundary={boundary}'
        self._head = f"\r\n--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self._instances = instances
        parts = sum(len(self._head) + len(instance) for instance in instances)
        self.length = parts + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        for instance in self._instances:
            yield self._head
            # The HTTP client copies what is left of a buffer after each piece that the network
            # takes: a whole series in one buffer would be copied hundreds of times.
            for start in range(0, len(instance), _CHUNK_BYTES):
                yield instance[start : start + _CHUNK_BYTES]
        yield self._tail


def _bounded(response: httpx.Response) -> bytes:
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > _LARGEST_ANSWER:
            raise InferenceRefusedError("answer-too-large", "the answer is larger than any can be")
    return bytes(content)


def _failure(response: httpx.Response, content: bytes) -> InferenceError:
    try:
        answer = ErrorAnswer.model_validate_json(content)
    except ValidationError:
        answer = ErrorAnswer(code=f"http-{response.status_code}", message="no reason given")
    if response.is_server_error or response.status_code in _PASSING:
        return InferenceUnavailableError(
            f"{answer.code}: {answer.message}", _seconds(response.headers.get("Retry-After", ""))
        )
    if response.is_client_error:
        return InferenceRefusedError(answer.code, answer.message)
    return _mismatch()


def _seconds(text: str) -> float | None:
    return float(text) if text.isdigit() else None


def _mismatch() -> InferenceRefusedError:
    return InferenceRefusedError(
        "contract-mismatch", "the answer is not of this contract; install matching versions"
    )
