# SPDX-License-Identifier: AGPL-3.0-or-later
"""From a scan's category (modality x anatomy [x view]) to the model that is made for it.

Every decision is made of verdicts that say which condition of which rule held, so that the plan
explains exactly what the workers do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from inference.contract import AnatomyAnswer, ModelDescription
from plugin import __version__
from plugin.configuration import Configuration
from plugin.configuration.applications import ApplicationSection, Mode

Condition = Literal[
    "works-on", "modality", "region", "view", "confidence",
    "slices", "contrast", "orientation", "localizer", "derived",
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


@dataclass(frozen=True)
class RuleVerdict:
    """One category of a model against one scan."""

    checks: tuple[Check, ...]

    @property
    def fits(self) -> bool:
        """Whether every condition holds."""
        return all(check.holds for check in self.checks)


@dataclass(frozen=True)
class Verdict:
    """One model against one scan.

    Attributes:
        rules: one per category of the bundle itself; one of them must fit.
        table_rules: one per application of the table that names the bundle; where there is any,
            one of them must fit, too.
    """

    model: ModelDescription
    mode: Mode
    works_on: Check
    rules: tuple[RuleVerdict, ...]
    table_rules: tuple[RuleVerdict, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether the model is made for the scan, be it switched on or not."""
        fits = self.works_on.holds and any(rule.fits for rule in self.rules)
        return fits and (not self.table_rules or any(rule.fits for rule in self.table_rules))


@dataclass(frozen=True)
class Choice:
    """What follows from all verdicts.

    Attributes:
        model: what runs.
        dry: models in dry run that would run in its place, or at all, were they enabled.
    """

    model: ModelDescription | None
    dry: tuple[ModelDescription, ...] = ()


def verdicts(
    anatomy: AnatomyAnswer,
    models: Sequence[ModelDescription],
    works_on: str,
    applications: ApplicationSection,
) -> list[Verdict]:
    """Every model's verdict on a scan, the most specific first, then the newest version.

    A category with views takes a scan whose view is one of them, or whose header names none: old
    computed radiography often leaves View Position empty (type 2 in PS3.3 C.8.1.1).
    """
    ranked = sorted(models, key=lambda model: (_views(model), _version(model)), reverse=True)
    return [
        Verdict(
            model=model,
            mode=applications.mode_of(model.name),
            works_on=Check("works-on", model.works_on == works_on, model.works_on, works_on),
            rules=tuple(RuleVerdict(anatomy_checks(anatomy, c)) for c in model.categories),
        )
        for model in ranked
    ]


def choose(judged: Sequence[Verdict]) -> Choice:
    """The first enabled model that fits, and what a dry run would have put before it."""
    dry: list[ModelDescription] = []
    for verdict in judged:
        if not verdict.fits or verdict.mode == "disabled":
            continue
        if verdict.mode == "enabled":
            return Choice(verdict.model, tuple(dry))
        dry.append(verdict.model)
    return Choice(None, tuple(dry))


def described(anatomy: AnatomyAnswer) -> str:
    """The category in words, as in 'CT HEAD'."""
    where = anatomy.body_part_examined or " ".join(anatomy.regions).upper() or "of unknown anatomy"
    view = f" {anatomy.view}" if anatomy.view else ""
    return f"{anatomy.modality or 'scan'} {where}{view}"


def no_application(category: str, dry: Sequence[ModelDescription]) -> str:
    """Why nothing runs, in words."""
    reason = f"no application for {category}"
    if not dry:
        return reason
    named = ", ".join(f"{model.name} {model.version}" for model in dry[:3])
    return f"{reason}; in dry run: {named}"


def application_version(
    models: Sequence[ModelDescription], configuration: Configuration, table: str = ""
) -> str:
    """One digest of all that decides what is done with a scan; ``table`` is that of the table."""
    parts = [table] if table else []
    parts += [__version__, configuration.digest(), configuration.applications.model_dump_json()]
    parts.append(configuration.anatomy.model_dump_json())
    parts += sorted(model.digest for model in models)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def shares_region(anatomy: AnatomyAnswer, category: AskedCategory) -> bool:
    """Whether the scan shows a region of the category."""
    return any(region in category.regions for region in anatomy.regions)


def anatomy_checks(anatomy: AnatomyAnswer, category: AskedCategory) -> tuple[Check, ...]:
    """What a bundle's category and one of the table of applications ask of an anatomy alike."""
    return (
        Check(
            "modality",
            anatomy.modality in category.modalities,
            ", ".join(category.modalities),
            anatomy.modality or "none",
        ),
        Check(
            "region",
            shares_region(anatomy, category),
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


def _views(model: ModelDescription) -> int:
    return int(any(category.views for category in model.categories))


def _version(model: ModelDescription) -> tuple[int, ...]:
    return tuple(int(part) for part in model.version.split(".") if part.isdigit())
