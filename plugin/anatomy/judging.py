# SPDX-License-Identifier: AGPL-3.0-or-later
"""The rules against what witnesses have said so far, and the agreement that follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from inference.contract import AnatomyAnswer, RegionName
from plugin.anatomy.agreement import Agreement, Preferred, Taught, Witness, settled
from plugin.anatomy.credence import Voice, credited, pooled
from plugin.configuration.anatomy_rules import (
    Action,
    AnatomyRule,
    AnatomyRules,
    Credit,
    Likeness,
)

Side = Literal["metadata", "pixels", "neither"]
_PREFERRING: dict[Action, Preferred] = {
    "prefer-metadata": "metadata",
    "prefer-pixels": "pixels",
    "prefer-siblings": "siblings",
}
_TEACHING: dict[Action, Taught] = {"retrain-metadata": "metadata", "retrain-pixels": "pixels"}


@dataclass
class Hearing:
    """What is known of one scan so far.

    Attributes:
        answer: of the tags.
        metadata: the same as a witness.
        missing: keywords that the original's header has no value for.
        pixels: None while they were not asked.
        siblings: the other series of the study; None while they were not consulted.
        side: of the priors; None while they were not consulted.
        names_told: of other series of the study, with which the tags were to be read.
    """

    answer: AnatomyAnswer
    metadata: Witness
    missing: frozenset[str] = frozenset()
    pixels: Witness | None = None
    siblings: Witness | None = None
    priors: Witness | None = None
    side: Side | None = None
    worklist: Witness | None = None
    pending: bool = False
    names_told: int = 0

    @property
    def witnesses(self) -> tuple[Witness, ...]:
        """Whoever was heard."""
        every = (self.metadata, self.pixels, self.siblings, self.priors, self.worklist)
        return tuple(one for one in every if one is not None)


def acting(rules: AnatomyRules, hearing: Hearing) -> list[AnatomyRule]:
    """The rules whose conditions all hold, in their order."""
    return [rule for rule in rules.rules if _holds(rule, hearing)]


def agreed(rules: AnatomyRules, hearing: Hearing, resource: str) -> tuple[AnatomyAnswer, Agreement]:
    """The one answer, and how it came about; the tags' answer unchanged where only they spoke."""
    applied = acting(rules, hearing)
    preferred, decided_by = _preferred(applied, hearing)
    review = [rule.reason for rule in applied if "flag-for-review" in rule.do]
    teaches = [_TEACHING[action] for rule in applied for action in rule.do if action in _TEACHING]
    agreement = Agreement(
        witnesses=hearing.witnesses,
        preferred=preferred,
        rules=tuple(rule.name for rule in applied),
        decided_by=decided_by,
        teaches=tuple(dict.fromkeys(teaches)),
        review="; ".join(dict.fromkeys(review)),
        pending=hearing.pending,
        resource=resource,
        names_told=hearing.names_told,
        names_heard=hearing.names_told if hearing.answer.in_study else 0,
    )
    if sum(one.speaks for one in hearing.witnesses) <= 1 and preferred == "metadata":
        return hearing.answer, agreement
    chosen = agreement.witness(preferred)
    shown = chosen.shown if chosen else frozenset()
    credit = rules.credit.model_copy(update={"metadata": _credit_of_tags(rules, applied)})
    return settled(hearing.answer, agreement, _confidence(credit, hearing, shown)), agreement


def likeness(one: frozenset[RegionName], other: frozenset[RegionName]) -> tuple[Likeness, ...]:
    """All the words that hold of two sets of regions."""
    if one == other:
        return ("same",)
    return ("different", "overlapping") if one & other else ("different", "disjoint")


def side_of(
    prior: frozenset[RegionName], metadata: frozenset[RegionName], pixels: frozenset[RegionName]
) -> Side:
    """With whom an earlier study agrees: exactly, or by sharing regions with one of them alone."""
    if prior in (metadata, pixels) and metadata != pixels:
        return "metadata" if prior == metadata else "pixels"
    with_tags, with_pixels = bool(prior & metadata), bool(prior & pixels)
    if with_tags == with_pixels:
        return "neither"
    return "metadata" if with_tags else "pixels"


def _preferred(applied: Sequence[AnatomyRule], hearing: Hearing) -> tuple[Preferred, str]:
    for rule in applied:
        for action in rule.do:
            if action in _PREFERRING and _spoken(hearing, _PREFERRING[action]):
                return _PREFERRING[action], rule.name
    if not hearing.metadata.speaks and hearing.pixels is not None and hearing.pixels.speaks:
        return "pixels", ""
    return "metadata", ""


def _spoken(hearing: Hearing, name: Preferred) -> bool:
    one: Witness | None = getattr(hearing, name)
    return one is not None and one.speaks


def _credit_of_tags(rules: AnatomyRules, applied: Sequence[AnatomyRule]) -> float:
    """That of the table, unless a rule that holds says less."""
    said = [rule.credit_of_tags for rule in applied if rule.credit_of_tags is not None]
    return min((rules.credit.metadata, *said))


def _confidence(credit: Credit, hearing: Hearing, shown: frozenset[RegionName]) -> float:
    tags = hearing.metadata
    # An order is for a whole examination: a series that shows a part of it is not contradicted.
    heard = [one for one in hearing.witnesses if one.name != "worklist" or not one.shown > shown]
    # Alone, and confirmed, they are as sure as they say: whoever agrees makes nothing less sure.
    contradicted = any(one.speaks and one.shown != tags.shown for one in heard)
    believed = credit.metadata if contradicted else 1.0
    voices = [Voice(tags.shown, credited(tags.confidence, believed))]
    if hearing.pixels is not None:
        trusted = credited(hearing.pixels.confidence, credit.pixels)
        voices.append(Voice(hearing.pixels.shown, trusted))
    # Siblings that agree make tags no surer that were read with their names: they were heard.
    told = hearing.siblings if hearing.answer.in_study else None
    siblings = None if told is not None and told.shown == tags.shown else hearing.siblings
    # Their confidence is the credit itself: how often they are right.
    others = [one for one in heard if one.name in ("priors", "worklist")]
    others += [siblings] if siblings is not None else []
    voices += [Voice(one.shown, one.confidence) for one in others]
    return round(pooled(shown, voices), 4)


def _holds(rule: AnatomyRule, hearing: Hearing) -> bool:
    modality = hearing.answer.modality
    if modality in rule.except_modalities or (rule.modalities and modality not in rule.modalities):
        return False
    return (
        set(rule.missing) <= hearing.missing
        and _fits(hearing.metadata, rule.metadata, rule.metadata_at_least, rule.metadata_below)
        and _fits(hearing.pixels, rule.pixels, rule.pixels_at_least, rule.pixels_below)
        and _compares(rule, hearing)
        and (rule.priors is None or rule.priors == hearing.side)
        and (rule.siblings is None or _siblings_are(rule.siblings, hearing))
        and (rule.worklist is None or _orders(rule.worklist, hearing))
    )


def _fits(
    witness: Witness | None, wanted: str | None, lowest: float | None, below: float | None
) -> bool:
    if wanted is None and lowest is None and below is None:
        return True
    if witness is None:
        return False
    return (
        (wanted is None or (wanted == "speak") == witness.speaks)
        and (lowest is None or witness.confidence >= lowest)
        and (below is None or witness.confidence < below)
    )


def _compares(rule: AnatomyRule, hearing: Hearing) -> bool:
    """Conditions on both tags and pixels: they hold only where both speak."""
    if rule.regions is None and rule.application is None:
        return True
    tags, pixels = hearing.metadata, hearing.pixels
    if pixels is None or not pixels.speaks:
        return False
    if rule.application is not None:
        same = tags.application == pixels.application
        if same != (rule.application == "same"):
            return False
    if rule.regions is None:
        return True
    return tags.speaks and rule.regions in likeness(tags.shown, pixels.shown)


def _siblings_are(wanted: str, hearing: Hearing) -> bool:
    """Whether the study's other series speak, and with whom they agree."""
    siblings = hearing.siblings
    if siblings is None or not siblings.speaks:
        return wanted == "silent"
    pixels = hearing.pixels.shown if hearing.pixels else frozenset()
    return wanted in ("speak", side_of(siblings.shown, hearing.metadata.shown, pixels))


def _orders(wanted: str, hearing: Hearing) -> bool:
    """How the order compares with the tags, or whether it names what the pixels show."""
    order, tags, pixels = hearing.worklist, hearing.metadata, hearing.pixels
    if order is None or not order.speaks or not tags.speaks:
        return False
    if wanted == "pixels":
        return pixels is not None and side_of(order.shown, tags.shown, pixels.shown) == "pixels"
    if wanted == "covered":
        return tags.shown <= order.shown
    return wanted in likeness(order.shown, tags.shown)
