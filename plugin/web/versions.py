# SPDX-License-Identifier: AGPL-3.0-or-later
"""Versions of models: seen, compared, and promoted, rejected or rolled back by who may."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from inference.contract import ModelVersions, VersionDecision
from plugin.gate import Gate, InferenceRefusedError
from plugin.gate import InferenceUnavailableError as ServiceUnavailable
from plugin.routes import USER_HEADER
from plugin.web.answers import NEVER_KEPT, json_answer
from plugin.web.bodies import read_body
from plugin.web.errors import InferenceUnavailableError, RequestError
from plugin.web.parameters import Parameters
from plugin.web.studies import refuse_foreign_page

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_VERSION = re.compile(r"\d{1,6}\.\d{1,6}\.\d{1,6}")
_NOT_THERE = frozenset(("unknown-model", "unknown-version", "not-compared"))

_Found = TypeVar("_Found")


class AskedDecision(BaseModel):
    """The body of a decision; who decides is who is logged in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal["promote", "reject", "roll-back"]
    version: str = Field(default="", pattern=r"^(\d{1,6}\.\d{1,6}\.\d{1,6})?$")
    reason: str = Field(min_length=1, max_length=400)


@dataclass(frozen=True)
class VersionDesk:
    """Asks inference, which holds the bundles.

    ``deciders`` are the accounts that may decide.
    """

    gate: Gate
    deciders: Sequence[str] = ()


class VersionRoutes:
    """``/sidelight/versions`` and what is below."""

    def __init__(self, desk: VersionDesk | None) -> None:
        self._given = desk

    @property
    def _desk(self) -> VersionDesk:
        if self._given is None:
            message = "this process knows no versions"
            raise RequestError(503, "versions-unavailable", message, headers={"Retry-After": "2"})
        return self._given

    def listed(self, request: Request) -> Response:
        """``GET /sidelight/versions``: models with several versions, and who decided what."""
        Parameters(request)
        found = _asked(self._desk.gate.versions)
        content = {
            "may_decide": request.headers.get(USER_HEADER, "") in self._desk.deciders,
            "models": [_as_json(one) for one in found],
        }
        return json_answer(request, content, cache=NEVER_KEPT)

    def comparison(self, request: Request) -> Response:
        """``GET /sidelight/versions/{model}/{version}/comparison``: held-out, old against new."""
        Parameters(request)
        model = _part(request, "model", _NAME)
        version = _part(request, "version", _VERSION)
        found = _asked(lambda: self._desk.gate.comparison(model, version))
        return json_answer(request, found, cache=NEVER_KEPT)

    async def decide(self, request: Request) -> Response:
        """``POST /sidelight/versions/{model}``: what a person decides, with the reason."""
        refuse_foreign_page(request)
        Parameters(request)
        model = _part(request, "model", _NAME)
        account = request.headers.get(USER_HEADER, "")
        if account not in self._desk.deciders or not account:
            raise RequestError(
                403,
                "not-a-decider",
                "this account may not decide about models: an administrator adds it to "
                "Sidelight.Inference.Deciders, or uses 'sidelight models'",
            )
        asked = await read_body(request, AskedDecision)
        if asked.action != "roll-back" and not asked.version:
            raise RequestError(400, "bad-body", "name the version", parameter="version")
        decision = VersionDecision(**asked.model_dump(), by=account)
        found = await run_in_threadpool(_asked, lambda: self._desk.gate.decide(model, decision))
        return json_answer(request, _as_json(found), cache=NEVER_KEPT)


def _as_json(found: ModelVersions) -> dict[str, Any]:
    content: dict[str, Any] = found.model_dump(mode="json")
    for one in content["versions"]:
        place = f"/sidelight/versions/{found.name}/{one['version']}/comparison"
        one["links"] = {"comparison": place} if one["compared"] else {}
    return content


def _asked(ask: Callable[[], _Found]) -> _Found:
    try:
        return ask()
    except ServiceUnavailable as error:
        raise InferenceUnavailableError(str(error)) from error
    except InferenceRefusedError as error:
        status = 404 if error.code in _NOT_THERE else 409
        raise RequestError(status, error.code, error.message) from None


def _part(request: Request, name: str, kind: re.Pattern[str]) -> str:
    value: str = request.path_params[name]
    if not kind.fullmatch(value):
        raise RequestError(404, f"unknown-{name}", f"there is no such {name}")
    return value
