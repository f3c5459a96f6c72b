# SPDX-License-Identifier: AGPL-3.0-or-later
"""Section of the applications: which of the installed models may run, and what goes where."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from plugin.configuration.section import Section

Mode = Literal["enabled", "disabled", "dry-run"]


class ApplicationSection(Section):
    """Modes of the model bundles, by their name.

    ``dry-run`` matches scans as ``enabled`` does, but only says so, in the scan's state and in the
    plan; no model runs.
    """

    table: str = Field(
        default="",
        pattern=r"^$|^/.+",
        description="TOML file that says which scans go to which application; empty: the bundles' "
        "own categories rule",
    )

    default: Mode = Field(
        default="enabled", description="mode of every model that Modes does not name"
    )
    modes: dict[str, Mode] = Field(
        default_factory=dict, description="by model name; dry-run: say what would run, run nothing"
    )

    def mode_of(self, model: str) -> Mode:
        """What is done with scans that fit this model."""
        return self.modes.get(model, self.default)
