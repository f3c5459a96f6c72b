# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the table of applications needs besides the workers: senders, the dispatcher, pulls."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from plugin.archive import Archive
from plugin.configuration.application_table import ApplicationTable, read_applications
from plugin.dispatch.dispatcher import Dispatcher
from plugin.dispatch.ledger import Ledger
from plugin.dispatch.threads import DISPATCH_SECONDS, TIDY_SECONDS, TableThreads, opened
from plugin.doors.outbox import Outbox
from plugin.doors.postman import Postman
from plugin.gate import Gate, InferenceUnavailableError
from plugin.handover import Handover
from plugin.queue import JobQueue
from plugin.routing.answered import AnswerReader
from plugin.routing.choosing import Arrival
from plugin.routing.deciding import RoutingDecider, door_of, handed_over_by
from plugin.routing.delivery import Sender, Shipment, load
from plugin.routing.exchange import Exchange
from plugin.routing.late_reader import LateReader
from plugin.routing.matching import Matcher
from plugin.routing.pulling import Puller
from plugin.routing.relatives import Relatives
from plugin.routing.served import Wanted, wanted_by_models
from plugin.routing.whole_sets import Whole
from plugin.worker.reading import reader_for

PULL_SECONDS = 30.0


def threads(handover: Handover, outbox: Outbox) -> TableThreads:
    """What the table asks for; nothing where it hands nothing over and pulls nothing.

    Raises:
        TableError: the table can't be used.
    """
    table = read_applications(handover.configuration.applications.table)
    if not table.needs_a_process:
        return TableThreads()
    ledger = opened("routing", partial(Ledger.of_routing, handover.queue_file))
    archive = Archive(handover.orthanc_url, handover.authorization, find_limit=handover.find_limit)
    exchange = Exchange(handover.orthanc_url, handover.authorization)
    loops: list[tuple[str, Callable[[], object], float]] = [
        ("routing-tidy", ledger.tidy, TIDY_SECONDS)
    ]
    if table.handovers:
        queue = JobQueue(Path(handover.queue_file))
        matcher = Matcher(archive, table)
        decider = RoutingDecider(archive, matcher, handed_over_by(outbox))
        relatives = Relatives(archive, matcher.furthest_days)
        dispatcher = Dispatcher(archive, decider, ledger, outbox, queue.pending_for, relatives)
        loops.append(("dispatcher", dispatcher.step, DISPATCH_SECONDS))
    if table.pulls:
        gate = Gate.to(handover.inference_url, handover.configuration.inference.token, 60.0)
        late = LateReader(partial(reader_for, handover, exchange, gate), handover.site_key)
        answers = AnswerReader(late.deidentify_header, gate.recognize_anatomy)
        puller = Puller(
            exchange,
            table,
            ledger,
            installed=partial(_installed, gate),
            anatomy=answers.anatomy,
            ready=lambda: not late.problem() and _answers(gate),
            arrival=Arrival(handover.configuration.arrival.mode != "deidentify"),
        )
        loops.append(("pulls", puller.step, PULL_SECONDS))
    again = ledger.again
    return TableThreads(_postmen(handover, table, outbox, exchange, again), tuple(loops))


def _installed(gate: Gate) -> list[Wanted]:
    """What the installed bundles are made for."""
    return wanted_by_models(gate.models())


def _answers(gate: Gate) -> bool:
    """Whether inference answers at all."""
    try:
        gate.health()
    except InferenceUnavailableError:
        return False
    return True


def _postmen(
    handover: Handover,
    table: ApplicationTable,
    outbox: Outbox,
    exchange: Exchange,
    again: Callable[[str], None],
) -> tuple[Postman[Shipment], ...]:
    # The reader's own: what leaves for an application is what inference would get, and without
    # text in its pixels.
    gate = Gate.to(handover.inference_url, handover.configuration.inference.token, 60.0)
    reader = partial(reader_for, handover, exchange, gate, leaving=True)
    late = LateReader(reader, handover.site_key)
    folder = Path(handover.queue_file).parent
    return tuple(
        Postman(
            door_of(one.name),
            outbox,
            partial(load, exchange),
            Whole(
                exchange,
                Sender(exchange, one.handover, lambda: late.reader().deidentifier, folder).send,
                again,
            ).send,
        )
        for one in table.applications
        if one.handover is not None
    )
