# SPDX-License-Identifier: AGPL-3.0-or-later
"""Routes of backfills: the rules of copies run over what was stored before they were there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from plugin.copies.backfill_book import Backfill, BackfillBook, BackfillOpenError, Wish
from plugin.web.answers import NEVER_KEPT, accepted, json_answer
from plugin.web.bodies import read_body
from plugin.web.errors import RETRY_SECONDS, RequestError
from plugin.web.parameters import Parameters
from plugin.web.studies import refuse_body, refuse_foreign_page

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _day(value: object) -> object:
    # A string of digits would be taken for seconds since 1970.
    if not isinstance(value, str):
        return value
    if not _DAY.fullmatch(value):
        raise ValueError("a day is written as 2025-01-31")
    return date.fromisoformat(value)


_Day = Annotated[date, BeforeValidator(_day)]


class AskedBackfill(BaseModel):
    """The body of an order."""

    # Strict: a number is no day.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    rules: tuple[str, ...] = Field(default=(), max_length=200)
    first: _Day | None = Field(default=None, alias="from")
    last: _Day | None = Field(default=None, alias="until")
    most: int = Field(default=1000, ge=1, le=1_000_000)

    @model_validator(mode="after")
    def _days_are_in_order(self) -> AskedBackfill:
        if self.first and self.last and self.first > self.last:
            raise ValueError("from is after until")
        return self


@dataclass(frozen=True)
class BackfillDesk:
    """Takes orders for the rules of the table."""

    book: BackfillBook
    rules: tuple[str, ...]

    def take(self, asked: AskedBackfill) -> Backfill | None:
        """Note an order, which the process that delivers carries out.

        Raises:
            RequestError: 400 for a rule that the table does not have, 409 while one is open.
        """
        unknown = [name for name in asked.rules if name not in self.rules]
        if unknown:
            known = ", ".join(self.rules)
            raise RequestError(400, "bad-body", f"the table has the rules {known}", "rules")
        wish = Wish(
            asked.rules or self.rules, _as_dicom(asked.first), _as_dicom(asked.last), asked.most
        )
        try:
            self.book.order(wish)
        except BackfillOpenError as error:
            raise RequestError(409, "backfill-open", str(error)) from None
        return self.book.latest()

    def stop(self) -> Backfill | None:
        """End the open order, if there is one."""
        found = self.book.open()
        if found is not None:
            self.book.end(found.id, "stopped")
        return self.book.latest()


class BackfillRoutes:
    """``/sidelight/copies/backfill`` and below; without a desk there is no rule."""

    def __init__(self, desk: BackfillDesk | None) -> None:
        self._given = desk

    async def either(self, request: Request) -> Response:
        """``GET``: how far the latest order is; ``POST``: 202 when an order is taken."""
        Parameters(request)
        desk = self._desk
        if request.method != "POST":
            found = await run_in_threadpool(desk.book.latest)
            return json_answer(request, _said(found), cache=NEVER_KEPT)
        refuse_foreign_page(request)
        asked = await read_body(request, AskedBackfill)
        return accepted(_said(await run_in_threadpool(desk.take, asked)), RETRY_SECONDS)

    async def stop(self, request: Request) -> Response:
        """``POST .../stop``: nothing more is noted; what waits in the outbox is still sent."""
        refuse_foreign_page(request)
        Parameters(request)
        await refuse_body(request)
        found = await run_in_threadpool(self._desk.stop)
        return json_answer(request, _said(found), cache=NEVER_KEPT)

    @property
    def _desk(self) -> BackfillDesk:
        if self._given is None:
            message = "there is no rule of copies; Sidelight.Copies.Table names the table"
            raise RequestError(404, "no-copies", message)
        return self._given


def _said(found: Backfill | None) -> dict[str, Any]:
    if found is None:
        return {"backfill": None}
    wish = found.wish
    return {
        "backfill": {
            "id": found.id,
            "status": found.status,
            "rules": list(wish.rules),
            "from": _iso(wish.first),
            "until": _iso(wish.last),
            "most": wish.most,
            "studies": {"found": found.found, "waiting": found.waiting, "taken": found.taken},
            "deliveries": found.deliveries,
            "ordered": _moment(found.ordered),
            "finished": _moment(found.finished) if found.finished else "",
        }
    }


def _as_dicom(day: date | None) -> str:
    return day.isoformat().replace("-", "") if day else ""


def _iso(day: str) -> str:
    return f"{day[:4]}-{day[4:6]}-{day[6:]}" if day else ""


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
