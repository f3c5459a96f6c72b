# SPDX-License-Identifier: Apache-2.0
"""Sizes of the heat-map network and what else a heat-map bundle records; free of torch."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from inference.heatmap.calibration import Calibration
from inference.heatmap.correlations import Correlations
from inference.heatmap.familiarity import FamiliarityLimits

PoolingName = Literal["lse-lba", "max", "mean", "filtered-max", "generalized-mean", "noisy-or"]


class Architecture(BaseModel):
    """All that is needed to build the network; part of a bundle's ``model.json``.

    ``grids`` are patches a side, finest first. A patch of the finest grid is 4 or 8 pixels of the
    input: 64 of 256, or 128 of 1024. With more than one of ``slices``, what is said of a slice is
    seen in a sub-volume: the slice between as many of its neighbours on either side.
    """

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
    slices: int = Field(default=1, ge=1, le=31, description="odd: neighbours seen with a slice")
    demographics: bool = Field(default=False, description="age and sex are seen too")

    @model_validator(mode="after")
    def _slice_in_the_middle(self) -> Architecture:
        if self.slices % 2 == 0:
            raise ValueError("slices must be odd: as many on either side of the one in the middle")
        return self

    @model_serializer(mode="wrap")
    def _later_ones_where_used(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _without_defaults(handler(self), {"slices": 1, "demographics": False})

    @model_validator(mode="after")
    def _levels_fit(self) -> Architecture:
        if len(self.grids) != len(self.widths) or any(x != 2 * y for x, y in pairwise(self.grids)):
            raise ValueError("grids must halve from level to level, with one width each")
        if self.input_size not in (4 * self.grids[0], 8 * self.grids[0]):
            raise ValueError(
                f"a finest grid of {self.grids[0]} needs an input of {4 * self.grids[0]} or "
                f"{8 * self.grids[0]} pixels"
            )
        return self


class HeatMapSettings(BaseModel):
    """The heat-map part of a bundle's ``model.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    architecture: Architecture
    calibration: dict[str, Calibration] = Field(description="by class key")
    familiarity: FamiliarityLimits
    correlations: Correlations | None = Field(
        default=None, description="between the classes, in their order"
    )

    @model_serializer(mode="wrap")
    def _later_ones_where_used(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _without_defaults(handler(self), {"correlations": None})


def _without_defaults(content: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    """Leave out what was added later and is not used: older bundles keep their digest."""
    return {k: v for k, v in content.items() if k not in later or v != later[k]}
