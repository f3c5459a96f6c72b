# SPDX-License-Identifier: AGPL-3.0-or-later
"""Orthanc's Python module behind typed functions: the only module that imports ``orthanc``.

It depends on the standard library alone, so that it can say in one line what is wrong with an
environment before anything of that environment is imported.

Plugin 4.0 holds Python's global lock during every call below, so only calls that return at once are
here; whatever takes time goes through Orthanc's HTTP API from another process.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote_plus

import orthanc

from plugin.events import Answer, Change, Request, StoredInstance

REFUSAL = b"refused by Sidelight"
"""Takes the place of an instance that must not be stored; no DICOM file."""

# Plugin 5.0 drops its routes at the end without Python's lock: whose last reference that was ended
# Orthanc with a segmentation fault.
_REGISTERED: list[Callable[..., None]] = []


class Output(Protocol):
    """Orthanc's ``RestOutput``."""

    def AnswerBuffer(self, body: bytes, mime: str) -> None: ...  # noqa: D102, N802
    def SendHttpStatus(self, *arguments: Any) -> None: ...  # noqa: D102, N802
    def SendHttpStatusCode(self, status: int) -> None: ...  # noqa: D102, N802
    def SendMethodNotAllowed(self, allowed: str) -> None: ...  # noqa: D102, N802
    def SetHttpHeader(self, name: str, value: str) -> None: ...  # noqa: D102, N802


def configuration() -> dict[str, Any]:
    """Orthanc's whole configuration."""
    read: dict[str, Any] = json.loads(orthanc.GetConfiguration())
    return read


def configuration_folder() -> Path:
    """The folder against which Orthanc reads relative paths."""
    path = Path(orthanc.GetConfigurationPath() or ".").resolve()
    return path if path.is_dir() else path.parent


def log_error(message: str) -> None:
    """One line in Orthanc's log, as error."""
    orthanc.LogError(f"Sidelight: {message}")


def log_warning(message: str) -> None:
    """One line in Orthanc's log, as warning (shown by default)."""
    orthanc.LogWarning(f"Sidelight: {message}")


def authorization_token() -> str:
    """Value of the Authorization header with which Orthanc trusts its own children."""
    token: str = orthanc.GenerateRestApiAuthorizationToken()
    return token


def extend_explorer(script: str) -> None:
    """Add a script to Orthanc Explorer's pages."""
    if hasattr(orthanc, "ExtendOrthancExplorer"):
        orthanc.ExtendOrthancExplorer(script)


def on_stored(handler: Callable[[StoredInstance], None]) -> None:
    """Call ``handler`` for every stored instance, also when it was there before."""

    def stored(dicom: Any, instance_id: str) -> None:
        handler(StoredInstance(instance_id, _metadata(dicom, "SopClassUid")))

    orthanc.RegisterOnStoredInstanceCallback(stored)


def _metadata(dicom: Any, name: str) -> str:
    return str(dicom.GetInstanceMetadata(name)) if dicom.HasInstanceMetadata(name) else ""


def on_received(handler: Callable[[bytes], bytes | None]) -> None:
    """Let ``handler`` decide what Orthanc stores in place of each file that it receives.

    It returns the file to store, or the very object that it got to store that, or None to refuse.
    Orthanc calls a discarded instance a success towards who sends it by C-STORE, and stores the
    original where the callback fails; what is no DICOM file in its place is an error at every door.

    Raises:
        AttributeError: this Python plugin has no such callback (it came with 4.0).
    """
    refuse = (orthanc.ReceivedInstanceAction.MODIFY, REFUSAL)
    keep = (orthanc.ReceivedInstanceAction.KEEP_AS_IS, None)

    def received(content: bytes, _origin: Any) -> tuple[Any, bytes | None]:
        try:
            stored = handler(content)
            if stored is content:
                return keep
            return (refuse[0], stored) if stored else refuse
        except BaseException as error:  # noqa: BLE001
            # Orthanc would store the original if anything were raised here.
            with suppress(BaseException):
                log_error(f"an arriving instance was refused: {type(error).__name__}")
            return refuse

    orthanc.RegisterReceivedInstanceCallback(received)


class StorageArea(Protocol):
    """What keeps Orthanc's files; an error makes Orthanc refuse what it was about to store."""

    def create(self, uuid: str, kind: int, content: bytes) -> None: ...  # noqa: D102
    def read(self, uuid: str, kind: int) -> bytes: ...  # noqa: D102
    def remove(self, uuid: str, kind: int) -> None: ...  # noqa: D102


def on_storage(area: StorageArea) -> None:
    """Let ``area`` write, read and remove Orthanc's files, in place of its own storage.

    Orthanc tells nobody when another plugin took the storage before, and leaves ``area`` unused.
    """

    # Named functions: plugin 5.0 crashes on others. Where there is no memory for ``content`` it is
    # missing, and the first look at it an error.
    def create(uuid: str, kind: int, content: bytes) -> None:
        area.create(uuid, kind, content)

    def read(uuid: str, kind: int) -> bytes:
        return area.read(uuid, kind)

    def remove(uuid: str, kind: int) -> None:
        area.remove(uuid, kind)

    orthanc.RegisterStorageArea(create, read, remove)


def on_change(handler: Callable[[Change], None]) -> None:
    """Call ``handler`` when Orthanc has started, is stopping, for new instances, stable series."""
    kinds = {
        orthanc.ChangeType.ORTHANC_STARTED: "started",
        orthanc.ChangeType.ORTHANC_STOPPED: "stopped",
        orthanc.ChangeType.STABLE_SERIES: "stable-series",
        orthanc.ChangeType.NEW_INSTANCE: "new-instance",
    }

    def changed(change_type: Any, _level: Any, resource: str) -> None:
        kind = kinds.get(change_type)
        if kind is not None:
            handler(Change(kind, resource))

    orthanc.RegisterOnChangeCallback(changed)


def on_route(pattern: str, handler: Callable[[Request], Answer]) -> None:
    """Serve the regular expression ``pattern``; an exception becomes Orthanc's HTTP 500."""

    # A named function: plugin 5.0 crashes on a lambda here.
    def route(output: Output, uri: str, **request: Any) -> None:
        asked = Request(
            method=request["method"],
            path=uri,
            # Orthanc takes the query apart and leaves the parts as they came: %2F, + for a space.
            query={unquote_plus(k): unquote_plus(v) for k, v in request.get("get", {}).items()},
            headers={key.lower(): value for key, value in request.get("headers", {}).items()},
            body=request.get("body", b"") or b"",
        )
        _send(output, handler(asked))

    orthanc.RegisterRestCallback(pattern, route)
    _REGISTERED.append(route)


def _send(output: Output, answer: Answer) -> None:
    headers = {name.title(): value for name, value in answer.headers.items()}
    if answer.status == 405:
        # Orthanc sends this status by no other way, and without a body.
        output.SendMethodNotAllowed(headers.get("Allow", ""))
        return
    mime = headers.pop("Content-Type", "application/json")
    for name, value in headers.items():
        output.SetHttpHeader(name, value)
    if answer.status == 200:
        output.AnswerBuffer(answer.body, mime)
    elif not answer.body:
        output.SendHttpStatusCode(answer.status)
    else:
        # Orthanc 1.12 adds a Content-Type of text/plain of its own behind this one.
        output.SetHttpHeader("Content-Type", mime)
        _send_status(output, answer.status, answer.body.decode("ascii"))


def _send_status(output: Output, status: int, text: str) -> None:
    try:
        output.SendHttpStatus(status, text)
    except TypeError:  # plugin 4.0 wants the length too; 5.0 refuses it
        output.SendHttpStatus(status, text, len(text))
