# SPDX-License-Identifier: Apache-2.0
"""The inference service: an ASGI app in the de-identified zone, and the process that runs it.

``python -m inference.service --socket PATH --models DIR`` serves the routes of
:mod:`inference.contract`. It opens its socket first and loads models meanwhile: anatomy is answered
at once, ``/v1/health`` says ``starting`` until every bundle is commissioned or rejected.

It takes nothing that is not marked as de-identified, keeps nothing of a request, and logs nothing
that a request holds.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from inference.anatomy.serving.served import ServedAnatomy
from inference.contract import AnatomyAnswer, ModelDescription, ModelVersions, VersionDecision
from inference.serving.deidentified import (
    require_deidentified_header,
    require_deidentified_instance,
)
from inference.serving.errors import ServiceError, too_large
from inference.serving.events import log_error
from inference.serving.models import Models, ServedModel
from inference.serving.multipart import PartReader, boundary_of
from inference.serving.version_desk import VersionDesk

_JSON = "application/json"
_DESCRIPTIONS = TypeAdapter(list[ModelDescription])
_VERSIONS = TypeAdapter(list[ModelVersions])
_ANATOMIES = TypeAdapter(list[AnatomyAnswer])
_HTTP_CODES = {404: "unknown-route", 405: "method-not-allowed"}
_MOST_HEADER_BYTES = 1 << 20
_MOST_SERIES = 256

Endpoint = Callable[[Request], Awaitable[Response]]
Work = Callable[[list[bytes]], str]
"""Makes JSON of the instances of one scan."""


@dataclass(frozen=True)
class Limits:
    """What the service takes on.

    :param body_bytes: largest body of an analysis; ``concurrency + queue`` are held at most.
    :param queue: analyses that may wait while others run.
    :param receive_seconds: time in which a body must have arrived.
    """

    body_bytes: int = 256 << 20
    queue: int = 8
    receive_seconds: float = 60.0


class Service:
    """The routes, over models that may still be loading.

    :param token: if given, requests need it as ``Authorization: Bearer``.
    :param desk: where versions of models are decided about.
    :param anatomy: the anatomy models; the shipped ones if left out.
    """

    def __init__(
        self,
        models: Models,
        limits: Limits,
        token: str | None = None,
        desk: VersionDesk | None = None,
        anatomy: ServedAnatomy | None = None,
    ) -> None:
        self._models = models
        self._recognizing = anatomy or ServedAnatomy()
        self._desk = desk or VersionDesk()
        self._limits = limits
        self._token = token
        self._admitted = 0
        self._running = asyncio.Semaphore(models.concurrency)

    def app(self) -> Starlette:
        """Make the ASGI app."""
        routes = [
            Route("/v1/health", self._answering(self._health)),
            Route("/v1/models", self._answering(self._list_models)),
            Route("/v1/versions", self._answering(self._versions)),
            Route("/v1/versions/{model}", self._answering(self._decide), methods=["POST"]),
            Route("/v1/comparisons/{model}/{version}", self._answering(self._comparison)),
            Route("/v1/anatomy", self._answering(self._anatomy), methods=["POST"]),
            Route("/v1/anatomy/study", self._answering(self._study), methods=["POST"]),
            Route("/v1/anatomy/pixels", self._answering(self._pixels), methods=["POST"]),
            Route("/v1/analyses/{model}", self._answering(self._analyse), methods=["POST"]),
        ]
        return Starlette(routes=routes, exception_handlers={HTTPException: _no_route})

    def _answering(self, endpoint: Endpoint) -> Endpoint:
        """Authorize, and turn errors into answers.

        Nothing passes on to the server, whose log would hold the message of the error.
        """

        async def answer(request: Request) -> Response:
            try:
                self._authorize(request)
                return await endpoint(request)
            except ServiceError as error:
                return _error(error)
            except ClientDisconnect:
                return Response(status_code=400)
            except Exception as error:  # noqa: BLE001 - the last resort of every request
                log_error("request-failed", error)
                return _error(ServiceError(500, "internal", "see the log of the service"))

        return answer

    def _authorize(self, request: Request) -> None:
        if self._token is None:
            return
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {self._token}".encode()):
            raise ServiceError(401, "unauthorized", "send the bearer token of this service")

    async def _health(self, _: Request) -> Response:
        health = self._models.health
        standing = await run_in_threadpool(lambda: self._recognizing.standing)
        return _json(health.model_copy(update=standing.added_to(health)).model_dump_json())

    async def _list_models(self, _: Request) -> Response:
        return _json(_DESCRIPTIONS.dump_json(self._models.descriptions))

    async def _versions(self, _: Request) -> Response:
        return _json(_VERSIONS.dump_json(await run_in_threadpool(self._desk.all)))

    async def _comparison(self, request: Request) -> Response:
        given = request.path_params
        found = await run_in_threadpool(self._desk.comparison, given["model"], given["version"])
        return _json(found)

    async def _decide(self, request: Request) -> Response:
        body = b"".join([chunk async for chunk in self._body(request, _MOST_HEADER_BYTES)])
        try:
            decision = VersionDecision.model_validate_json(body)
        except ValidationError as error:
            raise ServiceError(400, "malformed-decision", "send a VersionDecision") from error
        # In a thread that runs models: what is promoted is commissioned first.
        loop = asyncio.get_running_loop()
        name = request.path_params["model"]
        made = await loop.run_in_executor(self._models.pool, self._desk.decide, name, decision)
        return _json(made.model_dump_json())

    async def _anatomy(self, request: Request) -> Response:
        body = b"".join([chunk async for chunk in self._body(request, _MOST_HEADER_BYTES)])
        header = _parse_header(body)
        require_deidentified_header(header)
        if self._recognizing.ready:
            return _json(self._recognizing.recognize(header).model_dump_json())
        # The first answer may have to wait until the site's model has been commissioned.
        answer = await run_in_threadpool(self._recognizing.recognize, header)
        return _json(answer.model_dump_json())

    async def _study(self, request: Request) -> Response:
        body = b"".join([chunk async for chunk in self._body(request, _MOST_HEADER_BYTES)])
        headers = _parse_study(body)
        for header in headers:
            require_deidentified_header(header)
        answers = await run_in_threadpool(self._recognizing.recognize_study, headers)
        return _json(_ANATOMIES.dump_json(answers))

    async def _pixels(self, request: Request) -> Response:
        return await self._work(request, self._pixel_anatomy)

    def _pixel_anatomy(self, instances: list[bytes]) -> str:
        return self._recognizing.recognize_pixels(instances).model_dump_json()

    async def _analyse(self, request: Request) -> Response:
        model = self._models.named(request.path_params["model"])
        return await self._work(request, lambda instances: _analysis(model, instances))

    async def _work(self, request: Request, work: Work) -> Response:
        """Do some work with the instances of a request, when it is its turn."""
        boundary = boundary_of(request.headers.get("content-type", ""))
        async with self._admission():
            instances = await self._instances(request, boundary)
            async with self._running:
                if await request.is_disconnected():
                    raise ClientDisconnect
                loop = asyncio.get_running_loop()
                return _json(
                    await loop.run_in_executor(self._models.pool, self._run, work, instances)
                )

    def _run(self, work: Work, instances: list[bytes]) -> str:
        for instance in instances:
            require_deidentified_instance(instance, self._limits.body_bytes)
        return work(instances)

    @asynccontextmanager
    async def _admission(self) -> AsyncIterator[None]:
        """Admit as many as may run and wait, before their bodies take memory."""
        if self._admitted >= self._models.concurrency + self._limits.queue:
            raise ServiceError(503, "busy", "all places are taken; send it again", retry_after=1)
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1

    async def _instances(self, request: Request, boundary: str) -> list[bytes]:
        reader = PartReader(boundary)
        parts: list[bytes] = []
        async for chunk in self._body(request, self._limits.body_bytes):
            parts += reader.feed(chunk)
        reader.close()
        return parts

    async def _body(self, request: Request, most: int) -> AsyncIterator[bytes]:
        """Yield the chunks of a body that is neither too large nor too slow."""
        announced = request.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > most:
            raise too_large(most)
        received = 0
        deadline = asyncio.get_running_loop().time() + self._limits.receive_seconds
        stream = request.stream()
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    chunk = await anext(stream)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise ServiceError(
                    408, "receive-timeout", "the body came too slowly; send it again"
                ) from None
            received += len(chunk)
            if received > most:
                raise too_large(most)
            yield chunk


def _parse_header(body: bytes) -> dict[str, Any]:
    try:
        header = json.loads(body)
    except (ValueError, RecursionError):
        header = None
    if isinstance(header, list) and len(header) == 1:
        # DICOM JSON of one instance is an array of one object (PS3.18 F.2).
        (header,) = header
    if not isinstance(header, dict):
        raise ServiceError(400, "malformed-header", "send one object of DICOM JSON (PS3.18 F.2)")
    return header


def _parse_study(body: bytes) -> list[dict[str, Any]]:
    try:
        headers = json.loads(body)
    except (ValueError, RecursionError):
        headers = None
    whole = isinstance(headers, list) and all(isinstance(one, dict) for one in headers)
    if not whole or not 0 < len(headers) <= _MOST_SERIES:
        raise ServiceError(
            400,
            "malformed-study",
            f"send an array of 1 to {_MOST_SERIES} objects of DICOM JSON, one for each series",
        )
    return list(headers)


def _analysis(model: ServedModel, instances: list[bytes]) -> str:
    return model.analyse(instances).model_dump_json()


def _json(content: str | bytes) -> Response:
    return Response(content, media_type=_JSON, headers={"Cache-Control": "no-store"})


def _error(error: ServiceError) -> Response:
    return Response(error.answer.model_dump_json(), error.status, error.headers, media_type=_JSON)


async def _no_route(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    code = _HTTP_CODES.get(status, "http-error")
    response = _error(
        ServiceError(
            status,
            code,
            "the routes are GET /v1/health, GET /v1/models, GET and POST /v1/versions, "
            "POST /v1/anatomy, POST /v1/anatomy/study, POST /v1/anatomy/pixels, "
            "POST /v1/analyses/{model}",
        )
    )
    if isinstance(error, HTTPException) and error.headers:
        response.headers.update(error.headers)
    return response


if __name__ == "__main__":
    from inference.serving.process import main

    main()
