# SPDX-License-Identifier: AGPL-3.0-or-later
"""Carries out an order to run the rules over what is stored already, when nothing else is to do.

It holds back while the dispatcher has a study to decide about or the workers have scans, has few
deliveries in the outbox at a time, and those give way to every other. What a rule has sent once it
does not send again: an instance in the ledger is left out, and the outbox takes a delivery once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from plugin.anatomy.priors import study_date
from plugin.archive import ArchiveError, NotFoundError
from plugin.copies.backfill_book import Backfill, BackfillBook
from plugin.copies.deciding import CopyDecider
from plugin.dispatch.ledger import Ledger
from plugin.doors.outbox import NewDelivery, Outbox

LOGGER = logging.getLogger(__name__)

URGENCY = -1
"""In the outbox; what is new has 0 or more."""
MOST_WAITING = 20
"""Deliveries of the rules that wait at a time: what is stopped ends soon."""
LOOKS = 200
LOOK_SECONDS = 0.5
"""So many studies at a time, and so long, before it is seen whether there is something new."""
UNSETTLED_SECONDS = 30.0


class Archive(Protocol):
    """What is needed of Orthanc."""

    def study_identifiers(self) -> list[str]:
        """Orthanc identifiers of all studies."""

    def study(self, identifier: str, /) -> dict[str, Any]:
        """Orthanc's JSON of one study."""


@dataclass(frozen=True)
class Backfilling:
    """Works off one order after the other.

    Args:
        archive: Orthanc.
        decider: the table.
        book: the orders.
        ledger: which instance was sent.
        outbox: where deliveries are noted.
        is_quiet: whether a study can be decided about.
        is_busy: whether there is something else to do.
    """

    archive: Archive
    decider: CopyDecider
    book: BackfillBook
    ledger: Ledger
    outbox: Outbox
    is_quiet: Callable[[str], bool]
    is_busy: Callable[[], bool]

    def step(self) -> int:
        """Look at a few studies; how many were looked at.

        Raises:
            QueueError: a file can't be read or written.
            ArchiveError: Orthanc can't be asked.
        """
        order = self.book.open()
        if order is None or self.ledger.due(1) or self.is_busy():
            return 0
        if order.status == "ordered":
            self.book.list_studies(order.id, self.archive.study_identifiers())
            return 0
        if order.waiting == 0 or order.taken >= order.wish.most:
            self.book.end(order.id, "done")
            LOGGER.warning("backfill %d: %d deliveries", order.id, order.deliveries)
            return 0
        return self._look(order)

    def _look(self, order: Backfill) -> int:
        doors = self.decider.doors(order.wish.rules)
        free = MOST_WAITING - self.outbox.waiting(doors)
        left = order.wish.most - order.taken
        looked, until = 0, time.monotonic() + LOOK_SECONDS
        for study in self.book.due(order.id, LOOKS):
            if free <= 0 or left <= 0 or time.monotonic() > until:
                break
            noted = self._take(order, study)
            free -= noted
            left -= noted > 0
            looked += 1
        return looked

    def _take(self, order: Backfill, study: str) -> int:
        """Note what a study has that was not sent; how many deliveries that is."""
        deliveries: list[NewDelivery] = []
        try:
            wanted = order.wish.takes(study_date(self.archive.study(study)))
            if wanted and not self.is_quiet(study):
                self.book.later(order.id, study, UNSETTLED_SECONDS)
                return 0
            if wanted:
                rules = order.wish.rules
                deliveries = list(self.decider.unsent(study, rules, self.ledger, URGENCY))
        except NotFoundError:
            LOGGER.info("a study was deleted before it was copied")
        except ArchiveError as error:
            LOGGER.warning("backfill %d: %s", order.id, error)
            self.book.later(order.id, study, UNSETTLED_SECONDS)
            return 0
        new = self.outbox.note(deliveries) if deliveries else 0
        self.book.looked_at(order.id, study, new)
        return new
