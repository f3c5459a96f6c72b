# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the table of applications needs besides the workers: senders, the dispatcher, pulls."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from plugin.archive import Archive
from plugin.configuration.application_table import ApplicationTable, read_applications
from plugin.dispatch.dispatcher import LONGEST_TROUBLE_SECONDS, Dispatcher
from plugin.dispatch.ledger import Ledger
from plugin.dispatch.threads import DISPATCH_SECONDS, TIDY_SECONDS, TableThreads, opened
from plugin.doors.outbox import Outbox
from plugin.doors.postman import Postman
from plugin.gate import Gate, InferenceUnavailableError
from plugin.handover import Handover
from plugin.queue import JobQueue
from plugin.routing.answered import AnswerReader
from plugin.routing.choosing import Arrival
from plugin.routing.deciding import (
    OnlyPriors,
    RoutingDecider,
    door_of,
    handed_over_by,
    never,
)
from plugin.routing.delivery import Sender, Shipment, load
from plugin.routing.exchange import Exchange
from plugin.routing.late_reader import LateReader
from plugin.routing.matching import Matcher
from plugin.routing.prior_pulls import PriorPuller
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
    archive = Archive(
        handover.orthanc_url,
        handover.authorization,
        find_limit=handover.find_limit,
        user_metadata=handover.user_metadata,
    )
    exchange = Exchange(handover.orthanc_url, handover.authorization, handover.dicomweb_root)
    longest = max(LONGEST_TROUBLE_SECONDS, handover.stable_age)
    loops: list[tuple[str, Callable[[], object], float]] = [
        ("routing-tidy", ledger.tidy, TIDY_SECONDS),
        ("routing-waits", partial(ledger.bring_near, longest), TIDY_SECONDS),
    ]
    matcher = Matcher(archive, table)
    fetching: Callable[[str], bool] = never
    if table.pulls:
        puller, prior_puller = _pullers(handover, matcher, archive, exchange, ledger)
        loops.append(("pulls", puller.step, PULL_SECONDS))
        if prior_puller is not None:
            fetching = prior_puller.awaits
            loops.append(("priors", prior_puller.step, DISPATCH_SECONDS))
    if table.handovers:
        queue = JobQueue(Path(handover.queue_file))
        decider = RoutingDecider(
            archive, matcher, handed_over_by(outbox), OnlyPriors(archive, ledger)
        )
        relatives = Relatives(archive, matcher.furthest_days, fetching)
        dispatcher = Dispatcher(archive, decider, ledger, outbox, queue.pending_for, relatives)
        loops.append(("dispatcher", dispatcher.step, DISPATCH_SECONDS))
    again = ledger.again
    return TableThreads(_postmen(handover, table, outbox, exchange, again), tuple(loops))


def _pullers(
    handover: Handover,
    matcher: Matcher,
    archive: Archive,
    exchange: Exchange,
    ledger: Ledger,
) -> tuple[Puller, PriorPuller | None]:
    """What carries out the pulls, and what fetches priors where one of them does."""
    table = matcher.table
    gate = Gate.to(handover.inference_url, handover.configuration.inference.token, 60.0)
    late = LateReader(partial(reader_for, handover, exchange, gate), handover.site_key)
    anatomy = AnswerReader(late.deidentify_header, gate.recognize_anatomy).anatomy
    arrival = Arrival(handover.configuration.arrival.mode != "deidentify")

    def ready() -> bool:
        return not late.problem() and _answers(gate)

    installed = partial(_installed, gate)
    puller = Puller(
        exchange, table, ledger, installed=installed, anatomy=anatomy, ready=ready, arrival=arrival
    )
    # Where arrival gives new identifiers, no other archive knows the patient by the one here.
    if not arrival.under_its_uids or not any(pull.priors for pull in table.pulls):
        return puller, None
    return puller, PriorPuller(
        archive, matcher, exchange, ledger, anatomy, ready=ready, arrival=arrival
    )


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
