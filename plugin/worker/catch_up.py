# SPDX-License-Identifier: AGPL-3.0-or-later
"""Finds arrivals that never reached the queue, in Orthanc's own list of changes.

That happens when Orthanc is killed between storing and calling the hook, when the disk was full, or
when Sidelight was switched off for a while. What is found twice is worked off once: the queue is
idempotent.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from plugin.archive import Archive
from plugin.queue import GAP, JobQueue

LAST_CHANGE = "last-change"
"""Fact in the queue: all instances up to this change of Orthanc's are known."""

EVERY_SECONDS = 30.0


@dataclass
class CatchUp:
    """Reads the changes at start and after a gap; at quiet times it moves the mark along."""

    queue: JobQueue
    archive: Archive
    _next: float = 0.0
    _started: bool = field(default=False)

    def run_if_due(self) -> int:
        """Do what is due now; how many instances were found."""
        if self._started and time.monotonic() < self._next:
            return 0
        self._next = time.monotonic() + EVERY_SECONDS
        mark = self.queue.fact(LAST_CHANGE)
        if mark is None:
            # First start ever: the old archive is not analysed unasked.
            self.queue.remember(LAST_CHANGE, str(self.archive.last_change()))
            self._started = True
            return 0
        if self._started and self.queue.fact(GAP) != "1":
            self._advance()
            return 0
        found = self._read_changes(int(mark))
        self._started = True
        return found

    def _read_changes(self, since: int) -> int:
        found = 0
        self.queue.remember(GAP, "0")
        for reached, instances in self.archive.new_instances(since):
            found += self.queue.put_all((instance, "") for instance in instances)
            self.queue.remember(LAST_CHANGE, str(reached))
        return found

    def _advance(self) -> None:
        # Asked for before looking at the queue: what arrives in between stays after the mark.
        last = self.archive.last_change()
        counts = self.queue.statistics()
        if counts["arrivals"] == 0:
            self.queue.remember(LAST_CHANGE, str(last))
