# SPDX-License-Identifier: AGPL-3.0-or-later
"""A series against the scan category of an application, one verdict per condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from plugin.configuration.application_table import ApplicationTable, CategoryRule
from plugin.routing.facts import SeriesFacts
from plugin.worker.catalogue import Check, RuleVerdict, Verdict, anatomy_checks


def judge(category: CategoryRule, facts: SeriesFacts) -> tuple[Check, ...]:
    """Every condition of a category, with what is wanted and what the series has."""
    return (*anatomy_checks(facts.anatomy, category), *_image_checks(category, facts))


def narrowed(
    verdicts: Sequence[Verdict], table: ApplicationTable, facts: SeriesFacts
) -> list[Verdict]:
    """Verdicts on bundles, narrowed by the applications of the table that name them.

    A bundle runs where its own categories and one of those applications fit; a bundle that no
    application names stays as it is.
    """
    return [
        replace(
            verdict,
            table_rules=tuple(
                RuleVerdict(judge(one.scan, facts))
                for one in table.applications
                if one.bundle == verdict.model.name
            ),
        )
        for verdict in verdicts
    ]


def _image_checks(category: CategoryRule, facts: SeriesFacts) -> tuple[Check, ...]:
    growing = facts.slices is None
    contrast = "with" if facts.contrast else "without"
    return (
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
            category.localizers == "include" or not facts.localizer,
            "any" if category.localizers == "include" else "no localizer",
            "localizer" if facts.localizer else "no localizer",
        ),
        Check(
            "derived",
            category.derived == "include" or not facts.derived,
            "any" if category.derived == "include" else "original",
            "derived" if facts.derived else "original",
        ),
    )
