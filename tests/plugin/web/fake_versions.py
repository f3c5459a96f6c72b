# SPDX-License-Identifier: AGPL-3.0-or-later
"""Inference as far as versions of models go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from inference.contract import DecisionTaken, ModelVersion, ModelVersions, VersionDecision


@dataclass
class FakeGate:
    """Two versions, and what was decided."""

    decided: list[tuple[str, VersionDecision]] = field(default_factory=list)
    error: Exception | None = None

    def versions(self) -> list[ModelVersions]:
        if self.error:
            raise self.error
        taken = DecisionTaken(action="promoted", version="0.1.0", at="2026-11-29T08:00:00Z", by="a")
        return [
            ModelVersions(
                name="chest",
                versions=(
                    ModelVersion(version="0.2.0", state="waiting", compared=True),
                    ModelVersion(version="0.1.0", state="served", decision=taken),
                ),
            )
        ]

    def comparison(self, model: str, version: str) -> dict[str, Any]:
        if self.error:
            raise self.error
        figures = {"images": 3, "classes": {}}
        old = {"name": model, "version": "0.1.0", "digest": "0" * 64, "figures": figures}
        new = {**old, "version": version, "digest": "1" * 64}
        apart = {"differences": {}, "only_old": [], "only_new": []}
        return {"images": 3, "old": old, "new": new, **apart}

    def decide(self, model: str, decision: VersionDecision) -> ModelVersions:
        if self.error:
            raise self.error
        self.decided.append((model, decision))
        return self.versions()[0]
