# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the table of copies needs: one postman per rule, and who follows Orthanc's changes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from deid import DeidentificationKey, Deidentifier, Option, Policy
from deid.profile_files import load as load_profile
from plugin.archive import Archive
from plugin.arrival.key import ArchiveKey
from plugin.configuration.copy_table import CopyRule, read_copies
from plugin.copies.dispatcher import CopyDispatcher
from plugin.copies.ledger import FILE_NAME, CopyLedger
from plugin.copies.matching import CopyMatcher
from plugin.copies.sending import Batch, CopySender
from plugin.copies.transports import transport_for
from plugin.deidentification import options_of, policy_of
from plugin.doors.outbox import Outbox
from plugin.doors.postman import Postman
from plugin.handover import Handover
from plugin.quarantine import Quarantine
from plugin.queue import JobQueue
from plugin.review_copies import ReviewCopies
from plugin.routing.assembly import again_and_again
from plugin.routing.exchange import Exchange
from plugin.routing.waiting import WaitingStudies

DISPATCH_SECONDS = 1.0
TIDY_SECONDS = 60.0


@dataclass(frozen=True)
class Copying:
    """The threads of one node's table of copies; none where it has no rule."""

    postmen: tuple[Postman[Batch], ...] = ()
    dispatcher: CopyDispatcher | None = None

    @classmethod
    def of(cls, handover: Handover, outbox: Outbox) -> Copying:
        """Put together what the table asks for.

        Raises:
            TableError: the table can't be used.
            DeidentificationError: the key or a profile can't be used.
        """
        table = read_copies(handover.configuration.copies.table)
        if not table.rules:
            return cls()
        archive = Archive(handover.orthanc_url, handover.authorization)
        exchange = Exchange(handover.orthanc_url, handover.authorization)
        matcher = CopyMatcher(archive, table, archived=bool(handover.arrival_socket))
        waiting = WaitingStudies(Path(handover.queue_file).with_name(FILE_NAME))
        queue = JobQueue(Path(handover.queue_file))
        return cls(
            tuple(_postman(handover, rule, outbox, (exchange, matcher)) for rule in table.rules),
            CopyDispatcher(archive, matcher, waiting, outbox, queue.pending_for),
        )

    @property
    def doors(self) -> list[str]:
        """Names of the doors in the outbox."""
        return [postman.door for postman in self.postmen]

    def start(self) -> None:
        """Start all threads; they live as long as the process."""
        for postman in self.postmen:
            threading.Thread(target=postman.run_forever, name=postman.door, daemon=True).start()
        if self.dispatcher is None:
            return
        loops = (
            ("copies", self.dispatcher.step, DISPATCH_SECONDS),
            ("copies-tidy", self.dispatcher.waiting.tidy, TIDY_SECONDS),
        )
        for name, step, seconds in loops:
            again = partial(again_and_again, name, step, seconds)
            threading.Thread(target=again, name=name, daemon=True).start()


def _postman(
    handover: Handover, rule: CopyRule, outbox: Outbox, orthanc: tuple[Exchange, CopyMatcher]
) -> Postman[Batch]:
    exchange, matcher = orthanc
    key = _key(handover)
    options, policy = _profile(handover, rule)
    aside = ReviewCopies.of(key, options, policy, Quarantine(handover.quarantine))
    sender = CopySender(
        rule,
        exchange,
        matcher,
        Deidentifier(key, options, policy, once=bool(handover.arrival_socket)),
        transport_for(rule, exchange),
        CopyLedger.beside(handover.queue_file),
        partial(aside.keep, level="instance"),
    )
    return Postman(sender.door, outbox, sender.load, sender.send)


def _key(handover: Handover) -> DeidentificationKey:
    if handover.arrival_socket:
        return ArchiveKey.of(handover.key_file, Path(handover.queue_file).parent).read()
    return DeidentificationKey.from_file(Path(handover.key_file), create=True)


def _profile(handover: Handover, rule: CopyRule) -> tuple[Sequence[Option], Policy]:
    if rule.profile:
        profile = load_profile(rule.profile)
        return sorted(profile.options), profile.policy
    section = handover.configuration.deidentification
    return options_of(section), policy_of(section)
