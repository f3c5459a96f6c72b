# SPDX-License-Identifier: AGPL-3.0-or-later
"""Finds arrivals that never reached the queue, in Orthanc's own list of changes.

That happens when Orthanc is killed between storing and calling the hook, when the disk was full, or
when Sidelight was switched off for a while, or the queue's file was lost. What is found twice is
worked off once: the queue is idempotent.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field

from plugin.archive import Archive
from plugin.queue import GAP, NO_GAP, JobQueue
from plugin.worker.change_mark import ChangeMark

LOGGER = logging.getLogger(__name__)

LAST_CHANGE = "last-change"
"""Fact in the queue: all instances up to this change of Orthanc's are known."""

EVERY_SECONDS = 30.0


@dataclass
class CatchUp:
    """Reads the changes at start and after a gap; at quiet times it moves the mark along.

    The mark moves to where Orthanc was when it was last looked, ``EVERY_SECONDS`` ago: the hook
    tells of what it missed long before. ``worked_off`` outlasts the queue's file; it moves only
    when nothing is left to do.
    """

    queue: JobQueue
    archive: Archive
    worked_off: ChangeMark
    _next: float = 0.0
    _started: bool = field(default=False)
    _last: int | None = None
    """Orthanc's last change as it was a while ago."""

    def run_if_due(self) -> int:
        """Do what is due now; how many instances were found."""
        if self._started and time.monotonic() < self._next:
            return 0
        self._next = time.monotonic() + EVERY_SECONDS
        mark = self.queue.fact(LAST_CHANGE)
        if mark is None:
            return self._begin()
        self.worked_off.restore(int(mark))
        if self._started and self._gap() == NO_GAP:
            self._advance()
            return 0
        return self._read_changes(int(mark))

    def _begin(self) -> int:
        """Work with a queue that nobody has worked with yet.

        Raises:
            QueueError: it can't be told how far an earlier one was worked off.
        """
        self._started = False
        mark = self.worked_off.read()
        if mark is None:
            # First start ever: the old archive is not analysed unasked.
            mark = self.archive.last_change()
            self.worked_off.write(mark)
        else:
            LOGGER.warning("the queue is new: what came since it was last empty is analysed")
        self.queue.remember(LAST_CHANGE, str(mark))
        return self._read_changes(mark)

    def _gap(self) -> str:
        return self.queue.fact(GAP) or NO_GAP

    def _read_changes(self, since: int) -> int:
        found = 0
        gap = self._gap()
        for reached, instances in self.archive.new_instances(since):
            found += self.queue.put_all((instance, "") for instance in instances)
            self.queue.remember(LAST_CHANGE, str(reached))
        # Only now: what can't be read is read again. A gap that was told of meanwhile stays.
        self.queue.replace(GAP, NO_GAP, instead_of=gap)
        self._started = True
        self._last = None
        return found

    def _advance(self) -> None:
        # Not to the last change of now: its arrival may still be on its way to the queue, or the
        # word that it is missing there.
        last, self._last = self._last, self.archive.last_change()
        if last is None:
            return
        counts = self.queue.statistics()
        if counts["arrivals"] == 0:
            self.queue.remember(LAST_CHANGE, str(last))
            if not any(counts[name] for name in ("queued", "running", "gathering")):
                self.worked_off.write(last)
