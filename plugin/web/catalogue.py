# SPDX-License-Identifier: AGPL-3.0-or-later
"""The models that inference serves, and the status of the whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from inference.contract import ModelDescription
from plugin.web.answers import NEVER_KEPT, json_answer
from plugin.web.parameters import Parameters


class CatalogueRoutes:
    """``/sidelight/models`` and ``/sidelight/status``."""

    def __init__(
        self,
        models: Callable[[], list[ModelDescription]],
        status: Callable[[], dict[str, Any]],
    ) -> None:
        self._models = models
        self._status = status

    def models(self, request: Request) -> Response:
        """``GET /sidelight/models``."""
        Parameters(request)
        models = [model.model_dump(mode="json") for model in self._models()]
        return json_answer(request, {"models": models})

    def status(self, request: Request) -> Response:
        """``GET /sidelight/status``."""
        Parameters(request)
        return json_answer(request, self._status(), cache=NEVER_KEPT)
