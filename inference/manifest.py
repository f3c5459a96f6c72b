# SPDX-License-Identifier: Apache-2.0
"""``model.json`` of a bundle: what it says, its one spelling, and how it is written."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from inference.commissioning.criteria import Criteria
from inference.contract import FindingClass, Probability, ScanCategory
from inference.heatmap.architecture import HeatMapSettings
from inference.heatmap.calibration import Calibration
from inference.imported.settings import ImportedSettings

MANIFEST = "model.json"
WEIGHTS = "weights.safetensors"
CARD = "README.md"
COMPARISON, COMPARISON_PAGE = "comparison.json", "comparison.html"
"""Beside a bundle, not part of it: how it compares with the version before it."""


class BundleError(Exception):
    """A bundle cannot be served; the message names the bundle's fault and what to do."""


class CommissioningCase(BaseModel):
    """Expected answer on one image that travels with the bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    probabilities: dict[str, Probability] = Field(description="by class key")


class Commissioning(BaseModel):
    """What a bundle must reproduce before it is served."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tolerance: float = Field(default=0.05, gt=0.0, lt=0.5)
    cases: tuple[CommissioningCase, ...] = Field(min_length=1)


class BundleManifest(BaseModel):
    """``model.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    format: Literal[1]
    kind: Literal["heatmap", "imported"]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    title: str
    disclaimer: str = Field(min_length=1)
    works_on: Literal["instance", "series"]
    categories: tuple[ScanCategory, ...] = Field(min_length=1)
    classes: tuple[FindingClass, ...] = Field(min_length=1)
    trained: HeatMapSettings | None = Field(
        default=None, alias="heatmap", description="of kind heatmap"
    )
    imported: ImportedSettings | None = Field(default=None, description="of kind imported")
    commissioning: Commissioning
    criteria: Criteria | None = Field(default=None, description="figures it must reach")
    reference: dict[str, tuple[Probability, ...]] | None = Field(
        default=None,
        description="by class key: deciles of its probabilities on the images it was set up with",
    )
    training: dict[str, Any] = Field(default_factory=dict, description="how it was trained")
    metrics: dict[str, Any] = Field(default_factory=dict, description="held-out figures")

    @property
    def heatmap(self) -> HeatMapSettings:
        """The settings of a bundle of kind ``heatmap``.

        Raises
        ------
        BundleError
            It is of another kind.
        """
        if self.trained is None:
            raise BundleError(f"{self.name} is no heat-map network of Sidelight's own")
        return self.trained

    @property
    def calibration(self) -> dict[str, Calibration]:
        """From pooled scores to probabilities, by class key."""
        return self.imported.calibration if self.imported else self.heatmap.calibration

    @property
    def grids(self) -> tuple[int, ...]:
        """Patches a side of its maps, finest first."""
        return (self.imported.grid,) if self.imported else self.heatmap.architecture.grids

    @property
    def files(self) -> tuple[str, ...]:
        """The files beside ``model.json`` that decide what it answers."""
        program = self.imported.program if self.imported else None
        return (WEIGHTS, program) if program else (WEIGHTS,)

    @model_validator(mode="after")
    def _kind_has_its_part(self) -> Self:
        given = {"heatmap": self.trained, "imported": self.imported}
        for kind, part in given.items():
            if (kind == self.kind) != (part is not None):
                raise ValueError(
                    f"a bundle of kind {self.kind} has a part {self.kind} and no other"
                )
        if self.imported and len(self.imported.channels) != len(self.classes):
            raise ValueError("imported.channels must name one output channel per class")
        return self

    @model_validator(mode="after")
    def _classes_agree(self) -> Self:
        keys = [c.key for c in self.classes]
        if len(set(keys)) != len(keys):
            raise ValueError("class keys must be unique")
        if set(self.calibration) != set(keys):
            raise ValueError("calibration must name exactly the classes")
        for number, case in enumerate(self.commissioning.cases, start=1):
            if set(case.probabilities) != set(keys):
                raise ValueError(f"commissioning case {number} must name exactly the classes")
        for key, deciles in (self.reference or {}).items():
            if key not in keys or len(deciles) != 9 or any(a > b for a, b in pairwise(deciles)):
                raise ValueError(
                    "reference must hold nine rising deciles for classes of the bundle"
                )
        return self


# Left out of the digested text while unset, so that bundles made before they existed keep theirs.
_LATER = ("heatmap", "imported", "criteria", "reference")


def canonical_json(manifest: BundleManifest) -> bytes:
    """The one spelling of a manifest that is digested."""
    return json.dumps(
        _content(manifest), sort_keys=True, separators=(",", ":"), ensure_ascii=True
    ).encode()


def write_manifest(folder: Path, manifest: BundleManifest) -> None:
    """Write ``model.json``, readable and complete or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_content(manifest), indent=2, ensure_ascii=False) + "\n"
    unfinished = folder / (MANIFEST + ".part")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(folder / MANIFEST)


def _content(manifest: BundleManifest) -> dict[str, Any]:
    content: dict[str, Any] = manifest.model_dump(mode="json", by_alias=True)
    return {k: v for k, v in content.items() if not (k in _LATER and v is None)}
