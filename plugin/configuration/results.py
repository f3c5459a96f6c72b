# SPDX-License-Identifier: AGPL-3.0-or-later
"""Section of the result objects."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from plugin.configuration.section import Section

Validator = Literal["dciodvfy", "dsrdump", "dcmpschk", "pixelmed"]
AdditionalKind = Literal["SEG-LABELMAP", "SEG-FRACTIONAL", "PM", "PR-HEATMAP", "SC", "KO", "PDF"]
SERIES_NUMBERS_PER_APPLICATION = 10
SeriesNumber = Annotated[int, Field(ge=1, le=2147483000)]


class ResultsSection(Section):
    """The DICOM objects that go back into the study."""

    segmentation: Literal["BINARY", "LABELMAP", "FRACTIONAL", "NONE"] = Field(
        default="BINARY", description="BINARY: bands of equal probability, drawn by every viewer"
    )
    additional: tuple[AdditionalKind, ...] = Field(
        default=(),
        strict=False,
        description="objects besides SR, SEG and PR: label map, fractions, parametric map, "
        "colours for the fractions, picture, key objects, one-page summary",
    )
    viewer_profile: Literal["stone+ohif", "ihe-air", "weasis"] = Field(
        default="stone+ohif", description="the viewers whose needs the objects meet"
    )
    series_number_base: int = Field(
        default=9100, ge=1, le=2147480000, description="first of the 900 reserved SeriesNumbers"
    )
    series_numbers: dict[str, SeriesNumber] = Field(
        default={},
        description="first SeriesNumber of a model, ten each; others get theirs by name",
    )
    validators: tuple[Validator, ...] = Field(
        default=("dciodvfy", "dsrdump", "dcmpschk"),
        strict=False,
        description="external checks before storing, where installed; pixelmed takes half a minute",
    )

    @model_validator(mode="after")
    def _blocks_are_apart(self) -> ResultsSection:
        ordered = sorted(self.series_numbers.values())
        if any(b - a < SERIES_NUMBERS_PER_APPLICATION for a, b in pairwise(ordered)):
            raise ValueError(
                "SeriesNumbers: must be ten apart, or two models would share numbers on one study"
            )
        return self
