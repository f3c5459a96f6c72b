# SPDX-License-Identifier: AGPL-3.0-or-later
"""How many series have an anatomy in doubt, for ``/sidelight/status``."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from plugin.anatomy import AnatomyBook
from plugin.anatomy.ledger import AnatomyLedger
from plugin.archive import ArchiveError
from plugin.collecting.notebook import Notebook, NotebookError
from plugin.queue import QueueError
from plugin.web.protocols import Archive

LOGGER = logging.getLogger(__name__)
_LOOKED_AT = 500
"""Flagged series that are compared with Orthanc at once; more are counted as they are."""


@dataclass(frozen=True)
class AnatomyDoubts:
    """The ledger of this node, compared with what Orthanc says now."""

    ledger: AnatomyLedger
    archive: Archive
    notebook: Notebook | None = None
    """Of rows that were collected at quiet hours, where that is configured."""

    def counts(self) -> dict[str, Any]:
        """``review``: series that a person should look at; ``retraining``: rows per model.

        ``collected``: rows of quiet hours, where they are collected.

        Series that were deleted or analysed again elsewhere leave the list; those that a reviewer
        has decided are not counted while that stands.
        """
        try:
            found = {"review": self._flagged(), "retraining": self.ledger.lesson_counts()}
            return found | ({"collected": self.notebook.size()} if self.notebook else {})
        except (QueueError, NotebookError) as error:
            return {"error": str(error)}

    def _flagged(self) -> int:
        listed = self.ledger.flagged(_LOOKED_AT)
        if not listed:
            return 0
        try:
            known = AnatomyBook(self.archive).many(listed)
        except ArchiveError as error:
            LOGGER.warning("flagged series are counted as listed: %s", error)
            return self.ledger.count()
        doubted = {
            str(series["ID"]): anatomy
            for series, anatomy in known
            if anatomy.recognized.agreement and anatomy.recognized.agreement.review
        }
        for series in listed:
            if series not in doubted:
                self.ledger.clear(series)
        decided = sum(not anatomy.review for anatomy in doubted.values())
        return self.ledger.count() - decided
