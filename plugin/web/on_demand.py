# SPDX-License-Identifier: AGPL-3.0-or-later
"""Routes whose workings are loaded when one of them is first asked for.

What draws pictures and reads or writes DICOM takes seconds of the processor and 100 MB. Most web
processes answer for hours before anybody asks for it, and many are never asked.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from threading import Lock
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

_Routes = TypeVar("_Routes")
Endpoint = Callable[[Request], Response] | Callable[[Request], Awaitable[Response]]


class OnDemand(Generic[_Routes]):
    """A group of routes that is made by the first request to one of them.

    Args:
        make: imports their module and makes them.
    """

    def __init__(self, make: Callable[[], _Routes]) -> None:
        self._make = make
        self._made: _Routes | None = None
        self._lock = Lock()

    def __call__(
        self, chosen: Callable[[_Routes], Endpoint]
    ) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint that ``chosen`` takes from the routes."""

        async def answer(request: Request) -> Response:
            routes = self._made
            if routes is None:
                routes = await run_in_threadpool(self._routes)
            endpoint = chosen(routes)
            if inspect.iscoroutinefunction(endpoint):
                answered: Response = await endpoint(request)
                return answered
            return await run_in_threadpool(endpoint, request)  # type: ignore[arg-type]

        return answer

    def _routes(self) -> _Routes:
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made
