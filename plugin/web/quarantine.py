# SPDX-License-Identifier: AGPL-3.0-or-later
"""Route of the objects that failed validation."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from plugin.quarantine import Quarantine
from plugin.web.answers import json_answer
from plugin.web.parameters import Parameters

_DEFAULT_LIMIT = 100
_MOST = 500


class QuarantineRoutes:
    """``/sidelight/quarantine``."""

    def __init__(self, quarantine: Quarantine | None) -> None:
        self._quarantine = quarantine

    def show(self, request: Request) -> Response:
        """``GET /sidelight/quarantine``: what this node kept aside and why, the newest first."""
        query = Parameters(request, ("limit",))
        limit = query.whole("limit", 1, _MOST) or _DEFAULT_LIMIT
        entries = list(self._quarantine.entries()) if self._quarantine else []
        shown = [
            {
                **entry.model_dump(mode="json"),
                "links": {"scan": f"/{_FOLDERS.get(entry.level, 'series')}/{entry.resource}"},
            }
            for entry in entries[:limit]
        ]
        return json_answer(request, {"count": len(entries), "objects": shown})


_FOLDERS = {"instance": "instances", "series": "series"}
