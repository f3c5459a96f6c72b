# SPDX-License-Identifier: AGPL-3.0-or-later
"""``python -m plugin.doors``: delivers results, studies and copies, where asked to."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from functools import partial

from plugin.archive import Archive
from plugin.configuration.doors import DoorsSection
from plugin.copies import assembly as copies
from plugin.doors.errors import OutboxError
from plugin.doors.outbox import Outbox, Patience
from plugin.doors.package import Package, load
from plugin.doors.postman import Postman
from plugin.doors.senders import senders
from plugin.handover import Handover, receive
from plugin.logs import quiet_libraries
from plugin.routing import assembly as routing

LOGGER = logging.getLogger(__name__)

TIDY_EVERY_SECONDS = 60.0


def main() -> None:
    """Deliver until Orthanc ends."""
    quiet_libraries()
    handover = receive()
    outbox = _open(handover)
    tables = (routing.threads(handover, outbox), copies.threads(handover, outbox))
    others = [door for table in tables for door in table.doors]
    for postman in assemble(handover, outbox, others):
        threading.Thread(target=postman.run_forever, name=postman.door, daemon=True).start()
    for table in tables:
        table.start()
    while True:
        try:
            outbox.tidy()
            outbox.bring_near()
        except OutboxError as error:
            LOGGER.warning("waiting: %s", error)
        time.sleep(TIDY_EVERY_SECONDS)


def assemble(
    handover: Handover, outbox: Outbox, others: Sequence[str] = ()
) -> list[Postman[Package]]:
    """One postman per door; what waits for doors of an earlier configuration is buried.

    Args:
        others: doors that somebody else looks after.
    """
    archive = Archive(
        handover.orthanc_url,
        handover.authorization,
        find_limit=handover.find_limit,
        user_metadata=handover.user_metadata,
    )
    by_door = senders(handover.configuration.doors)
    outbox.bury_orphans([*by_door, *others])
    return [Postman(door, outbox, partial(load, archive), send) for door, send in by_door.items()]


def patience(section: DoorsSection) -> Patience:
    """How long deliveries are tried, by the configuration."""
    return Patience(
        section.maximum_refusals, section.backoff_seconds, section.keep_trying_hours * 3600.0
    )


def _open(handover: Handover) -> Outbox:
    """The outbox, as soon as it can be used."""
    outbox = Outbox.beside(handover.queue_file, patience(handover.configuration.doors))
    said = ""
    while True:
        try:
            outbox.statistics()
        except OutboxError as error:
            if said != str(error):
                said = str(error)
                LOGGER.warning("waiting: %s", error)
            time.sleep(1.0)
        else:
            return outbox


if __name__ == "__main__":
    main()
