# SPDX-License-Identifier: AGPL-3.0-or-later
"""The table of copies as the dispatcher asks it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar, Protocol

from plugin.configuration.copy_table import CopyRule
from plugin.copies.matching import Archive as MatchingArchive
from plugin.copies.matching import CopyMatcher, SeriesVerdict
from plugin.dispatch.ledger import Ledger
from plugin.doors.outbox import NewDelivery

_Fitting = tuple[CopyRule, SeriesVerdict]


class Archive(MatchingArchive, Protocol):
    """What is needed of Orthanc."""

    def content_digest(self, instance: str, /) -> str:
        """MD5 of the stored DICOM file."""


@dataclass(frozen=True)
class CopyDecider:
    """Decides about every study that Orthanc holds, and about single instances."""

    archive: Archive
    matcher: CopyMatcher

    takes_strangers: ClassVar[bool] = True

    @property
    def awaits_workers(self) -> bool:
        """Where a rule asks for anatomy, or for what the workers make."""
        return any(
            rule.when.regions or rule.results == "include"
            for rule in self.matcher.table.rules
            if rule.at == "study"
        )

    def doors(self, rules: Collection[str]) -> list[str]:
        """Names in the outbox of the rules that the table has, of these."""
        return [door_of(rule.name) for rule in self.matcher.table.rules if rule.name in rules]

    def of_study(self, study: str) -> Sequence[NewDelivery]:
        """One delivery per series and rule."""
        return [
            _delivery(rule, study, one, self._contents(one)) for rule, one in self._fitting(study)
        ]

    def of_instance(self, instance: str) -> Sequence[NewDelivery]:
        """One delivery per rule for single instances."""
        found = []
        for rule, one in self._fitting_singly(instance):
            study = str(self.archive.series(one.series)["ParentStudy"])
            found.append(_delivery(rule, study, one, self._contents(one)))
        return found

    def unsent(
        self, study: str, rules: Collection[str], ledger: Ledger, urgency: int
    ) -> Iterator[NewDelivery]:
        """What the named rules, also those for single instances, have not sent of a study yet."""
        for rule, one in chain(self._fitting(study), self._each_singly(study, rules)):
            if rule.name not in rules:
                continue
            contents, door = self._contents(one), door_of(rule.name)
            if not all(ledger.has_copied(door, *pair) for pair in contents):
                yield _delivery(rule, study, one, contents, urgency)

    def _fitting(self, study: str) -> Iterator[_Fitting]:
        rules = {rule.name: rule for rule in self.matcher.table.rules}
        for name, verdicts in self.matcher.study(study).items():
            yield from ((rules[name], one) for one in verdicts if one.fits)

    def _fitting_singly(self, instance: str) -> Iterator[_Fitting]:
        for rule in self.matcher.table.rules:
            if rule.at == "instance":
                verdict = self.matcher.instance(instance, rule)
                if verdict.fits:
                    yield rule, verdict

    def _each_singly(self, study: str, rules: Collection[str]) -> Iterator[_Fitting]:
        table = self.matcher.table.rules
        if any(rule.at == "instance" and rule.name in rules for rule in table):
            for series in self.archive.study(study)["Series"]:
                for instance in self.archive.series(str(series))["Instances"]:
                    yield from self._fitting_singly(str(instance))

    def _contents(self, fitting: SeriesVerdict) -> list[tuple[str, str]]:
        """Instances as they are now, each with the digest of its content."""
        return [(one, self.archive.content_digest(one)) for one in sorted(fitting.instances)]


def door_of(rule: str) -> str:
    """Name of a rule's door in the outbox."""
    return f"copy-{rule}"


def _delivery(
    rule: CopyRule,
    study: str,
    fitting: SeriesVerdict,
    contents: Sequence[tuple[str, str]],
    urgency: int = 0,
) -> NewDelivery:
    whole = rule.at == "study"
    # Names these instances, as they are now, under this rule in the outbox.
    said = "\n".join([rule.digest, *(" ".join(pair) for pair in contents)])
    return NewDelivery(
        result=hashlib.sha256(said.encode()).hexdigest(),
        event="copy",
        door=door_of(rule.name),
        level="series" if whole else "instance",
        resource=fitting.series if whole else fitting.instances[0],
        study=study,
        urgency=urgency,
        target=rule.destination.target,
    )
