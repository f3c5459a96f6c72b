# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether Orthanc works for somebody else: jobs that run, images that arrive, slow answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

_SLOW_SECONDS = 1.0


class Working(Protocol):
    """What is needed of Orthanc; see ``plugin.archive.Archive``."""

    def running_jobs(self) -> int:
        """How many of its jobs run or wait."""

    def last_change(self) -> int:
        """Sequence number of the latest change."""


@dataclass
class OrthancLoad:
    """Looks at one Orthanc."""

    archive: Working
    clock: Callable[[], float] = field(default=time.monotonic)
    _seen: int | None = None

    def busy(self) -> bool:
        """Whether a job runs, something changed since the last look, or it answers slowly."""
        began = self.clock()
        last = self.archive.last_change()
        slow = self.clock() - began > _SLOW_SECONDS
        changed = self._seen is not None and last != self._seen
        self._seen = last
        return slow or changed or self.archive.running_jobs() > 0
