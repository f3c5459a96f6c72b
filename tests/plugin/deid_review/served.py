# SPDX-License-Identifier: AGPL-3.0-or-later
"""A desk served over HTTP, as an account that Orthanc has checked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from plugin.routes import USER_HEADER
from plugin.web import create_app
from plugin.web.services import Services
from tests.plugin.deid_review.reviewed import Reviewed
from tests.plugin.web.fake_archive import CHEST_MODEL, FakeArchive, FakeQueue


def app_of(node: Reviewed | None) -> Any:
    return create_app(
        FakeArchive(),
        FakeQueue(),
        status=lambda: {"queue": {"queued": 0, "running": 0}},
        models=lambda: [CHEST_MODEL],
        services=Services(deid_review=(lambda: node.desk) if node else None),
    )


class Account:
    """Asks as one account."""

    def __init__(self, node: Reviewed | None, name: str) -> None:
        self._client = TestClient(app_of(node), raise_server_exceptions=False)
        self._headers = {USER_HEADER: name} if name else {}

    def get(self, path: str) -> httpx.Response:
        return self._client.get(f"/sidelight/deid{path}", headers=self._headers)

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self._client.post(f"/sidelight/deid{path}", json=body, headers=self._headers)


def logged_in_as(app: ASGIApp, account: str) -> ASGIApp:
    """As Orthanc's side hands a request on: with the account that it checked."""

    async def handed_on(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["headers"] = [*scope["headers"], (USER_HEADER.encode(), account.encode())]
        await app(scope, receive, send)

    return handed_on


@contextmanager
def served(node: Reviewed, account: str) -> Iterator[str]:
    """The root of a running server, as a browser of this account sees it."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = logged_in_as(app_of(node), account)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()
