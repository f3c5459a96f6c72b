# SPDX-License-Identifier: AGPL-3.0-or-later
"""``GET /sidelight/pulls``: what is fetched from other archives, when, and how that went."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from plugin.routing.pull_report import PullReport
from plugin.web.answers import NEVER_KEPT, json_answer
from plugin.web.parameters import Parameters


class PullRoutes:
    """``report`` tells of every pull; None where the table has none."""

    def __init__(self, report: PullReport | None) -> None:
        self._report = report

    def index(self, request: Request) -> Response:
        """``GET /sidelight/pulls``: asks no other archive."""
        Parameters(request)
        pulls = self._report.pulls() if self._report else []
        return json_answer(request, {"pulls": pulls}, cache=NEVER_KEPT)
