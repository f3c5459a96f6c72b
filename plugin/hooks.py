# SPDX-License-Identifier: AGPL-3.0-or-later
"""What Orthanc calls: as little as possible, and never an error that would cost a scan."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from plugin.events import StoredInstance
from plugin.queue import GAP, JobQueue, QueueError

REPORT_EVERY_SECONDS = 60.0
LOW_BYTES = 1 << 20


@dataclass
class Hooks:
    """The hook of stored instances, and what it knows about its own health.

    ``open_queue`` opens the queue file; it is tried again at each arrival while it fails.
    """

    open_queue: Callable[[], JobQueue]
    report: Callable[[str], None]
    queue: JobQueue | None = None
    error: str = ""
    missed: int = 0
    _gap: bool = False
    _reported: float = field(default=-REPORT_EVERY_SECONDS)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def on_stored_instance(self, stored: StoredInstance) -> None:
        """Append the arrival. A queue that can't be written never makes Orthanc refuse a scan."""
        try:
            queue = self._queue()
            if not queue.put(stored.orthanc_id, stored.sop_class_uid):
                self._gap = True
            if self._gap:
                # What was missed is read from Orthanc's changes.
                queue.remember(GAP, "1")
                self._recovered()
        except QueueError as error:
            self._note(error)

    def on_stable_series(self, series: str) -> None:
        """Don't wait any longer for a series that Orthanc calls stable."""
        try:
            self._queue().mark_stable(series)
        except QueueError as error:
            self._note(error)

    def probe(self) -> str:
        """Whether arrivals can be kept now; what is wrong in words, or nothing."""
        try:
            queue = self._queue()
            if self._gap:
                queue.remember(GAP, "1")
                self._recovered()
            free = queue.free_bytes()
        except QueueError as error:
            self._note(error)
            return self.error
        if free < LOW_BYTES:
            return "the disk of Sidelight's data directory is nearly full"
        return ""

    def _recovered(self) -> None:
        self._gap = False
        self.error = ""

    def _queue(self) -> JobQueue:
        with self._lock:
            if self.queue is None:
                self.queue = self.open_queue()
            return self.queue

    def _note(self, error: QueueError) -> None:
        self.missed += 1
        self._gap = True
        self.error = f"the queue can't be written ({error}); scans are stored, analysis waits"
        now = time.monotonic()
        if now - self._reported >= REPORT_EVERY_SECONDS:
            self._reported = now
            self.report(self.error)
