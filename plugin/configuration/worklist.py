# SPDX-License-Identifier: AGPL-3.0-or-later
"""Section of the worklist: what is urgent, and which labels say how an analysis ended."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from plugin.configuration.section import Section

LabelLevel = Literal["study", "series", "instance"]


class WorklistSection(Section):
    """Priority rules."""

    priority_table: str = Field(
        default="",
        pattern=r"^$|^/.+",
        description="TOML file with the rules of urgency; empty: the shipped one",
    )


class LabelSection(Section):
    """Orthanc's labels (since 1.12.0) on what was analysed."""

    levels: tuple[LabelLevel, ...] = Field(
        default=("study", "series", "instance"),
        strict=False,
        description="what gets the label positive, negative, abstained or failed; empty list: none",
    )
    prefix: str = Field(
        default="sidelight-",
        # Orthanc admits these marks in labels (Orthanc Book, "Labels").
        pattern=r"^[A-Za-z0-9_-]{0,40}$",
        description="before each label, so that they can't be mistaken for somebody else's",
    )
