# SPDX-License-Identifier: AGPL-3.0-or-later
"""The table of standard header entries, by modality, anatomy and view."""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from plugin.configuration.anatomy_names import RegionName
from plugin.configuration.table_file import read_table_file

SHIPPED = Path(__file__).with_name("standard_entries.toml")
PLACEHOLDERS = frozenset({"modality", "body_part", "view", "laterality"})


def _template(text: str) -> str:
    if not all(" " <= mark <= "~" and mark != "\\" for mark in text):
        # So that it fits into an original of any character set (PS3.5 section 6.1).
        raise ValueError("only printable ASCII without backslash is allowed")
    names = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    unknown = min(names - PLACEHOLDERS, default=None)
    if unknown is not None:
        known = ", ".join(sorted(PLACEHOLDERS))
        raise ValueError(f"there is no placeholder {{{unknown}}}; allowed: {known}")
    return text


_Template = Annotated[str, Field(max_length=64), AfterValidator(_template)]
_CodeString = Annotated[str, Field(pattern=r"^[A-Z0-9_ ]{1,16}$")]


class StandardRule(BaseModel):
    """One line of the table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    modalities: tuple[_CodeString, ...] = ()
    regions: tuple[RegionName, ...] = ()
    views: tuple[_CodeString, ...] = ()
    body_part_examined: _CodeString = Field(default="", validate_default=False)
    series_description: _Template = ""
    study_description: _Template = ""


class StandardSpelling(BaseModel):
    """Spellings of one attribute that stand for a standard one, whatever the scan shows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keyword: Literal["BodyPartExamined", "SeriesDescription", "StudyDescription"]
    found: tuple[Annotated[str, Field(min_length=1, max_length=64)], ...] = Field(min_length=1)
    standard: str = Field(min_length=1, max_length=64, pattern=r"^[ -\[\]-~]+$")

    @model_validator(mode="after")
    def _is_a_code_string(self) -> StandardSpelling:
        if self.keyword == "BodyPartExamined" and not re.fullmatch(
            r"[A-Z0-9_ ]{1,16}", self.standard
        ):
            raise ValueError(
                f"standard = {self.standard!r}: allowed are 16 of A to Z, 0 to 9, space and _"
            )
        return self


class StandardTable(BaseModel):
    """All rules, in the order in which they are tried, and all spellings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[StandardRule, ...] = Field(default=(), alias="rule")
    spellings: tuple[StandardSpelling, ...] = Field(default=(), alias="spelling")

    @model_validator(mode="after")
    def _names_are_unique(self) -> StandardTable:
        names = [rule.name for rule in self.rules]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two rules have the name {twice}")
        return self


def read_standard_entries(path: str = "") -> StandardTable:
    """Read and validate the table at ``path``; the shipped one where that is empty.

    Raises:
        TableError: no such file, no TOML, or a rule that is not allowed.
    """
    return read_table_file(Path(path) if path else SHIPPED, StandardTable)
