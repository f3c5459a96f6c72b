# SPDX-License-Identifier: Apache-2.0
"""The ten body regions, their codes, and the defined terms and codes that lead to them.

Sources: PS3.16 CID 4 "Anatomic Region", PS3.16 Annex L "Correspondence of Anatomic Region Codes and
Body Part Examined Defined Terms". The tables are data beside this module (``data/*.csv``) and are
checked when they are read.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import get_args

from inference.contract import CodedConcept, RegionName

Regions = frozenset[RegionName]

NOWHERE: Regions = frozenset()
REGIONS: tuple[RegionName, ...] = get_args(RegionName)
"""In the order in which answers list them."""

_COMPOSITES = (
    "HEADNECK",
    "NECKCHEST",
    "NECKCHESTABDOMEN",
    "NECKCHESTABDPELV",
    "CHESTABDOMEN",
    "CHESTABDPELVIS",
    "ABDOMENPELVIS",
    "PELVISLOWEXTREMT",
)
_BY_HYPHENED: Mapping[str, RegionName] = {name.replace(" ", "-"): name for name in REGIONS}


class AnatomyTableError(ValueError):
    """A table of the anatomy package is not valid; the message names table, row and remedy."""


@dataclass(frozen=True, slots=True)
class BodyPart:
    """One row of PS3.16 Annex L: a defined term of Body Part Examined and where it lies."""

    term: str
    regions: Regions


def parse_regions(text: str) -> Regions:
    """Read space-separated names; two-word names are written with a hyphen (``upper-limb``).

    :raises AnatomyTableError: for a name that is none of the ten.
    """
    try:
        return frozenset(_BY_HYPHENED[name] for name in text.split())
    except KeyError as error:
        raise AnatomyTableError(
            f"{error.args[0]!r} is no region; use {', '.join(_BY_HYPHENED)}"
        ) from None


def format_regions(regions: Iterable[RegionName]) -> str:
    """Write names in their order, separated by spaces, two-word names with a hyphen."""
    return " ".join(name.replace(" ", "-") for name in in_order(regions))


def in_order(regions: Iterable[RegionName]) -> tuple[RegionName, ...]:
    """Sort region names in the order of :data:`REGIONS`."""
    return _in_order(regions if isinstance(regions, frozenset) else frozenset(regions))


@lru_cache(maxsize=4096)
def _in_order(named: Regions) -> tuple[RegionName, ...]:
    return tuple(name for name in REGIONS if name in named)


def read_table(name: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV table of this package."""
    text = files("inference.anatomy").joinpath("data", name).read_text(encoding="utf-8")
    yield from csv.DictReader(text.splitlines())


@cache
def _region_rows() -> Mapping[RegionName, tuple[CodedConcept, str, str]]:
    rows: dict[RegionName, tuple[CodedConcept, str, str]] = {}
    for row in read_table("regions.csv"):
        (name,) = parse_regions(row["name"])
        code = CodedConcept(value=row["code"], scheme="SCT", meaning=row["meaning"])
        rows[name] = (code, row["term"], row["letter"])
    if set(rows) != set(REGIONS):
        raise AnatomyTableError("regions.csv: needs one row for each of the ten regions")
    return rows


def region_code(region: RegionName) -> CodedConcept:
    """SNOMED CT code of a region, of PS3.16 CID 4."""
    return _region_rows()[region][0]


def parse_letters(letters: str) -> Regions:
    """Read regions written as letters (W H N S C B A P U L), as labelled headers have them.

    :raises AnatomyTableError: for another letter.
    """
    by_letter = {row[2]: name for name, row in _region_rows().items()}
    try:
        return frozenset(by_letter[letter] for letter in letters.strip())
    except KeyError as error:
        raise AnatomyTableError(
            f"{error.args[0]!r} is no region letter; use {''.join(by_letter)}"
        ) from None


@cache
def body_parts() -> Mapping[str, BodyPart]:
    """Body parts by defined term, spelling variants included."""
    parts: dict[str, BodyPart] = {}
    for row in read_table("body_parts.csv"):
        if row["term"] in parts or not row["code"].isdigit():
            raise AnatomyTableError(f"body_parts.csv: {row['term']} is twice there or has no code")
        parts[row["term"]] = BodyPart(row["term"], parse_regions(row["regions"]))
    for row in read_table("spellings.csv"):
        if row["spelling"] in parts:
            raise AnatomyTableError(f"spellings.csv: {row['spelling']} is already a term")
        if row["term"] and row["term"] not in parts:
            raise AnatomyTableError(f"spellings.csv: {row['term']} is no term of body_parts.csv")
        parts[row["spelling"]] = parts[row["term"]] if row["term"] else BodyPart("", NOWHERE)
    return parts


def body_part(value: str) -> BodyPart | None:
    """Find the body part of a Body Part Examined value, however it is punctuated, or ``None``."""
    return body_parts().get(re.sub(r"[\W_]+", "", value).upper())


@cache
def _parts_by_code() -> Mapping[tuple[str, str], BodyPart]:
    parts = body_parts()
    by_code: dict[tuple[str, str], BodyPart] = {}
    for row in read_table("body_parts.csv"):
        by_code.setdefault(("SCT", row["code"]), parts[row["term"]])
        if row["srt"]:
            by_code.setdefault(("SRT", row["srt"]), parts[row["term"]])
    for row in read_table("further_codes.csv"):
        by_code.setdefault((row["scheme"], row["code"]), parts[row["term"]])
    return by_code


def body_part_of_code(scheme: str, value: str) -> BodyPart | None:
    """Find the body part of a code of the schemes SCT, SRT (and its older names), or ``None``."""
    spelt = {"SNM3": "SRT", "99SDM": "SRT", "SCT": "SCT", "SRT": "SRT"}.get(scheme.strip().upper())
    return _parts_by_code().get((spelt, value.strip().upper())) if spelt else None


@cache
def _terms_by_regions() -> Mapping[Regions, str]:
    terms = {frozenset((name,)): row[1] for name, row in _region_rows().items()}
    return terms | {body_parts()[term].regions: term for term in _COMPOSITES}


def term_of(regions: Regions) -> str | None:
    """Body Part Examined term that stands for exactly these regions, or ``None``."""
    return _terms_by_regions().get(regions)


def warm_up() -> None:
    """Read and check all tables now.

    :raises AnatomyTableError: if one is not valid.
    """
    _parts_by_code()
    _terms_by_regions()
