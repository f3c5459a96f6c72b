# SPDX-License-Identifier: AGPL-3.0-or-later
"""The table of hangings: rows and columns of boxes, and what each box shows.

The first hanging whose modalities and regions a study shows is its hanging.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from plugin.configuration.anatomy_names import RegionName, ViewName
from plugin.configuration.table_file import read_table_file

SHIPPED = Path(__file__).with_name("hangings.toml")
MOST_ROWS = 4
MOST_COLUMNS = 6

_Code = Annotated[str, Field(pattern=r"^[A-Z0-9_ ]{1,16}$")]
Orientation = Literal["any", "axial", "coronal", "sagittal"]
_ROWS = {"top": 0, "bottom": -1}
_COLUMNS = {"left": 0, "right": -1}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Box(_Part):
    """One box: where it is, and what it shows."""

    at: str | tuple[int, int] = Field(
        description="such as 'top left', or [row, column], both counted from 1"
    )
    modalities: tuple[_Code, ...] = Field(default=(), description="empty: those of the hanging")
    regions: tuple[RegionName, ...] = Field(default=(), description="empty: those of the hanging")
    views: tuple[ViewName, ...] = Field(default=(), description="those that are recognized")
    laterality: Literal["any", "L", "R"] = "any"
    orientation: Orientation = "any"
    contrast: Literal["any", "with", "without"] = "any"
    prior: int = Field(
        default=0, ge=0, le=9, description="0: current; 1: the latest prior that fits …"
    )


class Hanging(_Part):
    """One hanging."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,15}$", description="at most 16 characters (SH)")
    description: str = Field(min_length=3, max_length=64)
    modalities: tuple[_Code, ...] = Field(min_length=1)
    regions: tuple[RegionName, ...] = Field(min_length=1)
    rows: int = Field(ge=1, le=MOST_ROWS)
    columns: int = Field(ge=1, le=MOST_COLUMNS)
    boxes: tuple[Box, ...] = Field(alias="box", min_length=1)

    @model_validator(mode="after")
    def _boxes_have_places_of_their_own(self) -> Hanging:
        places = [self.place(box) for box in self.boxes]
        twice = next((place for place in places if places.count(place) > 1), None)
        if twice is not None:
            raise ValueError(f"two boxes are at row {twice[0]}, column {twice[1]}")
        return self

    def place(self, box: Box) -> tuple[int, int]:
        """Row and column of a box, counted from 1.

        Raises:
            ValueError: there is no such place.
        """
        if isinstance(box.at, str):
            return self._named(box.at)
        row, column = box.at
        if not (1 <= row <= self.rows and 1 <= column <= self.columns):
            raise ValueError(
                f"box.at = {list(box.at)}: allowed: rows 1 to {self.rows}, "
                f"columns 1 to {self.columns}"
            )
        return row, column

    def _named(self, words: str) -> tuple[int, int]:
        parts = words.split()
        rows = [_ROWS[part] for part in parts if part in _ROWS]
        columns = [_COLUMNS[part] for part in parts if part in _COLUMNS]
        if len(rows) > 1 or len(columns) > 1 or len(rows) + len(columns) != len(parts) or not parts:
            raise ValueError(
                f"box.at = {words!r}: allowed: top or bottom, left or right, or [row, column]"
            )
        row, column = (rows or [0])[0] % self.rows, (columns or [0])[0] % self.columns
        return row + 1, column + 1

    def shown_by(self, box: Box) -> tuple[tuple[str, ...], tuple[RegionName, ...]]:
        """Modalities and regions that a box shows."""
        return box.modalities or self.modalities, box.regions or self.regions

    @property
    def priors(self) -> int:
        """How many priors the hanging refers to."""
        return max(box.prior for box in self.boxes)


class HangingTable(_Part):
    """All hangings, in the order in which they are tried."""

    hangings: tuple[Hanging, ...] = Field(default=(), alias="hanging")

    @model_validator(mode="after")
    def _names_are_unique(self) -> HangingTable:
        names = [one.name for one in self.hangings]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two hangings have the name {twice}")
        return self

    def named(self, name: str) -> Hanging | None:
        """The hanging of that name."""
        return next((one for one in self.hangings if one.name == name), None)


def read_hangings(path: str = "") -> HangingTable:
    """Read and validate the table at ``path``; the shipped one where that is empty.

    Raises:
        TableError: no such file, no TOML, or a hanging that is not allowed.
    """
    return read_table_file(Path(path) if path else SHIPPED, HangingTable)
