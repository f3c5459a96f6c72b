# SPDX-License-Identifier: AGPL-3.0-or-later
"""``GET /sidelight/pulls``: what is fetched from other archives, when, and how that went."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from plugin.web.answers import NEVER_KEPT, json_answer
from plugin.web.parameters import Parameters


class PullRoutes:
    """``told`` says what is known of every pull; None where the table has none."""

    def __init__(self, told: Callable[[], list[dict[str, Any]]] | None) -> None:
        self._told = told

    def index(self, request: Request) -> Response:
        """``GET /sidelight/pulls``: asks no other archive."""
        Parameters(request)
        pulls = self._told() if self._told else []
        return json_answer(request, {"pulls": pulls}, cache=NEVER_KEPT)
