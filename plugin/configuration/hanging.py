# SPDX-License-Identifier: AGPL-3.0-or-later
"""Section of the hanging: how the series of a study are laid out for a reader."""

from __future__ import annotations

from pydantic import Field

from plugin.configuration.section import Section


class HangingSection(Section):
    """Rules of the hanging."""

    table: str = Field(
        default="",
        pattern=r"^$|^/.+",
        description="TOML file with the rules of the hanging; empty: the shipped one",
    )
