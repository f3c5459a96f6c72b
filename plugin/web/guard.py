# SPDX-License-Identifier: AGPL-3.0-or-later
"""The outermost layer: no exception gets out, and no answer is sniffed or kept by mistake."""

from __future__ import annotations

import logging
import traceback

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plugin.web.errors import RequestError

LOGGER = logging.getLogger(__name__)


class Guard:
    """ASGI middleware around all routes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; an unexpected exception becomes status 500 without details."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._app(scope, receive, send_guarded)
        except Exception as error:  # noqa: BLE001 - the message may quote a tag, so it isn't logged
            LOGGER.error(  # noqa: TRY400
                "%s while answering, at %s", type(error).__name__, _places(error)
            )
            if not started:
                message = "an error in Sidelight; the log of its web process says where"
                failure = RequestError(500, "internal-error", message)
                await failure.response()(scope, receive, send_guarded)


def _places(error: Exception) -> str:
    """Where the error came from, without values: the innermost calls last."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    return " > ".join(f"{frame.name}:{frame.lineno}" for frame in frames)
