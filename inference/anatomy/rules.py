# SPDX-License-Identifier: Apache-2.0
"""Two models, one answer: the rules by which tags and pixels are put together.

The rules are a table (``data/rules.toml``) that an administrator edits; it is checked when it is
read. A model is asked for pixels only where the tags leave doubt.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast, get_args

from inference.anatomy.regions import NOWHERE, AnatomyTableError, Regions

Sureness = Literal["sure", "unsure", "silent"]
Likeness = Literal["same", "overlapping", "disjoint"]
Consequence = Literal["same", "different"]
Source = Literal["metadata", "pixels", "nothing"]
Action = Literal["accept", "review", "retrain metadata", "retrain pixels"]

_CONDITIONS: Mapping[str, tuple[str, ...]] = {
    "metadata": get_args(Sureness),
    "pixels": get_args(Sureness),
    "regions": get_args(Likeness),
    "application": get_args(Consequence),
    "prior": ("metadata", "pixels"),
}
_THRESHOLDS = ("ask_pixels_below", "metadata_sure", "pixels_sure")
_OTHERS = 9.0
"""What a wrong model could have said instead: the other regions."""
_SUREST = 0.999


class Statement(NamedTuple):
    """What one model says, and the application that would be chosen by it."""

    regions: Regions
    confidence: float
    application: str | None = None


class Agreed(NamedTuple):
    """The one answer, and what is to be done about it.

    :param rule: name of the rule that decided, for the record.
    """

    regions: Regions
    confidence: float
    source: Source
    action: Action
    rule: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table; a condition that is not there holds always."""

    name: str
    conditions: Mapping[str, str]
    answer: Source
    action: Action

    def holds(self, circumstances: Mapping[str, str | None]) -> bool:
        """Whether all conditions hold."""
        return all(circumstances[key] == value for key, value in self.conditions.items())


class RuleTable:
    """The rules in their order.

    :raises AnatomyTableError: if the table is not valid; the message names rule and remedy.
    """

    def __init__(self, table: Mapping[str, Any]) -> None:
        thresholds = table.get("thresholds", {})
        if set(thresholds) != set(_THRESHOLDS) or not all(map(_is_share, thresholds.values())):
            raise AnatomyTableError(f"rules: thresholds are {', '.join(_THRESHOLDS)}, each 0 to 1")
        self._thresholds: dict[str, float] = dict(thresholds)
        self.rules = tuple(_rule(n, entry) for n, entry in enumerate(table.get("rule", ()), 1))
        if not self.rules or self.rules[-1].conditions:
            raise AnatomyTableError("rules: the last rule must have no condition")

    @classmethod
    def load(cls, path: Path) -> RuleTable:
        """Read a site's table.

        :raises AnatomyTableError: if it is not valid.
        """
        try:
            return cls(tomllib.loads(path.read_text(encoding="utf-8")))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise AnatomyTableError(f"rules: no TOML ({type(error).__name__})") from None

    def asks_pixels(self, metadata: Statement) -> bool:
        """Whether the tags leave so much doubt that pixels are worth fetching."""
        return not metadata.regions or metadata.confidence < self._thresholds["ask_pixels_below"]

    def agree(self, metadata: Statement, pixels: Statement, prior: Regions = NOWHERE) -> Agreed:
        """Put both models' statements together.

        :param prior: regions of the patient's most recent earlier study of the same kind, if any;
            consulted where the two disagree.
        """
        circumstances: dict[str, str | None] = {
            "metadata": self._sureness(metadata, "metadata_sure"),
            "pixels": self._sureness(pixels, "pixels_sure"),
            "regions": _likeness(metadata.regions, pixels.regions),
            "application": "same" if metadata.application == pixels.application else "different",
            "prior": _sides_with(prior, metadata.regions, pixels.regions),
        }
        rule = next(rule for rule in self.rules if rule.holds(circumstances))
        regions, confidence = _answered(rule.answer, metadata, pixels)
        return Agreed(regions, confidence, rule.answer, rule.action, rule.name)

    def _sureness(self, statement: Statement, threshold: str) -> Sureness:
        if not statement.regions:
            return "silent"
        return "sure" if statement.confidence >= self._thresholds[threshold] else "unsure"


@cache
def shipped_rules() -> RuleTable:
    """The rules of this package."""
    path = files("inference.anatomy") / "data" / "rules.toml"
    return RuleTable(tomllib.loads(path.read_text(encoding="utf-8")))


def combined_confidence(answer: Statement, other: Statement) -> float:
    """Probability of an answer after another, independent witness was heard.

    Bayes' rule over ten equally likely answers, where a wrong witness names any of the nine others.
    One that agrees raises the confidence, one that disagrees lowers it the more the surer it is, a
    silent one changes nothing.
    """
    if not answer.regions or not other.regions:
        return answer.confidence if answer.regions else 0.0
    own, heard = min(answer.confidence, _SUREST), min(other.confidence, _SUREST)
    own_wrong, heard_wrong = (1.0 - own) / _OTHERS, (1.0 - heard) / _OTHERS
    if answer.regions == other.regions:
        right, wrong = own * heard, _OTHERS * own_wrong * heard_wrong
    else:
        right = own * heard_wrong
        wrong = own_wrong * heard + (_OTHERS - 1.0) * own_wrong * heard_wrong
    return right / (right + wrong)


def _answered(source: Source, metadata: Statement, pixels: Statement) -> tuple[Regions, float]:
    match source:
        case "metadata":
            return metadata.regions, combined_confidence(metadata, pixels)
        case "pixels":
            return pixels.regions, combined_confidence(pixels, metadata)
        case _:
            return NOWHERE, 0.0


def _likeness(one: Regions, other: Regions) -> Likeness:
    if one == other:
        return "same"
    return "overlapping" if one & other else "disjoint"


def _sides_with(prior: Regions, metadata: Regions, pixels: Regions) -> str | None:
    if not prior or metadata == pixels:
        return None
    if prior == metadata or (prior & metadata and not prior & pixels):
        return "metadata"
    return "pixels" if prior & pixels else None


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and 0.0 <= value <= 1.0


def _rule(number: int, entry: Mapping[str, Any]) -> Rule:
    where = f"rules: rule {number} ({entry.get('name', 'without a name')})"
    conditions = {key: str(value) for key, value in entry.items() if key in _CONDITIONS}
    for key, value in conditions.items():
        if value not in _CONDITIONS[key]:
            raise AnatomyTableError(f"{where}: {key} is one of {', '.join(_CONDITIONS[key])}")
    unknown = set(entry) - set(_CONDITIONS) - {"name", "answer", "action"}
    if unknown or not entry.get("name"):
        raise AnatomyTableError(f"{where}: unknown key {', '.join(sorted(unknown)) or 'no name'}")
    answer, action = entry.get("answer"), entry.get("action")
    if answer not in get_args(Source) or action not in get_args(Action):
        raise AnatomyTableError(
            f"{where}: answer is one of {', '.join(get_args(Source))}, "
            f"action one of {', '.join(get_args(Action))}"
        )
    return Rule(str(entry["name"]), conditions, cast("Source", answer), cast("Action", action))
