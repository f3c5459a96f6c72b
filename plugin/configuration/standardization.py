# SPDX-License-Identifier: AGPL-3.0-or-later
"""Section of header standardization: what a scan's header should say, and where it is said."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from plugin.configuration.section import Section

StandardAttribute = Literal[
    "BodyPartExamined", "SeriesDescription", "StudyDescription", "RequestedProcedurePriority"
]


ArrivalAttribute = Literal["BodyPartExamined", "SeriesDescription", "StudyDescription"]


class StandardizationSection(Section):
    """Standard entries for a header, by what the scan shows. A stored instance never changes."""

    mode: Literal["off", "metadata", "copy", "arrival"] = Field(
        default="off",
        description="metadata: beside the original; copy: also a modified copy in the same study; "
        "arrival: in the header itself, before Orthanc stores it",
    )
    table: str = Field(
        default="",
        pattern=r"^$|^/.+",
        description="TOML file with the standard entries; empty: the shipped one",
    )
    minimum_confidence: float = Field(
        default=0.8,
        ge=0.0,
        le=1.0,
        description="of the recognized anatomy; below it nothing is standardized",
    )
    copied_attributes: tuple[StandardAttribute, ...] = Field(
        default=("BodyPartExamined", "SeriesDescription"),
        strict=False,
        description="what a copy may change; StudyDescription would differ inside one study",
    )
    arrival_attributes: tuple[ArrivalAttribute, ...] = Field(
        default=("BodyPartExamined", "SeriesDescription"),
        strict=False,
        description="what is made standard at arrival; one series would decide on StudyDescription",
    )
    arrival_seconds: float = Field(
        default=2.0,
        gt=0,
        le=60,
        description="a sender waits so long at most; then an instance is stored as it came",
    )
