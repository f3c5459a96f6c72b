# SPDX-License-Identifier: AGPL-3.0-or-later
"""From the recognized anatomy to the standard entries of a header."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from pydicom.dataset import Dataset

from inference.contract import AnatomyAnswer
from plugin.configuration.standard_entries import StandardRule, StandardTable
from plugin.results.header import text

LONG_STRING = 64
"""Characters in a value of VR LO (PS3.5 Table 6.2-1)."""


class StandardEntry(BaseModel):
    """One attribute: its standard value, and whether the original says so already."""

    model_config = ConfigDict(frozen=True)

    keyword: str
    standard: str
    differs: bool


class StandardHeader(BaseModel):
    """Standard entries of one scan, as kept beside it. Nothing in them is of the patient."""

    model_config = ConfigDict(frozen=True)

    rule: str = Field(description="name of the rule of the table")
    entries: tuple[StandardEntry, ...]
    copies: tuple[str, ...] = Field(
        default=(), description="Orthanc identifiers of the modified copies"
    )


def standard_header(
    header: Dataset, anatomy: AnatomyAnswer, table: StandardTable
) -> StandardHeader | None:
    """The standard entries for a scan; None where no rule holds for it."""
    rule = next((rule for rule in table.rules if _holds(rule, anatomy)), None)
    if rule is None:
        return None
    body_part = rule.body_part_examined or anatomy.body_part_examined or ""
    names = {
        "modality": anatomy.modality,
        "body_part": body_part,
        "view": anatomy.view or "",
        # B and U (both, unpaired) name no side.
        "laterality": anatomy.laterality if anatomy.laterality in ("L", "R") else "",
    }
    wanted = {
        "BodyPartExamined": body_part,
        "SeriesDescription": _filled(rule.series_description, names),
        "StudyDescription": _filled(rule.study_description, names),
    }
    entries = (
        StandardEntry(keyword=keyword, standard=value, differs=text(header, keyword) != value)
        for keyword, value in wanted.items()
        if value
    )
    return StandardHeader(rule=rule.name, entries=tuple(entries))


def _holds(rule: StandardRule, anatomy: AnatomyAnswer) -> bool:
    return (
        (not rule.modalities or anatomy.modality in rule.modalities)
        and (not rule.regions or set(rule.regions) == set(anatomy.regions))
        and (not rule.views or anatomy.view in rule.views)
    )


def _filled(template: str, names: dict[str, str]) -> str:
    return " ".join(template.format(**names).split())[:LONG_STRING].rstrip()
