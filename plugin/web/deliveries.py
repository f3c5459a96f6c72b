# SPDX-License-Identifier: AGPL-3.0-or-later
"""Routes of the outbox: what was sent where, what waits, and dead letters that go out again."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from plugin.doors.outbox import STATUSES
from plugin.web.answers import NEVER_KEPT, accepted, json_answer
from plugin.web.errors import RETRY_SECONDS, RequestError
from plugin.web.parameters import Parameters
from plugin.web.protocols import Deliveries
from plugin.web.studies import refuse_body, refuse_foreign_page

DEFAULT_LIMIT = 100
MAXIMUM_LIMIT = 500

_NUMBER = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)


class DeliveryRoutes:
    """``/sidelight/deliveries`` and below; ``outbox`` is None where there is none."""

    def __init__(self, outbox: Deliveries | None) -> None:
        self._outbox = outbox

    def index(self, request: Request) -> Response:
        """``GET /sidelight/deliveries``: the latest ones, with counts by status."""
        query = Parameters(request, ("status", "limit"))
        limit = query.whole("limit", 1, MAXIMUM_LIMIT) or DEFAULT_LIMIT
        wanted = query.choice("status", STATUSES)
        status = next((known for known in STATUSES if known == wanted), None)
        counts: dict[str, int] = dict.fromkeys(STATUSES, 0)
        found: list[dict[str, Any]] = []
        if self._outbox is not None:
            counts = self._outbox.statistics()
            found = self._outbox.deliveries(status, limit)
        content = {"counts": counts, "deliveries": [_described(one) for one in found]}
        return json_answer(request, content, cache=NEVER_KEPT)

    async def retry(self, request: Request) -> Response:
        """``POST /sidelight/deliveries/{delivery}/retry``: 202 when it waits to be sent again."""
        refuse_foreign_page(request)
        Parameters(request)
        await refuse_body(request)
        name = str(request.path_params["delivery"])
        if self._outbox is None or not _NUMBER.fullmatch(name):
            raise _unknown()
        queued = await run_in_threadpool(self._outbox.retry, int(name))
        if queued is None:
            raise _unknown()
        if not queued:
            raise RequestError(
                409, "not-a-dead-letter", "only a dead letter is sent again; this one isn't dead"
            )
        return accepted({"delivery": int(name), "status": "queued"}, RETRY_SECONDS)


def _unknown() -> RequestError:
    return RequestError(
        404, "unknown-delivery", "there is no such delivery; /sidelight/deliveries lists them"
    )


def _described(delivery: dict[str, Any]) -> dict[str, Any]:
    described = {**delivery, "noted": _moment(delivery["noted"])}
    described["finished"] = _moment(delivery["finished"]) if delivery["finished"] else ""
    described["links"] = {"results": f"/studies/{delivery['study']}/sidelight/results"}
    if delivery["status"] == "dead":
        described["links"]["retry"] = f"/sidelight/deliveries/{delivery['id']}/retry"
    return described


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
