# SPDX-License-Identifier: AGPL-3.0-or-later
"""The table of copies as the dispatcher asks it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from plugin.configuration.copy_table import CopyRule
from plugin.copies.matching import Archive as MatchingArchive
from plugin.copies.matching import CopyMatcher, SeriesVerdict
from plugin.doors.outbox import NewDelivery


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

    def of_study(self, study: str) -> Sequence[NewDelivery]:
        """One delivery per series and rule."""
        rules = {rule.name: rule for rule in self.matcher.table.rules}
        return [
            self.delivery(rules[name], study, one)
            for name, verdicts in self.matcher.study(study).items()
            for one in verdicts
            if one.fits
        ]

    def of_instance(self, instance: str) -> Sequence[NewDelivery]:
        """One delivery per rule for single instances."""
        rules = [rule for rule in self.matcher.table.rules if rule.at == "instance"]
        return list(self._single(instance, rules))

    def _single(self, instance: str, rules: Iterable[CopyRule]) -> Iterator[NewDelivery]:
        for rule in rules:
            verdict = self.matcher.instance(instance, rule)
            if verdict.fits:
                study = str(self.archive.series(verdict.series)["ParentStudy"])
                yield self.delivery(rule, study, verdict)

    def delivery(self, rule: CopyRule, study: str, fitting: SeriesVerdict) -> NewDelivery:
        """The delivery of what fits a rule."""
        whole = rule.at == "study"
        return NewDelivery(
            result=self._set_digest(rule, fitting.instances),
            event="copy",
            door=door_of(rule.name),
            level="series" if whole else "instance",
            resource=fitting.series if whole else fitting.instances[0],
            study=study,
            target=rule.destination.target,
        )

    def _set_digest(self, rule: CopyRule, instances: Sequence[str]) -> str:
        """Names these instances, as they are now, under this rule in the outbox."""
        said = [f"{one} {self.archive.content_digest(one)}" for one in sorted(instances)]
        return hashlib.sha256("\n".join([rule.digest, *said]).encode()).hexdigest()


def door_of(rule: str) -> str:
    """Name of a rule's door in the outbox."""
    return f"copy-{rule}"
