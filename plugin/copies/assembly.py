# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the table of copies needs: one postman per rule, and who follows Orthanc's changes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from deid import Deidentifier, Option, Policy
from deid.profile_files import load as load_profile
from plugin.archive import Archive
from plugin.configuration.copy_table import CopyRule, read_copies
from plugin.copies.backfill_book import BackfillBook
from plugin.copies.backfilling import Backfilling
from plugin.copies.carrier import Carrier
from plugin.copies.deciding import CopyDecider, door_of
from plugin.copies.matching import CopyMatcher
from plugin.copies.sending import Batch, CopySender
from plugin.copies.transports import transport_for
from plugin.deidentification import options_of, policy_of
from plugin.dispatch.dispatcher import LONGEST_TROUBLE_SECONDS, Dispatcher
from plugin.dispatch.ledger import Ledger
from plugin.dispatch.threads import DISPATCH_SECONDS, TIDY_SECONDS, TableThreads, opened
from plugin.doors.outbox import Outbox
from plugin.doors.postman import Postman
from plugin.handover import Handover
from plugin.quarantine import Quarantine
from plugin.queue import JobQueue
from plugin.review_copies import ReviewCopies
from plugin.routing.exchange import Exchange
from plugin.site_key import KeyWatch

BACKFILL_SECONDS = 1.0


def threads(handover: Handover, outbox: Outbox) -> TableThreads:
    """What the table asks for; nothing where it has no rule.

    Raises:
        TableError: the table can't be used.
    """
    table = read_copies(handover.configuration.copies.table)
    if not table.rules:
        return TableThreads()
    ledger = opened("copies", partial(Ledger.of_copies, handover.queue_file))
    archive = Archive(
        handover.orthanc_url,
        handover.authorization,
        find_limit=handover.find_limit,
        user_metadata=handover.user_metadata,
    )
    exchange = Exchange(handover.orthanc_url, handover.authorization, handover.dicomweb_root)
    matcher = CopyMatcher(archive, table, archived=bool(handover.arrival_socket))
    queue = JobQueue(Path(handover.queue_file))
    longest = max(LONGEST_TROUBLE_SECONDS, handover.stable_age)
    decider = CopyDecider(archive, matcher)
    dispatcher = Dispatcher(archive, decider, ledger, outbox, queue.pending_for)
    backfilling = Backfilling(
        archive,
        decider,
        opened("backfill", partial(BackfillBook.beside, handover.queue_file)),
        ledger,
        outbox,
        dispatcher.is_quiet,
        partial(_is_busy, queue),
    )
    return TableThreads(
        tuple(
            _postman(handover, rule, outbox, (exchange, matcher, ledger)) for rule in table.rules
        ),
        (
            ("copies", dispatcher.step, DISPATCH_SECONDS),
            ("backfill", backfilling.step, BACKFILL_SECONDS),
            ("copies-tidy", ledger.tidy, TIDY_SECONDS),
            ("copies-waits", partial(ledger.bring_near, longest), TIDY_SECONDS),
        ),
    )


def _is_busy(queue: JobQueue) -> bool:
    """Whether scans wait for a worker of this node, or are worked on."""
    counts = queue.statistics()
    return any(counts[name] for name in ("queued", "running", "arrivals", "gathering"))


def _postman(
    handover: Handover, rule: CopyRule, outbox: Outbox, parts: tuple[Exchange, CopyMatcher, Ledger]
) -> Postman[Batch]:
    watch = KeyWatch(handover.site_key)
    carrier = Carrier(rule.name, partial(_sender, handover, rule, parts), watch.problem)
    carrier.prepare()
    return Postman(door_of(rule.name), outbox, carrier.load, carrier.send)


def _sender(
    handover: Handover, rule: CopyRule, parts: tuple[Exchange, CopyMatcher, Ledger]
) -> CopySender:
    exchange, matcher, ledger = parts
    key = handover.site_key.read()
    options, policy = _profile(handover, rule)
    aside = ReviewCopies.of(key, options, policy, Quarantine(handover.quarantine))
    return CopySender(
        rule,
        exchange,
        matcher,
        Deidentifier(key, options, policy, once=bool(handover.arrival_socket)),
        transport_for(rule, exchange),
        ledger,
        partial(aside.keep, level="instance"),
    )


def _profile(handover: Handover, rule: CopyRule) -> tuple[Sequence[Option], Policy]:
    if rule.profile:
        profile = load_profile(rule.profile)
        return sorted(profile.options), profile.policy
    section = handover.configuration.deidentification
    return options_of(section), policy_of(section, leaving=True)
