# SPDX-License-Identifier: AGPL-3.0-or-later
"""From the recognized anatomy to the standard entries of a header."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydicom.dataset import Dataset

from inference.contract import AnatomyAnswer
from plugin.anatomy.regions import body_part_of
from plugin.configuration.standard_entries import StandardRule, StandardTable
from plugin.results.header import text

LONG_STRING = 64
"""Characters in a value of VR LO (PS3.5 Table 6.2-1)."""
_PAIRED = frozenset({"breast", "upper limb", "lower limb"})
_HYBRID = frozenset({"pet", "petct", "petmr", "petmri", "spect", "spectct"})
"""Words of a Study Description that speak of more than one modality."""


class StandardEntry(BaseModel):
    """One attribute: its standard value, and whether the original says so already."""

    model_config = ConfigDict(frozen=True)

    keyword: str
    standard: str
    differs: bool


class ChangedOnArrival(BaseModel):
    """What an instance says of its change before it was stored; the values are in its header."""

    model_config = ConfigDict(frozen=True)

    keywords: tuple[str, ...] = Field(description="attributes that were changed, added or removed")
    reason: Literal["COERCE", "CORRECT"]


class StandardHeader(BaseModel):
    """Standard entries of one scan, as kept beside it. Nothing in them is of the patient."""

    model_config = ConfigDict(frozen=True)

    rule: str = Field(description="name of the rule of the table; empty: spellings alone")
    entries: tuple[StandardEntry, ...]
    copies: tuple[str, ...] = Field(
        default=(), description="Orthanc identifiers of the modified copies"
    )
    arrival: ChangedOnArrival | None = Field(
        default=None, description="None: stored with the header as it came"
    )


def standard_header(
    header: Dataset, anatomy: AnatomyAnswer | None, table: StandardTable
) -> StandardHeader | None:
    """The standard entries for a scan; None where no rule and no spelling holds for it.

    Args:
        header: of the scan's first instance.
        anatomy: None where it is not known well enough: then spellings count alone.
        table: of rules and spellings.
    """
    rules = table.rules if anatomy is not None else ()
    rule = next((rule for rule in rules if anatomy and _holds(rule, anatomy)), None)
    wanted = spelled(header, table)
    if anatomy is not None and rule is not None:
        wanted |= _named(rule, anatomy)
    elif not wanted:
        return None
    entries = (
        StandardEntry(keyword=keyword, standard=value, differs=text(header, keyword) != value)
        for keyword, value in wanted.items()
    )
    return StandardHeader(rule=rule.name if rule else "", entries=tuple(entries))


def sure_enough(anatomy: AnatomyAnswer | None, lowest: float) -> AnatomyAnswer | None:
    """The anatomy where it is known well enough to say what a header should say."""
    if anatomy is None or not anatomy.regions:
        return None
    return anatomy if anatomy.confidence >= lowest else None


def claims_no_side(header: Dataset | None, anatomy: AnatomyAnswer | None) -> bool:
    """Whether Laterality is there, empty, and not allowed beside an unpaired part.

    It is type 2C, for paired structures only (PS3.3 C.7.3.1); devices send it empty for all.
    """
    if header is None or anatomy is None or _PAIRED & set(anatomy.regions):
        return False
    return "Laterality" in header and not text(header, "Laterality")


def contradicting(anatomy: AnatomyAnswer | None) -> frozenset[str]:
    """Keywords of the attributes that name other regions than the whole answer."""
    if anatomy is None:
        return frozenset()
    shown = set(anatomy.regions)
    return frozenset(one.attribute for one in anatomy.votes if set(one.regions) != shown)


def tells_the_study(
    header: Dataset, anatomy: AnatomyAnswer, standard: StandardHeader, table: StandardTable
) -> bool:
    """Whether what a rule calls the study, by one series of it, is what the study is called.

    A series may show a part of what was scanned, so the Study Description itself must name the
    regions of the answer and no more than them. Which organ or joint of a region it means nobody
    has read, so a finer term than the region's does not count.

    Args:
        header: of the scan's first instance.
        anatomy: sure enough.
        standard: what that header should say.
        table: of the rules that said so.
    """
    votes = {one.attribute: set(one.regions) for one in anatomy.votes}
    if votes.get("StudyDescription") != set(anatomy.regions):
        return False
    if _HYBRID & set(re.findall("[a-z]+", text(header, "StudyDescription").casefold())):
        return False
    rule = next(one for one in table.rules if one.name == standard.rule)
    if rule.body_part_examined or "{body_part}" not in rule.study_description:
        return True
    return anatomy.body_part_examined == body_part_of(anatomy.regions)


def _named(rule: StandardRule, anatomy: AnatomyAnswer) -> dict[str, str]:
    """What a rule says, by keyword."""
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
    return {keyword: value for keyword, value in wanted.items() if value}


def spelled(header: Dataset, table: StandardTable) -> dict[str, str]:
    """What the spellings of the table say of the entries that are there, by keyword."""
    return {
        one.keyword: one.standard
        for one in reversed(table.spellings)  # the first that holds counts
        if folded(text(header, one.keyword)) in {folded(found) for found in one.found}
    }


def folded(value: str) -> str:
    """The same for spellings in which a table sees no difference."""
    return " ".join(value.casefold().split())


def _holds(rule: StandardRule, anatomy: AnatomyAnswer) -> bool:
    return (
        (not rule.modalities or anatomy.modality in rule.modalities)
        and (not rule.regions or set(rule.regions) == set(anatomy.regions))
        and (not rule.views or anatomy.view in rule.views)
    )


def _filled(template: str, names: dict[str, str]) -> str:
    return " ".join(template.format(**names).split())[:LONG_STRING].rstrip()
