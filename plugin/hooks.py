# SPDX-License-Identifier: AGPL-3.0-or-later
"""What Orthanc calls: as little as possible, and never an error that would cost a scan."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from plugin.events import StoredInstance
from plugin.queue import GAP, JobQueue, QueueError

REPORT_EVERY_SECONDS = 60.0
TELL_EVERY_SECONDS = 1.0
LOW_BYTES = 1 << 20


@dataclass
class Hooks:
    """The hook of stored instances, and what it knows about its own health.

    ``open_queue`` finds the queue's place; it is tried again at each arrival while it fails. The
    workers are told of what was missed by a thread of its own: the queue may be locked.
    """

    open_queue: Callable[[], JobQueue]
    report: Callable[[str], None]
    queue: JobQueue | None = None
    error: str = ""
    missed: int = 0
    _gap: bool = False
    _reported: float = field(default=-REPORT_EVERY_SECONDS)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _telling: threading.Lock = field(default_factory=threading.Lock)
    _teller: threading.Thread | None = None

    def on_stored_instance(self, stored: StoredInstance) -> None:
        """Append the arrival. A queue that can't be written never makes Orthanc refuse a scan."""
        try:
            if not self._queue().put(stored.orthanc_id, stored.sop_class_uid):
                self._open_gap()
        except QueueError as error:
            self.missed += 1
            self._note(error)
            self._open_gap()
            return
        if not self._gap:
            self.error = ""

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
            queue.fact(GAP)
            free = queue.free_bytes()
        except QueueError as error:
            self._note(error)
            return self.error
        if self._gap:
            self._tell_of_gap()
        if not self._gap:
            self.error = ""
        if not self.error and free < LOW_BYTES:
            return "the disk of Sidelight's data directory is nearly full"
        return self.error

    def _open_gap(self) -> None:
        with self._telling:
            self._gap = True
            if self._teller is None:
                self._teller = threading.Thread(target=self._tell, name="gap", daemon=True)
                self._teller.start()

    def _tell(self) -> None:
        while True:
            with self._telling:
                if not self._gap:
                    self._teller = None
                    return
            self._tell_of_gap()
            time.sleep(TELL_EVERY_SECONDS)

    def _tell_of_gap(self) -> None:
        # What was missed is read from Orthanc's changes.
        self._gap = False
        try:
            self._queue().remember(GAP, secrets.token_hex(8))
        except QueueError as error:
            self._gap = True
            self._note(error)

    def _queue(self) -> JobQueue:
        with self._lock:
            if self.queue is None:
                self.queue = self.open_queue()
            return self.queue

    def _note(self, error: QueueError) -> None:
        self.error = f"the queue can't be written ({error}); scans are stored, analysis waits"
        now = time.monotonic()
        with self._telling:
            if now - self._reported < REPORT_EVERY_SECONDS:
                return
            self._reported = now
        self.report(self.error)
