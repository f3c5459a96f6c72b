# SPDX-License-Identifier: AGPL-3.0-or-later
"""The reader of scans as the configuration wants it: for the workers, and for the plan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from deid import DeidentificationKey, Deidentifier
from deid.policy import Faces, PixelText
from plugin.archive import Archive
from plugin.arrival.key import ArchiveKey
from plugin.configuration.anatomy_rules import read_anatomy_rules
from plugin.configuration.application_table import read_applications
from plugin.deid_review.door import ReviewDoor
from plugin.deid_review.ledger import ReviewLedger
from plugin.deid_review.workshop import Workshop, settings_of
from plugin.deidentification import options_of, policy_of
from plugin.gate import Gate
from plugin.handover import Handover
from plugin.worker.anatomist import Anatomist
from plugin.worker.orders import Orders
from plugin.worker.scan import Reader


def reader_for(handover: Handover, archive: Archive, gate: Gate) -> Reader:
    """A reader with the site's key, de-identification options, applications and rules."""
    section = handover.configuration.deidentification
    anatomy = handover.configuration.anatomy
    arrival = bool(handover.arrival_socket)
    if arrival:
        key = ArchiveKey.of(handover.key_file, Path(handover.queue_file).parent).read()
    else:
        key = DeidentificationKey.from_file(Path(handover.key_file), create=True)
    options = options_of(section)
    policy = replace(policy_of(section), vocabulary=str(handover.vocabulary))
    # Of a header alone no pixel is seen, and none leaves.
    header_only = replace(
        policy,
        allow_burned_in_annotation=True,
        pixel_text=PixelText.LEAVE,
        faces=Faces.LEAVE,
    )
    # What was de-identified as it arrived goes to the models as it is.
    deidentifier = Deidentifier(key, options=options, policy=policy, once=arrival)
    return Reader(
        archive,
        deidentifier,
        Deidentifier(key, options=options, policy=header_only),
        gate,
        handover.configuration.applications,
        anatomist=Anatomist(archive, gate, read_anatomy_rules(anatomy.rules)),
        orders=Orders(Path(anatomy.worklists)) if anatomy.worklists else None,
        table=read_applications(handover.configuration.applications.table),
        door=_door(handover, Workshop(key, options, policy, settings_of(section)), deidentifier),
    )


def _door(handover: Handover, workshop: Workshop, deidentifier: Deidentifier) -> ReviewDoor | None:
    """Where people look at what is refused; in arrival mode no original is kept to look at."""
    section = handover.configuration.deidentification_review
    if not section.reviewers or handover.arrival_socket:
        return None
    ledger = ReviewLedger.beside(handover.queue_file)
    return ReviewDoor(ledger, workshop, deidentifier, section.sample, section.hold_sampled)
