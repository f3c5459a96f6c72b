# SPDX-License-Identifier: AGPL-3.0-or-later
"""Section of de-identified copies."""

from __future__ import annotations

from pydantic import Field

from plugin.configuration.section import Section


class CopiesSection(Section):
    """De-identified copies of what is stored, for others; originals stay."""

    table: str = Field(
        default="",
        pattern=r"^$|^/.+",
        description="TOML file with the rules of de-identified copies; empty: none are made",
    )
