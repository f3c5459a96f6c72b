# SPDX-License-Identifier: AGPL-3.0-or-later
"""Decides about studies that have become quiet, and notes in the outbox what is to be handed over.

A study is quiet when Orthanc calls it stable and no scan of it waits for a worker. The decision is
kept on the study first, then the deliveries are noted, then the study counts as decided: a process
that ends in between does the same again, and the outbox takes each set for each application once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from plugin.archive import ArchiveError, NotFoundError
from plugin.doors.outbox import NewDelivery, Outbox
from plugin.routing.matching import Archive as MatchingArchive
from plugin.routing.matching import Matcher
from plugin.routing.records import Decision, RoutingRecord
from plugin.routing.waiting import WaitingStudies
from plugin.states import Metadata

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

    def last_change(self) -> int:
        """Sequence number of the latest change."""


@dataclass(frozen=True)
class Dispatcher:
    """Turns quiet studies into deliveries.

    Args:
        archive: Orthanc.
        matcher: decides.
        waiting: the studies that this node works on.
        outbox: where deliveries are noted.
        pending: how many scans of these Orthanc identifiers still wait for a worker.
    """

    archive: Archive
    matcher: Matcher
    waiting: WaitingStudies
    outbox: Outbox
    pending: Callable[[Iterable[str]], int]

    def step(self) -> int:
        """Look at all studies that are due; how many were decided.

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
            LOGGER.info("a study was deleted before it was decided about")
        except ArchiveError as error:
            LOGGER.warning("a study waits to be decided about: %s", error)
            self.waiting.later(study, version, AWAY_SECONDS)
            return False
        self.waiting.decided(study, version)
        return True

    def _is_quiet(self, study: str) -> bool:
        found = self.archive.study(study)
        waiting = self.pending([study, *map(str, found["Series"])])
        return bool(found.get("IsStable", True)) and not waiting

    def _decide(self, study: str) -> None:
        record = self.matcher.decide(study)
        text = record.model_dump_json()
        if self.archive.metadata("study", study, Metadata.ROUTING) != text:
            self.archive.put_metadata("study", study, Metadata.ROUTING, text)
        deliveries = [_delivery(study, one) for one in record.decisions if one.digest]
        if deliveries:
            self.outbox.note(deliveries)

    def _read_changes(self) -> None:
        """Look again at studies that have grown after they were decided about."""
        known = self.waiting.fact(_LAST_CHANGE)
        if known is None:
            self.waiting.remember(_LAST_CHANGE, str(self.archive.last_change()))
            return
        since = int(known)
        for _ in range(_PAGES):
            page = self.archive.changes(since)
            stable = [c["ID"] for c in page["Changes"] if c["ChangeType"] == "StableStudy"]
            if stable:
                self.waiting.stable(stable)
            if int(page["Last"]) != since:
                since = int(page["Last"])
                self.waiting.remember(_LAST_CHANGE, str(since))
            if page["Done"]:
                return


def door_of(application: str) -> str:
    """Name of an application's door in the outbox."""
    return f"application-{application}"


def kept(archive: MatchingArchive, study: str) -> RoutingRecord | None:
    """The decisions that are kept with a study; None where there are none.

    Raises:
        ValueError: another version wrote them.
    """
    text = archive.metadata("study", study, Metadata.ROUTING)
    return None if text is None else RoutingRecord.model_validate_json(text)


def _delivery(study: str, decision: Decision) -> NewDelivery:
    return NewDelivery(
        result=decision.digest,
        event="study",
        door=door_of(decision.application),
        level="study",
        resource=study,
        study=study,
        target=decision.target,
    )
