# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sends a set only while Orthanc holds all of it; else its study is decided about once more.

A set can wait for days while its receiver is away, and priors are what an archive deletes first.
Without them the current study still has a set: a smaller one, which has a delivery of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from plugin.archive import ArchiveError, NotFoundError
from plugin.doors.errors import SupersededError, UndeliverableError, UnreachableError
from plugin.queue_file import QueueError
from plugin.routing.delivery import Shipment
from plugin.routing.records import Decision

LOGGER = logging.getLogger(__name__)

CHANGED = "images of the set were deleted from Orthanc; the study is decided about again"


class Shelf(Protocol):
    """What is needed of Orthanc."""

    def series(self, identifier: str, /) -> dict[str, Any]:
        """Orthanc's JSON of one series."""


@dataclass(frozen=True)
class Whole:
    """Stands before a sender.

    Args:
        archive: Orthanc.
        onwards: sends a set.
        again: makes a study due to be decided about, by its Orthanc identifier.
    """

    archive: Shelf
    onwards: Callable[[Shipment], None]
    again: Callable[[str], None]

    def send(self, shipment: Shipment) -> None:
        """Send a set.

        Raises:
            SupersededError: Orthanc does not hold all of it any more; its study is due.
            DeliveryError: as the sender's.
        """
        self._require(shipment)
        try:
            self.onwards(shipment)
        except (UndeliverableError, UnreachableError):
            self._require(shipment)  # it may have been deleted meanwhile
            raise

    def _require(self, shipment: Shipment) -> None:
        try:
            if is_there(self.archive, shipment.decision):
                return
            self.again(shipment.delivery.study)
            LOGGER.warning("door %s: %s", shipment.delivery.door, CHANGED)
        except (ArchiveError, QueueError) as error:
            raise UnreachableError(str(error)) from None
        raise SupersededError(CHANGED)


def is_there(archive: Shelf, decision: Decision) -> bool:
    """Whether Orthanc holds every image of a set.

    Raises:
        ArchiveError: it can't be asked now.
    """
    try:
        held = {
            part.series: set(archive.series(part.series)["Instances"]) for part in decision.parts
        }
    except NotFoundError:
        return False
    return all(held[part.series].issuperset(part.instances) for part in decision.parts)
