# SPDX-License-Identifier: AGPL-3.0-or-later
"""The table of standard header entries, by modality, anatomy and view."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from plugin.configuration.anatomy_names import RegionName
from plugin.configuration.dicom_terms import body_part
from plugin.configuration.table_file import read_table_file

SHIPPED = Path(__file__).with_name("standard_entries.toml")
PLACEHOLDERS = frozenset({"modality", "body_part", "view", "laterality"})


def _template(text: str) -> str:
    if not all(" " <= mark <= "~" and mark != "\\" for mark in text):
        # So that it fits into an original of any character set (PS3.5 section 6.1).
        raise ValueError("only printable ASCII without backslash is allowed")
    known = ", ".join(f"{{{name}}}" for name in sorted(PLACEHOLDERS))
    for _, name, form, conversion in string.Formatter().parse(text):
        if name is not None and name not in PLACEHOLDERS:
            raise ValueError(f"there is no placeholder {{{name}}}; allowed: {known}")
        if form or conversion:
            # It would fail at the first scan to which the rule applies.
            raise ValueError(f"a placeholder takes no format and no conversion; allowed: {known}")
    if text and not text.strip():
        raise ValueError("it is blank; leave the key out where nothing is to be changed")
    return text


_Template = Annotated[str, Field(max_length=64), AfterValidator(_template)]
_CodeString = Annotated[str, Field(pattern=r"^[A-Z0-9_ ]{1,16}$")]
_BodyPart = Annotated[_CodeString, AfterValidator(body_part)]


def _not_blank(text: str) -> str:
    stripped = text.strip()
    if not stripped:
        raise ValueError("it is blank: at least one character is needed")
    return stripped


_Words = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_not_blank)]


class StandardRule(BaseModel):
    """One line of the table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    modalities: tuple[_CodeString, ...] = ()
    regions: tuple[RegionName, ...] = ()
    views: tuple[_CodeString, ...] = ()
    body_part_examined: _BodyPart = Field(default="", validate_default=False)
    series_description: _Template = ""
    study_description: _Template = ""


class StandardSpelling(BaseModel):
    """Spellings of one attribute that stand for a standard one, whatever the scan shows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keyword: Literal["BodyPartExamined", "SeriesDescription", "StudyDescription"]
    found: tuple[_Words, ...] = Field(min_length=1)
    standard: _Words = Field(pattern=r"^[ -\[\]-~]+$")

    @model_validator(mode="after")
    def _is_a_defined_term(self) -> StandardSpelling:
        if self.keyword == "BodyPartExamined":
            try:
                body_part(self.standard)
            except ValueError as error:
                raise ValueError(f"standard = {self.standard!r}: {error}") from None
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
