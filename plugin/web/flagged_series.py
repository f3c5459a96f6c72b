# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which series a person should look at, without reading the metadata of every one.

Orthanc searches by metadata since 1.12.5. Before that the ledger of this node is asked, which all
series are looked through for once; where several Orthancs share a database, once a day, since a
series that another node flagged is not in it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass

from plugin.anatomy import AnatomyBook
from plugin.anatomy.ledger import MOST_FLAGGED, AnatomyLedger
from plugin.queue import QueueError
from plugin.states import Metadata
from plugin.web.protocols import Archive

LOGGER = logging.getLogger(__name__)

CHUNK = 500
"""Series whose metadata are asked for in one question."""
_DAY = 86_400.0


@dataclass(frozen=True)
class FlaggedSeries:
    """The list for review."""

    archive: Archive
    ledger: AnatomyLedger

    def listed(self, modality: str | None) -> list[str] | None:
        """Series that are, or lately were, in doubt; None where only all of them would be sure.

        Args:
            modality: may leave out series of another one.
        """
        try:
            if self.archive.finds_by_metadata():
                query = {"Modality": modality} if modality else {}
                flag = Metadata.FOR_REVIEW
                found = self.archive.find_by_metadata("Series", query, flag, "1")
            else:
                self._sweep_if_due()
                found = []
            # What an earlier release flagged is in the ledger alone.
            return sorted({*found, *self.ledger.flagged(MOST_FLAGGED)})
        except QueueError as error:
            LOGGER.warning("the list for review can't be read: %s", error)
            return None

    def forget(self, series: Iterable[str]) -> None:
        """These are gone, or there is no doubt about them any more."""
        try:
            for one in series:
                self.ledger.clear(one)
        except QueueError as error:
            LOGGER.warning("the list for review can't be written: %s", error)

    def _sweep_if_due(self) -> None:
        swept = self.ledger.swept()
        shared = self.archive.has_database_server()
        if swept is not None and not (shared and time.time() - swept > _DAY):
            return
        book = AnatomyBook(self.archive)
        every = self.archive.find("Series", {}, expand=False)
        flagged: list[str] = []
        for start in range(0, len(every), CHUNK):
            found = book.many(every[start : start + CHUNK])
            flagged += [str(one["ID"]) for one, anatomy in found if anatomy.review]
        self.ledger.sweep(flagged)
