# SPDX-License-Identifier: AGPL-3.0-or-later
"""Section of collecting: headers of the archive, put aside at quiet hours to train with."""

from __future__ import annotations

from pydantic import Field

from plugin.configuration.section import Section


class CollectingSection(Section):
    """When and how much is collected; nothing is trained by it."""

    window: str = Field(
        default="",
        pattern=r"^$|^([01]?\d|2[0-3])-([01]?\d|2[0-3])$",
        description="quiet hours in local time, such as 22-5, in which de-identified headers are "
        "put aside to train the anatomy model with; equal hours: always; empty: never",
    )
    interval_seconds: float = Field(
        default=2.0, ge=0.0, le=3600.0, description="least time between two series"
    )
    rows_per_night: int = Field(
        default=500, ge=1, le=100_000, description="series that are looked at in one night, at most"
    )
    maximum_rows: int = Field(
        default=20_000, ge=100, le=1_000_000, description="rows kept; then the oldest go"
    )
    pixel_teacher: bool = Field(
        default=False,
        description="true: the pixel model is asked where the tags leave doubt; fetches slices",
    )

    @property
    def hours(self) -> tuple[int, int] | None:
        """First quiet hour and the one that ends them; None: never."""
        if not self.window:
            return None
        first, last = self.window.split("-")
        return int(first), int(last)
