# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who has looked at originals on the review page, for the accounts that audit it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from deid.errors import VaultError
from plugin.deid_review.accesses import Seen
from plugin.routes import USER_HEADER
from plugin.web.answers import NEVER_KEPT, json_answer
from plugin.web.deid_desk import GiveDesk, given
from plugin.web.errors import RequestError
from plugin.web.parameters import Parameters

_DEFAULT_LIMIT, _MOST = 100, 1000
_LAST_NUMBER = 2**31 - 1


class DeidAuditRoutes:
    """``/sidelight/deid/audit``."""

    def __init__(self, desk: GiveDesk | None) -> None:
        self._give = desk

    def listed(self, request: Request) -> Response:
        """``GET /sidelight/deid/audit``: looks at originals, the oldest first."""
        desk = given(self._give)
        if desk is None or not desk.may_audit(request.headers.get(USER_HEADER, "")):
            raise RequestError(
                403,
                "not-an-auditor",
                "this account may not read who saw originals: an administrator adds it to "
                "Sidelight.DeidentificationReview.Auditors",
            )
        query = Parameters(request, ("after", "limit"))
        after = query.whole("after", 0, _LAST_NUMBER) or 0
        limit = query.whole("limit", 1, _MOST) or _DEFAULT_LIMIT
        try:
            records = desk.accesses.after(after, limit)
        except VaultError as error:
            raise RequestError(503, "audit-unusable", str(error)) from None
        content = {"records": [shown(one) for one in records]}
        return json_answer(request, content, cache=NEVER_KEPT)


def shown(record: Seen) -> dict[str, Any]:
    """One record as JSON."""
    return {
        "number": record.number,
        "at": record.at,
        "by": record.by,
        "kind": record.sight.kind.value,
        "item": record.sight.item,
        "resource": record.sight.resource,
        "frame": record.sight.frame,
        "reason": record.sight.reason,
    }
