# SPDX-License-Identifier: Apache-2.0
"""From what the attributes say to one answer, and how the answer came about.

The first source that names a region decides, in the order series, protocol, study, coded region,
Body Part Examined; a region that is merely hinted at counts where no description names one. Two
kinds of scans differ: a device that images one region only decides by itself, and a PET examination
covers the body unless a description says less than that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from inference.anatomy.evidence import Evidence, Source
from inference.anatomy.regions import NOWHERE, Regions

Support = Literal["alone", "confirmed", "within", "disputed"]
_WHOLE: Regions = frozenset(("whole body",))
_TRUNK: Regions = frozenset(("chest", "abdomen", "pelvis"))
_EXAMINED_BY_PET = {"BRAIN": "head", "HEART": "chest"}
_ORDER: tuple[Source, ...] = ("series", "protocol", "study", "coded", "tag")
# A CT protocol covers what the scanner is set up for, often less than was ordered and scanned.
_ORDER_CT: tuple[Source, ...] = ("series", "study", "protocol", "coded", "tag")


class Decision(NamedTuple):
    """Regions, the source that decided, and how the others stand to it."""

    regions: Regions
    source: str
    support: Support

    @property
    def pattern(self) -> str:
        """Name under which the confidence of such decisions is measured."""
        return f"{self.source} {self.support}"


def decide(evidence: Sequence[Evidence], modality: str) -> Decision:
    """Decide on the regions.

    :param evidence: what the attributes say, see :func:`inference.anatomy.evidence.evidence`.
    :param modality: Modality in capitals.
    """
    evidence = [one.heard for one in evidence]
    regions, source = _decided(evidence, modality)
    if "whole body" in regions:
        regions = _WHOLE
    return Decision(regions, source, _support(regions, source, evidence))


def _decided(evidence: Sequence[Evidence], modality: str) -> tuple[Regions, str]:
    by_kind = _named(evidence, "modality")
    if by_kind and modality != "PT":
        return by_kind, "modality"
    if any(one.reading.pet for one in evidence):
        return _decided_for_pet(evidence)
    order = _ORDER_CT if modality == "CT" else _ORDER
    for source in order[:3]:
        if named := _named(evidence, source):
            return named, source
    for source in order[:3]:
        if hinted := _first(one.reading.hinted for one in evidence if one.source == source):
            return hinted, f"{source} hint"
    for source in order[3:]:
        if named := _named(evidence, source):
            return named, source
    return NOWHERE, "nothing"


def _decided_for_pet(evidence: Sequence[Evidence]) -> tuple[Regions, str]:
    if named := _named(evidence, "series"):
        return (_WHOLE if named >= _TRUNK else named), "series"
    for source in ("protocol", "study"):
        for one in evidence:
            named = one.reading.named
            if one.source == source and named and _limits_pet(one):
                return (_WHOLE if named >= _TRUNK else named), source
    if any(one.source in ("coded", "tag") and _is_brain(one) for one in evidence):
        return frozenset(("head",)), "tag"
    return _WHOLE, "pet"


def _limits_pet(one: Evidence) -> bool:
    """Whether a description limits a PET to a region; an organ alone names the disease."""
    terms = one.reading.terms
    return one.reading.general or (bool(terms) and all(term in _EXAMINED_BY_PET for term in terms))


def _is_brain(one: Evidence) -> bool:
    return one.reading.named == frozenset(("head",))


def _named(evidence: Iterable[Evidence], source: str) -> Regions:
    return _first(one.reading.named for one in evidence if one.source == source)


def _first(regions: Iterable[Regions]) -> Regions:
    return next((named for named in regions if named), NOWHERE)


def _support(regions: Regions, source: str, evidence: Sequence[Evidence]) -> Support:
    own = source.removesuffix(" hint")
    others = [
        one.reading.named or one.reading.hinted
        for one in evidence
        if one.source != own and one.reading.speaks
    ]
    if any(regions.isdisjoint(other) for other in others):
        return "disputed"
    if regions in others:
        return "confirmed"
    return "within" if others else "alone"
