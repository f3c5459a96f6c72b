# SPDX-License-Identifier: AGPL-3.0-or-later
"""A scan against a scan category: one verdict per condition, of what is wanted and what is found.

The one judge of all categories: of those that a bundle is made for, and of those in the table of
applications, which ask of the images, too.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, Protocol

from inference.contract import AnatomyAnswer
from plugin.configuration.application_table import CategoryRule
from plugin.routing.facts import SeriesFacts

Condition = Literal[
    "works-on", "modality", "region", "view", "confidence",
    "slices", "contrast", "orientation", "localizer", "derived", "subject",
]  # fmt: skip


class AskedCategory(Protocol):
    """What an anatomy is judged by: the category of a bundle, or one of the table."""

    @property
    def modalities(self) -> Collection[str]:
        """One of them is the scan's."""

    @property
    def regions(self) -> Collection[str]:
        """One of them is shown."""

    @property
    def views(self) -> Collection[str]:
        """The view is one of them, or not known; empty: any."""

    @property
    def minimum_confidence(self) -> float:
        """Least confidence in the regions, 0 to 1."""


@dataclass(frozen=True)
class Check:
    """One condition: what is wanted, what the scan has."""

    condition: Condition
    holds: bool
    wanted: str
    found: str


def judge_anatomy(category: AskedCategory, anatomy: AnatomyAnswer) -> tuple[Check, ...]:
    """The conditions that every category has.

    A category with views takes a scan whose view is one of them, or whose header names none: old
    computed radiography often leaves View Position empty (type 2 in PS3.3 C.8.1.1).
    """
    return (
        Check(
            "modality",
            anatomy.modality in category.modalities,
            ", ".join(category.modalities),
            anatomy.modality or "none",
        ),
        Check(
            "region",
            any(region in category.regions for region in anatomy.regions),
            ", ".join(category.regions),
            ", ".join(anatomy.regions) or "none",
        ),
        Check(
            "view",
            not category.views or anatomy.view is None or anatomy.view in category.views,
            ", ".join(category.views) or "any",
            anatomy.view or "none",
        ),
        Check(
            "confidence",
            anatomy.confidence >= category.minimum_confidence,
            f"at least {category.minimum_confidence:.2f}",
            f"{anatomy.confidence:.2f}",
        ),
    )


def judge(category: CategoryRule, facts: SeriesFacts) -> tuple[Check, ...]:
    """Every condition of a category of the table; of a growing series slices are not counted."""
    growing = facts.slices is None
    contrast = "with" if facts.contrast else "without"
    localizers = category.localizers == "include"
    derived = category.derived == "include"
    return (
        *judge_anatomy(category, facts.anatomy),
        Check(
            "slices",
            facts.slices is None or facts.slices >= category.minimum_slices,
            f"at least {category.minimum_slices}",
            "not complete yet" if growing else str(facts.slices),
        ),
        Check("contrast", category.contrast in ("any", contrast), category.contrast, contrast),
        Check(
            "orientation",
            category.orientation in ("any", facts.orientation),
            category.orientation,
            facts.orientation,
        ),
        Check(
            "localizer",
            localizers or not facts.localizer,
            "any" if localizers else "no localizer",
            "localizer" if facts.localizer else "no localizer",
        ),
        Check(
            "derived",
            derived or not facts.derived,
            "any" if derived else "original",
            "derived" if facts.derived else "original",
        ),
        Check("subject", not facts.no_patient, "a patient", facts.no_patient or "a patient"),
    )
