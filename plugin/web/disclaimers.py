# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a model wants said beside every one of its results."""

from __future__ import annotations

from collections.abc import Callable

from inference.contract import ModelDescription
from plugin.states import ScanState
from plugin.web.errors import InferenceUnavailableError
from plugin.web.stored import StoredResults


class Disclaimers:
    """Disclaimers by the model that a scan's state names.

    They come from the stored findings, so that those of models that are served no longer are known
    too; where a model left none, as when it abstained, inference is asked.
    """

    def __init__(
        self, results: StoredResults, models: Callable[[], list[ModelDescription]]
    ) -> None:
        self._results = results
        self._models = models
        self._known: dict[tuple[str, str], str] = {}

    def of(self, state: ScanState) -> str:
        """The disclaimer; empty where no model was asked, or its own is nowhere to be had."""
        model = (state.model, state.model_version)
        if state.model and model not in self._known:
            self._learn(state)
        return self._known.get(model, "")

    def _learn(self, state: ScanState) -> None:
        stored = self._results.findings_behind(state)
        try:
            models = [stored.findings.model] if stored else self._models()
        except InferenceUnavailableError:
            return  # asked again with the next request
        for model in models:
            self._known[model.name, model.version] = model.disclaimer
