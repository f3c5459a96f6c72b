# SPDX-License-Identifier: AGPL-3.0-or-later
"""Codes and terms of the ten body regions, for what a reviewer says about them."""

from __future__ import annotations

from collections.abc import Sequence

from inference.contract import CodedConcept, RegionName

_TABLE: tuple[tuple[RegionName, str, str, str], ...] = (
    ("whole body", "38266002", "Entire body", "WHOLEBODY"),
    ("head", "69536005", "Head", "HEAD"),
    ("neck", "45048000", "Neck", "NECK"),
    ("spine", "421060004", "Spine", "SPINE"),
    ("chest", "816094009", "Chest", "CHEST"),
    ("breast", "76752008", "Breast", "BREAST"),
    ("abdomen", "818981001", "Abdomen", "ABDOMEN"),
    ("pelvis", "816092008", "Pelvis", "PELVIS"),
    ("upper limb", "53120007", "Upper limb", "UPPERLIMB"),
    ("lower limb", "61685007", "Lower limb", "LOWERLIMB"),
)
"""Name, SNOMED CT code and meaning (PS3.16 CID 4), defined term (PS3.16 Annex L)."""

_COMPOSITES: dict[frozenset[RegionName], str] = {
    frozenset(("head", "neck")): "HEADNECK",
    frozenset(("neck", "chest")): "NECKCHEST",
    frozenset(("neck", "chest", "abdomen")): "NECKCHESTABDOMEN",
    frozenset(("neck", "chest", "abdomen", "pelvis")): "NECKCHESTABDPELV",
    frozenset(("chest", "abdomen")): "CHESTABDOMEN",
    frozenset(("chest", "abdomen", "pelvis")): "CHESTABDPELVIS",
    frozenset(("abdomen", "pelvis")): "ABDOMENPELVIS",
    frozenset(("pelvis", "lower limb")): "PELVISLOWEXTREMT",
}
"""Defined terms of Body Part Examined for several regions (PS3.16 Annex L)."""

REGIONS_BY_TERM: dict[str, RegionName] = {term: name for name, _, _, term in _TABLE}
"""By the defined term of Body Part Examined."""

REGION_WORDS: dict[str, RegionName] = REGIONS_BY_TERM | {
    words: name for name, _, _, _ in _TABLE for words in (name, name.replace(" ", "-"))
}
"""As people and programs write them: by term, by name, and by name with a hyphen."""


WHOLE_BODY: RegionName = "whole body"


def share(shown: Sequence[str], asked: Sequence[RegionName]) -> tuple[RegionName, ...]:
    """Those of the regions asked for that are shown; a whole body shows every one."""
    return tuple(region for region in asked if region in shown or WHOLE_BODY in shown)


def codes_of(regions: Sequence[RegionName]) -> tuple[CodedConcept, ...]:
    """The code of each region, in the order given."""
    known = {name: (code, meaning) for name, code, meaning, _ in _TABLE}
    return tuple(
        CodedConcept(value=known[name][0], scheme="SCT", meaning=known[name][1]) for name in regions
    )


def body_part_of(regions: Sequence[RegionName]) -> str | None:
    """The defined term for just these regions; None where there is none."""
    if len(set(regions)) != 1:
        return _COMPOSITES.get(frozenset(regions))
    return next(term for name, _, _, term in _TABLE if name == regions[0])


def in_table_order(regions: Sequence[RegionName]) -> tuple[RegionName, ...]:
    """The same regions, each once, from head to foot."""
    return tuple(name for name, _, _, _ in _TABLE if name in regions)
