# SPDX-License-Identifier: AGPL-3.0-or-later
"""Putting together the desk of this node, where the configuration names reviewers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from deid import DeidentificationError, DeidentificationKey
from plugin.archive import Archive
from plugin.deid_review.accesses import AccessAudit
from plugin.deid_review.desk import ReviewDesk
from plugin.deid_review.ledger import ReviewLedger
from plugin.deid_review.terms import TermBook
from plugin.deid_review.workshop import Workshop, settings_of
from plugin.deidentification import options_of, policy_of
from plugin.handover import Handover
from plugin.queue import JobQueue

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Requeue:
    """The queue as far as reviews need it."""

    queue: JobQueue

    def pending_for(self, resources: Iterable[str], /) -> int:
        """How many arrivals and jobs of these Orthanc identifiers are not finished."""
        return self.queue.pending_for(resources)

    def analyse_again(self, instance: str, /) -> None:
        """Queue an instance again, before what arrives by itself."""
        self.queue.put_all([(instance, "")], forced=True)


def desk(handover: Handover, archive: Archive) -> ReviewDesk | None:
    """What takes decisions; None where nobody may, or no originals are kept."""
    people = handover.configuration.deidentification_review
    if not (people.reviewers or people.auditors) or handover.arrival_socket:
        return None
    try:
        made = _desk(handover, archive)
        # Words that were confirmed just before the process ended.
        made.terms.write()
    except (DeidentificationError, OSError) as error:
        LOGGER.error("no de-identification is reviewed: %s", error)  # noqa: TRY400
        return None
    threading.Thread(target=made.keep_paying, name="reviewed scans", daemon=True).start()
    return made


def _desk(handover: Handover, archive: Archive) -> ReviewDesk:
    people = handover.configuration.deidentification_review
    section = handover.configuration.deidentification
    policy = replace(policy_of(section), vocabulary=str(handover.vocabulary))
    key = DeidentificationKey.from_file(Path(handover.key_file), create=True)
    ledger = ReviewLedger.beside(handover.queue_file)
    return ReviewDesk(
        ledger=ledger,
        terms=TermBook(ledger, handover.vocabulary),
        workshop=Workshop(key, options_of(section), policy, settings_of(section)),
        files=archive,
        queue=Requeue(JobQueue(Path(handover.queue_file))),
        reviewers=people.reviewers,
        accesses=AccessAudit.beside(handover.queue_file, key),
        auditors=people.auditors,
    )
