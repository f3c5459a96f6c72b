# SPDX-License-Identifier: Apache-2.0
"""The Type (PS3.5 section 7.4) of an attribute where it stands."""

from __future__ import annotations

from functools import cache

from deid.profile import read_table

_STRENGTH = {"3": 0, "2C": 1, "2": 2, "1C": 3, "1": 4}


@cache
def _contexts() -> dict[str, dict[int, str]]:
    contexts: dict[str, dict[int, str]] = {}
    for line in read_table("attribute_types.csv"):
        types = contexts.setdefault(line["context"], {})
        types.update((int(tag, 16), line["type"]) for tag in line["tags"].split())
    return contexts


@cache
def _modules() -> dict[str, tuple[str, ...]]:
    return {
        line["sop_class"]: tuple(line["modules"].split())
        for line in read_table("sop_class_modules.csv")
    }


@cache
def _top_level(sop_class: str) -> dict[int, str]:
    strictest: dict[int, str] = {}
    for module in _modules()[sop_class]:
        for tag, kind in _contexts().get(module, {}).items():
            if _STRENGTH[kind] > _STRENGTH[strictest.get(tag, "3")]:
                strictest[tag] = kind
    return strictest


def is_known(sop_class: str) -> bool:
    """Whether the tables have the SOP Class."""
    return sop_class in _modules()


def type_of(tag: int, sop_class: str, parent: int | None) -> str | None:
    """The strictest Type that the standard gives an attribute.

    Parameters
    ----------
    tag:
        The attribute.
    sop_class:
        SOP Class UID of the instance.
    parent:
        The sequence in whose items the attribute stands; ``None`` at top level.

    Returns
    -------
    str or None
        ``1``, ``1C``, ``2``, ``2C`` or ``3``; 3 also where the IOD has no such attribute (a
        Standard Extended SOP Class); ``None`` where SOP Class or sequence is unknown.
    """
    if parent is not None:
        types = _contexts().get(f"{parent:08X}")
    else:
        types = _top_level(sop_class) if is_known(sop_class) else None
    return None if types is None else types.get(tag, "3")


def required_in_items(parent: int) -> dict[int, str]:
    """The attributes that every item of a sequence must have, with their Type, 1 or 2."""
    types = _contexts().get(f"{parent:08X}", {})
    return {tag: kind for tag, kind in sorted(types.items()) if kind in ("1", "2")}
