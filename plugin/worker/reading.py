# SPDX-License-Identifier: AGPL-3.0-or-later
"""The reader of scans as the configuration wants it: for the workers, and for the plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from deid import DeidentificationKey, Deidentifier
from plugin.anatomy.words import ReviewerWords
from plugin.archive import Archive
from plugin.configuration.anatomy_rules import read_anatomy_rules
from plugin.configuration.application_table import read_applications
from plugin.configuration.deidentification import DeidentificationSection
from plugin.deid_review.door import ReviewDoor
from plugin.deid_review.ledger import ReviewLedger
from plugin.deid_review.workshop import Workshop, settings_of
from plugin.deidentification import options_of, policy_of
from plugin.gate import Gate
from plugin.handover import Handover
from plugin.quarantine import Quarantine
from plugin.review_copies import ReviewCopies
from plugin.worker.anatomist import Anatomist
from plugin.worker.beginnings import beginning
from plugin.worker.orders import Orders
from plugin.worker.scan import Reader


def reader_for(
    handover: Handover,
    archive: Archive,
    gate: Gate,
    quarantine: Quarantine | None = None,
    *,
    leaving: bool = False,
) -> Reader:
    """A reader with the site's key, de-identification options, applications and rules.

    Args:
        handover: with the configuration.
        archive: Orthanc.
        gate: to inference.
        quarantine: gets documents that wait for a person; without one they are refused only.
        leaving: whether what is read is sent to others, and not to the models of this machine; in
            arrival mode it was read so once for all.

    Raises:
        KeyFileError: the key is missing, unusable, or not the one that this node began with.
    """
    section = handover.configuration.deidentification
    anatomy = handover.configuration.anatomy
    key = handover.site_key.read()
    options = options_of(section)
    # What was de-identified as it arrived goes to the models as it is.
    once = bool(handover.arrival_socket)
    policy = replace(
        policy_of(section, leaving=leaving or once), vocabulary=str(handover.vocabulary)
    )
    # Of a header alone no pixel is seen, and none leaves.
    header_only = policy.without_pixels()
    deidentifier = Deidentifier(key, options=options, policy=policy, once=once)
    return Reader(
        archive,
        deidentifier,
        Deidentifier(key, options=options, policy=header_only),
        gate,
        handover.configuration.applications,
        anatomist=Anatomist(archive, gate, read_anatomy_rules(anatomy.rules)),
        orders=Orders(Path(anatomy.worklists)) if anatomy.worklists else None,
        aside=_aside(key, section, quarantine),
        table=read_applications(handover.configuration.applications.table),
        door=_door(handover, Workshop(key, options, policy, settings_of(section)), deidentifier),
        words=ReviewerWords.beside(handover.queue_file),
        beginning=partial(beginning, archive),
    )


def _door(handover: Handover, workshop: Workshop, deidentifier: Deidentifier) -> ReviewDoor | None:
    """Where people look at what is refused; in arrival mode no original is kept to look at."""
    section = handover.configuration.deidentification_review
    if not section.reviewers or handover.arrival_socket:
        return None
    ledger = ReviewLedger.beside(handover.queue_file)
    return ReviewDoor(ledger, workshop, deidentifier, section.sample, section.hold_sampled)


def _aside(
    key: DeidentificationKey, section: DeidentificationSection, quarantine: Quarantine | None
) -> Callable[[bytes, str, str], None] | None:
    if quarantine is None:
        return None
    copies = ReviewCopies.of(
        key, options_of(section), policy_of(section, leaving=False), quarantine
    )
    return partial(copies.keep, level="instance")
