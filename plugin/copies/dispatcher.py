# SPDX-License-Identifier: AGPL-3.0-or-later
"""Follows Orthanc's changes and notes in the outbox what is to be copied.

How far the changes were read is kept after all that follows from them: a process that ends in
between reads them again, and the outbox takes each delivery once.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from plugin.archive import ArchiveError, NotFoundError
from plugin.configuration.copy_table import CopyRule
from plugin.copies.matching import Archive as MatchingArchive
from plugin.copies.matching import CopyMatcher, SeriesVerdict
from plugin.doors.outbox import NewDelivery, Outbox
from plugin.routing.waiting import WaitingStudies

LOGGER = logging.getLogger(__name__)

UNSETTLED_SECONDS = 1.0
AWAY_SECONDS = 10.0
_LAST_CHANGE = "last-change"
_PAGES = 50
"""Pages of Orthanc's changes read at a time: 50 000 changes."""


class Archive(MatchingArchive, Protocol):
    """What is needed of Orthanc."""

    def changes(self, since: int, limit: int = 1000, /) -> dict[str, Any]:
        """Orthanc's list of changes."""

    def content_digest(self, instance: str, /) -> str:
        """MD5 of the stored DICOM file."""

    def last_change(self) -> int:
        """Sequence number of the latest change."""


@dataclass(frozen=True)
class CopyDispatcher:
    """Turns stable studies and new instances into deliveries.

    Args:
        archive: Orthanc.
        matcher: decides.
        waiting: stable studies to decide about.
        outbox: where deliveries are noted.
        pending: how many scans of these Orthanc identifiers still wait for a worker.
    """

    archive: Archive
    matcher: CopyMatcher
    waiting: WaitingStudies
    outbox: Outbox
    pending: Callable[[Iterable[str]], int]

    def step(self) -> int:
        """Read new changes and look at all studies that are due; how many were decided.

        Raises:
            QueueError: a file can't be read or written.
            ArchiveError: Orthanc can't be asked for its changes.
        """
        self._read_changes()
        return sum(self._look_at(study, version) for study, version in self.waiting.due())

    def _look_at(self, study: str, version: int) -> bool:
        try:
            if not self._is_quiet(study):
                self.waiting.later(study, version, UNSETTLED_SECONDS)
                return False
            self._decide(study)
        except NotFoundError:
            LOGGER.info("a study was deleted before it was copied")
        except ArchiveError as error:
            LOGGER.warning("a study waits to be copied: %s", error)
            self.waiting.later(study, version, AWAY_SECONDS)
            return False
        self.waiting.decided(study, version)
        return True

    def _is_quiet(self, study: str) -> bool:
        found = self.archive.study(study)
        read = any(rule.when.regions or rule.results == "include" for rule in self._whole)
        waiting = read and self.pending([study, *map(str, found["Series"])])
        return bool(found.get("IsStable", True)) and not waiting

    @property
    def _whole(self) -> list[CopyRule]:
        return [rule for rule in self.matcher.table.rules if rule.at == "study"]

    def _decide(self, study: str) -> None:
        rules = {rule.name: rule for rule in self.matcher.table.rules}
        self.outbox.note(
            [
                self._delivery(rules[name], study, one)
                for name, verdicts in self.matcher.study(study).items()
                for one in verdicts
                if one.fits
            ]
        )

    def _read_changes(self) -> None:
        known = self.waiting.fact(_LAST_CHANGE)
        if known is None:
            # What was stored before copies were asked for stays where it is.
            self.waiting.remember(_LAST_CHANGE, str(self.archive.last_change()))
            return
        since = int(known)
        for _ in range(_PAGES):
            page = self.archive.changes(since)
            for change in page["Changes"]:
                self._follow(str(change["ChangeType"]), str(change["ID"]))
            if int(page["Last"]) != since:
                since = int(page["Last"])
                self.waiting.remember(_LAST_CHANGE, str(since))
            if page["Done"]:
                return

    def _follow(self, change: str, resource: str) -> None:
        if change == "StableStudy":
            self.waiting.note(resource, 0.0)
        if change != "NewInstance":
            return
        for rule in self.matcher.table.rules:
            if rule.at == "instance":
                self._new_instance(rule, resource)

    def _new_instance(self, rule: CopyRule, instance: str) -> None:
        try:
            verdict = self.matcher.instance(instance, rule)
            if verdict.fits:
                study = str(self.archive.series(verdict.series)["ParentStudy"])
                self.outbox.note([self._delivery(rule, study, verdict)])
        except NotFoundError:
            LOGGER.info("an instance was deleted before it was copied")

    def _delivery(self, rule: CopyRule, study: str, fitting: SeriesVerdict) -> NewDelivery:
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
