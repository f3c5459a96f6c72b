# SPDX-License-Identifier: AGPL-3.0-or-later
"""Section of the heat maps as pictures."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from plugin.configuration.section import Section

MaskRegion = Literal["lungs", "heart", "breast", "body", "none"]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class HeatMapSection(Section):
    """How heat maps are ordered and drawn where a request does not say."""

    smoothing: float = Field(
        default=1.0, ge=0, le=1, description="0: patches as they are; 1: from centre to centre"
    )
    smoothing_by_finding: dict[str, Fraction] = Field(
        default={}, description="by key of a finding, where it differs"
    )
    regions: dict[str, MaskRegion] = Field(
        default={}, description="by key of a finding: where mask=auto leaves colour"
    )
    order: Literal["probability", "severity", "preference"] = Field(
        default="probability", description="of an image's heat maps"
    )
    preference: tuple[str, ...] = Field(
        default=(), strict=False, description="keys of findings, first to last, for that order"
    )
