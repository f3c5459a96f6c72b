# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the table of applications needs besides the workers: senders, the dispatcher, pulls."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from plugin.archive import Archive, ArchiveError
from plugin.configuration.application_table import ApplicationTable, read_applications
from plugin.doors.outbox import Outbox
from plugin.doors.postman import Postman
from plugin.gate import Gate
from plugin.handover import Handover
from plugin.queue import JobQueue, QueueError
from plugin.routing.delivery import Sender, Shipment, load
from plugin.routing.dispatcher import Dispatcher, door_of
from plugin.routing.exchange import Exchange
from plugin.routing.matching import Matcher
from plugin.routing.pulling import Puller
from plugin.routing.waiting import WaitingStudies
from plugin.worker.reading import reader_for

LOGGER = logging.getLogger(__name__)

DISPATCH_SECONDS = 1.0
PULL_SECONDS = 30.0
TROUBLE_SECONDS = 5.0
TIDY_SECONDS = 60.0


@dataclass(frozen=True)
class Routing:
    """The threads of one node's table; none where the table hands nothing over."""

    postmen: tuple[Postman[Shipment], ...] = ()
    loops: tuple[tuple[str, Callable[[], object], float], ...] = ()

    @classmethod
    def of(cls, handover: Handover, outbox: Outbox) -> Routing:
        """Put together what the table asks for.

        Raises:
            TableError: the table can't be used.
        """
        table = read_applications(handover.configuration.applications.table)
        if not table.needs_a_process:
            return cls()
        waiting = _waiting(handover)
        archive = Archive(handover.orthanc_url, handover.authorization)
        exchange = Exchange(handover.orthanc_url, handover.authorization)
        loops: list[tuple[str, Callable[[], object], float]] = [
            ("routing-tidy", waiting.tidy, TIDY_SECONDS)
        ]
        if table.handovers:
            queue = JobQueue(Path(handover.queue_file))
            matcher = Matcher(archive, table)
            dispatcher = Dispatcher(archive, matcher, waiting, outbox, queue.pending_for)
            loops.append(("dispatcher", dispatcher.step, DISPATCH_SECONDS))
        if table.pulls:
            puller = Puller(exchange, table, waiting)
            loops.append(("pulls", puller.step, PULL_SECONDS))
        return cls(_postmen(handover, table, outbox, exchange), tuple(loops))

    @property
    def doors(self) -> list[str]:
        """Names of the doors in the outbox."""
        return [postman.door for postman in self.postmen]

    def start(self) -> None:
        """Start all threads; they live as long as the process."""
        for postman in self.postmen:
            threading.Thread(target=postman.run_forever, name=postman.door, daemon=True).start()
        for name, step, seconds in self.loops:
            again = partial(again_and_again, name, step, seconds)
            threading.Thread(target=again, name=name, daemon=True).start()


def _postmen(
    handover: Handover, table: ApplicationTable, outbox: Outbox, exchange: Exchange
) -> tuple[Postman[Shipment], ...]:
    # The reader's own: what leaves for an application is what inference would get.
    gate = Gate.to(handover.inference_url, handover.configuration.inference.token, 60.0)
    deidentifier = reader_for(handover, exchange, gate).deidentifier
    folder = Path(handover.queue_file).parent
    return tuple(
        Postman(
            door_of(one.name),
            outbox,
            partial(load, exchange),
            Sender(exchange, one.handover, deidentifier, folder).send,
        )
        for one in table.applications
        if one.handover is not None
    )


def again_and_again(name: str, step: Callable[[], object], seconds: float) -> None:
    """Call a step until the process ends, whatever trouble it meets."""
    while True:
        try:
            step()
        except (ArchiveError, QueueError) as error:
            LOGGER.warning("%s waits: %s", name, error)
            time.sleep(TROUBLE_SECONDS)
        except Exception as error:  # noqa: BLE001
            # An error of ours; its text may quote a header.
            LOGGER.error("%s: %s, tried again", name, type(error).__name__)  # noqa: TRY400
            time.sleep(TROUBLE_SECONDS)
        time.sleep(seconds)


def _waiting(handover: Handover) -> WaitingStudies:
    while True:
        try:
            return WaitingStudies.beside(handover.queue_file)
        except QueueError as error:
            LOGGER.warning("waiting: %s", error)
            time.sleep(TROUBLE_SECONDS)
