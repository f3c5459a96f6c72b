# SPDX-License-Identifier: Apache-2.0
"""Sizes of the heat-map network and what else a heat-map bundle records; free of torch."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from inference.heatmap.calibration import Calibration
from inference.heatmap.familiarity import FamiliarityLimits

PoolingName = Literal["lse-lba", "max", "mean"]


class Architecture(BaseModel):
    """All that is needed to build the network; part of a bundle's ``model.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input_size: int = Field(default=256, ge=64, multiple_of=32)
    grids: tuple[int, ...] = Field(default=(64, 32, 16, 8), min_length=1)
    widths: tuple[int, ...] = Field(default=(32, 48, 64, 96), min_length=1)
    stem: int = 16
    growth: int = 16
    layers: int = 3
    fused: int = 48
    pooling: PoolingName = "lse-lba"
    r0: float = Field(default=10.0, ge=0.0)


class HeatMapSettings(BaseModel):
    """The heat-map part of a bundle's ``model.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    architecture: Architecture
    calibration: dict[str, Calibration] = Field(description="by class key")
    familiarity: FamiliarityLimits
