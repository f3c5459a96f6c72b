# SPDX-License-Identifier: AGPL-3.0-or-later
"""The table of priority rules.

A rule is about a finding, or about how an analysis ended. All conditions that it names must hold;
what it does not name is not asked. The first rule of the table that holds decides.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from plugin.configuration.anatomy_names import RegionName
from plugin.configuration.table_file import read_table_file

SHIPPED = Path(__file__).with_name("priorities.toml")

PriorityName = Literal["low", "routine", "urgent", "time-critical"]
LEVELS: dict[PriorityName, int] = {"low": 0, "routine": 1, "urgent": 2, "time-critical": 3}

OutcomeName = Literal["no-findings", "abstained", "refused", "failed", "no-application"]

_FindingName = Annotated[
    str,
    # A class key as in FindingClass, or SCHEME:value (PS3.3 section 8.8).
    Field(pattern=r"^([a-z][a-z0-9-]*|[A-Z0-9_]{2,16}:[A-Za-z0-9.\-]{1,16})$"),
]
_Modality = Annotated[str, Field(pattern=r"^[A-Z0-9_ ]{1,16}$")]


class Rule(BaseModel):
    """One line of the table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$", description="said on REST; unique")
    priority: PriorityName
    reason: str = Field(min_length=3, max_length=200, description="in words, for the reader")
    findings: tuple[_FindingName, ...] = Field(
        default=(), description="class keys, or codes as SCHEME:value; empty: any finding"
    )
    outcomes: tuple[OutcomeName, ...] = Field(
        default=(), description="for scans without a finding: how the analysis ended"
    )
    modalities: tuple[_Modality, ...] = ()
    regions: tuple[RegionName, ...] = ()
    minimum_probability: float = Field(default=0.0, ge=0.0, le=1.0)
    below_probability: float = Field(
        default=1.01, gt=0.0, le=1.01, description="1.01: no upper limit"
    )
    minimum_age_hours: float | None = Field(default=None, ge=0)
    below_age_hours: float | None = Field(default=None, gt=0)
    within_minutes: int | None = Field(
        default=None, ge=1, le=100_000, description="how soon somebody should look"
    )

    @model_validator(mode="after")
    def _conditions_can_hold(self) -> Rule:
        if self.findings and self.outcomes:
            raise ValueError("a rule is about findings or about outcomes, not about both")
        limited = self.minimum_probability > 0.0 or self.below_probability < 1.01
        if self.outcomes and limited:
            raise ValueError("an outcome has no probability")
        if self.minimum_probability >= self.below_probability:
            raise ValueError("minimum_probability must be less than below_probability")
        youngest, oldest = self.minimum_age_hours or 0.0, self.below_age_hours
        if oldest is not None and youngest >= oldest:
            raise ValueError("minimum_age_hours must be less than below_age_hours")
        return self


class PriorityTable(BaseModel):
    """All rules, in the order in which they are tried."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[Rule, ...] = Field(default=(), alias="rule")

    @model_validator(mode="after")
    def _names_are_unique(self) -> PriorityTable:
        names = [rule.name for rule in self.rules]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two rules have the name {twice}")
        return self


def read_priorities(path: str = "") -> PriorityTable:
    """Read and validate the table at ``path``; the shipped one where that is empty.

    Raises:
        TableError: no such file, no TOML, or a rule that is not allowed.
    """
    return read_table_file(Path(path) if path else SHIPPED, PriorityTable)
