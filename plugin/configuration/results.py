# SPDX-License-Identifier: AGPL-3.0-or-later
"""Section of the result objects."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from plugin.configuration.section import Section

Validator = Literal["dciodvfy", "dsrdump", "dcmpschk"]


class ResultsSection(Section):
    """The DICOM objects that go back into the study."""

    segmentation: Literal["BINARY", "FRACTIONAL", "NONE"] = Field(
        default="BINARY", description="BINARY: bands of equal probability, drawn by every viewer"
    )
    viewer_profile: Literal["stone+ohif"] = Field(
        default="stone+ohif", description="the viewers whose needs the objects meet"
    )
    series_number_base: int = Field(
        default=9100, ge=1, le=2147483000, description="first of the reserved SeriesNumber range"
    )
    validators: tuple[Validator, ...] = Field(
        default=("dciodvfy", "dsrdump", "dcmpschk"),
        strict=False,
        description="external checks before storing, where installed",
    )
