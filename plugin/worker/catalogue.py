# SPDX-License-Identifier: AGPL-3.0-or-later
"""From a scan's category (modality x anatomy [x view]) to the model that is made for it.

Every decision is made of verdicts that say which condition of which rule held, so that the plan
explains exactly what the workers do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from inference.contract import AnatomyAnswer, ModelDescription
from plugin import __version__
from plugin.configuration import Configuration
from plugin.configuration.application_table import ApplicationTable
from plugin.configuration.applications import ApplicationSection, Mode
from plugin.routing.facts import SeriesFacts
from plugin.scan_category import Check, judge, judge_anatomy


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
    """Every model's verdict on a scan, the most specific first, then the newest version."""
    ranked = sorted(models, key=lambda model: (_views(model), _version(model)), reverse=True)
    return [
        Verdict(
            model=model,
            mode=applications.mode_of(model.name),
            works_on=Check("works-on", model.works_on == works_on, model.works_on, works_on),
            rules=tuple(RuleVerdict(judge_anatomy(c, anatomy)) for c in model.categories),
        )
        for model in ranked
    ]


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
    models: Sequence[ModelDescription],
    configuration: Configuration,
    table: str = "",
    anatomy: Mapping[str, str] | None = None,
) -> str:
    """One digest of all that decides what is done with a scan.

    Args:
        models: that inference serves.
        configuration: of this site.
        table: digest of the table of applications.
        anatomy: versions of the anatomy models that answer.
    """
    parts = [table] if table else []
    parts += [f"{name} {version}" for name, version in sorted((anatomy or {}).items())]
    parts += [__version__, configuration.digest(), configuration.applications.model_dump_json()]
    parts.append(configuration.anatomy.model_dump_json(exclude={"collecting"}))
    parts += sorted(model.digest for model in models)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _views(model: ModelDescription) -> int:
    return int(any(category.views for category in model.categories))


def _version(model: ModelDescription) -> tuple[int, ...]:
    return tuple(int(part) for part in model.version.split(".") if part.isdigit())
