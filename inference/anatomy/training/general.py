# SPDX-License-Identifier: Apache-2.0
"""The headers of this package beside a site's: to learn from, and to have kept what they teach.

A site's few words say nothing of whether a model still reads all others, and whoever replaces the
shipped model reads all of them. So a site's model learns from the headers that were made up for
this package, too, and answers one of each imaginary department before it may be served. The shipped
model has learned from these headers, and so has a model that goes on from it or was trained beside
them: they measure what was forgotten or never learned, not how well a model reads a new department.
None of the headers that test the shipped model is among them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from hashlib import sha256
from typing import Final, NamedTuple

from inference.anatomy.learned.recognizer import MetadataModel, shipped_model
from inference.anatomy.training.assessment import assess
from inference.anatomy.training.corpus import Example, written_headers

SURE: Final = 0.8
"""Confidence from which rules take tags at their word."""
MAY_LOSE: Final = 0.05
MAY_BE_WRONG_AND_SURE: Final = 0.03
"""Shares of general headers by which a site's model may be worse than the shipped one."""


class GeneralFigures(NamedTuple):
    """How a model answers the general headers, as shares of them."""

    headers: int
    exact: float
    wrong_and_sure: float

    @property
    def in_words(self) -> str:
        """Both shares."""
        sure = f"{self.wrong_and_sure:.3f} wrong with a confidence of {SURE} and more"
        return f"{self.exact:.3f} exact, {sure}"

    def as_json(self) -> dict[str, float]:
        """The same by name."""
        return {
            "headers": self.headers,
            "exact": round(self.exact, 4),
            "wrong_and_sure": round(self.wrong_and_sure, 4),
        }


@cache
def general_sample() -> tuple[Example, ...]:
    """One header of every imaginary department of this package, always the same."""
    first: dict[str, tuple[str, Example]] = {}
    for row in written_headers():
        key = sha256(repr(sorted(row.values.items())).encode()).hexdigest()
        if row.group not in first or key < first[row.group][0]:
            first[row.group] = key, row
    return tuple(row for _, row in first.values())


def general_figures(model: MetadataModel) -> GeneralFigures:
    """Let a model answer the general headers."""
    found = assess(model, general_sample())
    wrong = sum(not one.right and one.confidence >= SURE for one in found.outcomes)
    return GeneralFigures(len(found.outcomes), found.exact, wrong / len(found.outcomes))


@cache
def shipped_general_figures() -> GeneralFigures:
    """The same of the shipped model."""
    return general_figures(shipped_model())


def general_shortfalls(new: GeneralFigures) -> list[str]:
    """Why a site's model should not answer for every header; empty if nothing speaks against it."""
    old = shipped_general_figures()
    reasons = []
    if new.exact < old.exact - MAY_LOSE:
        reasons.append(
            f"{new.exact:.3f} of {new.headers} general headers exact, the shipped model "
            f"{old.exact:.3f}, at most {MAY_LOSE} less wanted"
        )
    if new.wrong_and_sure > old.wrong_and_sure + MAY_BE_WRONG_AND_SURE:
        reasons.append(
            f"{new.wrong_and_sure:.3f} of them wrong with confidence {SURE} and more, the shipped "
            f"model {old.wrong_and_sure:.3f}, at most {MAY_BE_WRONG_AND_SURE} more wanted"
        )
    if reasons:
        reasons.append(
            "go on from the shipped weights (--transfer), and let the headers of this package "
            "teach, too: without --site-alone, of the public corpus with --written"
        )
    return reasons


def general_headers(beside: Sequence[Example]) -> list[Example]:
    """The headers of this package, which together count at most as much as the site's rows."""
    rows = written_headers()
    share = min(1.0, _mass(beside) / _mass(rows))
    return [replace(row, weight=row.weight * share) for row in rows]


def _mass(rows: Sequence[Example]) -> float:
    """How much rows count together: a group by the root of its size."""
    sizes = Counter(row.group for row in rows)
    return sum(row.weight / math.sqrt(sizes[row.group]) for row in rows)
