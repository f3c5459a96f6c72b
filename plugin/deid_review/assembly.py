# SPDX-License-Identifier: AGPL-3.0-or-later
"""Putting together the desk of this node, where the configuration names reviewers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from deid import DeidentificationError, KeyFileError
from plugin.archive import Archive
from plugin.deid_review.accesses import AccessAudit
from plugin.deid_review.desk import ReviewDesk
from plugin.deid_review.ledger import ReviewLedger
from plugin.deid_review.terms import TermBook
from plugin.deid_review.workshop import Workshop, settings_of
from plugin.deidentification import options_of, policy_of
from plugin.handover import Handover
from plugin.queue import JobQueue
from plugin.site_key import AGAIN_SECONDS, KeyWatch, SiteKey

LOGGER = logging.getLogger(__name__)

_OPENING_SECONDS = 2 * AGAIN_SECONDS


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


@dataclass
class LateDesk:
    """The desk, as soon as the site's key can be used.

    Args:
        make: makes it; None where it can't be made though there is a key.
        key: of this node.
    """

    make: Callable[[], ReviewDesk | None]
    key: SiteKey
    _made: ReviewDesk | None = None
    _ready: threading.Event = field(default_factory=threading.Event)
    _watch: KeyWatch = field(init=False)

    def __post_init__(self) -> None:
        self._watch = KeyWatch(self.key)

    def start(self) -> None:
        """Make it now, or from a thread once there is a key."""
        if not self.key.problem():
            self._open()
        else:
            threading.Thread(target=self._open, name="desk", daemon=True).start()

    def __call__(self) -> ReviewDesk | None:
        """The desk.

        Raises:
            KeyFileError: the key can't be used; says why and what to do.
        """
        if problem := self._watch.problem():
            raise KeyFileError(problem)
        if not self._ready.wait(_OPENING_SECONDS):
            raise KeyFileError("the key was just found again: try once more")
        return self._made

    def _open(self) -> None:
        self.key.awaited()
        self._made = self.make()
        self._ready.set()


def desk(handover: Handover, archive: Archive) -> LateDesk | None:
    """What takes decisions; None where nobody may, or no originals are kept."""
    people = handover.configuration.deidentification_review
    if not (people.reviewers or people.auditors) or handover.arrival_socket:
        return None
    late = LateDesk(partial(_opened, handover, archive), handover.site_key)
    late.start()
    return late


def _opened(handover: Handover, archive: Archive) -> ReviewDesk | None:
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
    policy = replace(policy_of(section, leaving=False), vocabulary=str(handover.vocabulary))
    key = handover.site_key.read()
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
