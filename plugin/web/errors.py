# SPDX-License-Identifier: AGPL-3.0-or-later
"""Errors as a caller sees them: a status, a stable code, what to do, and nothing of the patient.

Bodies are ASCII: Orthanc's Python plugin passes no other text with a status beside 200.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from deid import KeyFileError
from plugin.archive import ArchiveError, ArchiveUnavailableError
from plugin.queue import QueueError
from plugin.web.answers import json_bytes

RETRY_SECONDS = 2


class RequestError(Exception):
    """A request that can't be answered as asked.

    Attributes:
        status: HTTP status, 4xx or 5xx.
        code: Stable name of the error, for programs.
        parameter: The query parameter, body key or header at fault, if one is.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        parameter: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.parameter = parameter
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """The error as JSON."""
        content: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.parameter is not None:
            content["parameter"] = self.parameter
        headers = {"Cache-Control": "no-store", **self.headers}
        return Response(json_bytes(content), self.status, headers, "application/json")


def bad_parameter(name: str, must: str) -> RequestError:
    """A query parameter with a value that is not allowed; ``must`` says what is."""
    return RequestError(400, "bad-parameter", f"{name} must be {must}", parameter=name)


def unknown(kind: str) -> RequestError:
    """``kind`` is study, series or instance."""
    return RequestError(
        404, f"unknown-{kind}", f"Orthanc has no {kind} with this identifier; look it up again"
    )


def no_such_address() -> RequestError:
    """An address that is not Sidelight's."""
    return RequestError(
        404, "unknown-address", "there is nothing here; /sidelight/openapi.json lists all addresses"
    )


class InferenceUnavailableError(Exception):
    """Inference can't be asked for its models now."""


def on_inference_unavailable(_request: Request, error: Exception) -> Response:
    """Answer ``InferenceUnavailableError``."""
    assert isinstance(error, InferenceUnavailableError)  # noqa: S101
    retry = {"Retry-After": str(RETRY_SECONDS)}
    message = "the inference service does not answer; /sidelight/status says more"
    return RequestError(503, "inference-unavailable", message, headers=retry).response()


def on_request_error(_request: Request, error: Exception) -> Response:
    """Answer a ``RequestError``."""
    assert isinstance(error, RequestError)  # noqa: S101 - how Starlette registers handlers
    return error.response()


def on_http_exception(_request: Request, error: Exception) -> Response:
    """Answer what Starlette's router refuses: an unknown address or a wrong method."""
    assert isinstance(error, HTTPException)  # noqa: S101
    headers = dict(error.headers or {})
    if error.status_code == 405:
        message = f"this address answers {headers.get('Allow', 'other methods')} only"
        return RequestError(405, "method-not-allowed", message, headers=headers).response()
    if error.status_code == 404:
        return no_such_address().response()
    return RequestError(
        error.status_code, "bad-request", "the request can't be read", headers=headers
    ).response()


def on_queue_error(_request: Request, error: Exception) -> Response:
    """Answer that a file of the data directory can't be read or written."""
    assert isinstance(error, QueueError)  # noqa: S101
    retry = {"Retry-After": str(RETRY_SECONDS)}
    message = "the queue or another file of Sidelight can't be used; /sidelight/status says why"
    return RequestError(503, "queue-unavailable", message, headers=retry).response()


def on_key_error(_request: Request, error: Exception) -> Response:
    """Answer that the site's key is missing or another one; its words say what to do."""
    assert isinstance(error, KeyFileError)  # noqa: S101
    message = "de-identification waits for its key; /sidelight/status says why, and what to do"
    return RequestError(503, "key-unusable", message).response()


def on_archive_error(_request: Request, error: Exception) -> Response:
    """Answer that Orthanc itself did not answer."""
    retry = {"Retry-After": str(RETRY_SECONDS)}
    if isinstance(error, ArchiveUnavailableError):
        message = "Orthanc's REST API can't be reached from Sidelight; try again, then see its log"
        return RequestError(503, "archive-unavailable", message, headers=retry).response()
    assert isinstance(error, ArchiveError)  # noqa: S101
    message = "Orthanc refused a request of Sidelight's; see Orthanc's log"
    return RequestError(502, "archive-error", message).response()
