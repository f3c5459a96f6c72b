# SPDX-License-Identifier: AGPL-3.0-or-later
"""Workers rest between jobs while scans pour in.

Even a process that runs only when nothing else wants the processor slows the others down: it shares
caches, memory and often the core itself with them. On two cores an idle-priority loop that touches
nothing of Orthanc's costs it a tenth of its storing speed. Resting for as long as a job took halves
that, and results still keep coming.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

WINDOW_SECONDS = 0.5
POURING = 10
"""Arrivals within the window: 20 a second. A radiograph, or a few, is no reason to wait."""
MOST_SECONDS = 1.0


@dataclass(frozen=True)
class GivingWay:
    """Rests after work.

    ``arrived`` counts what has arrived in the last seconds given to it; ``share`` of the time is
    rest while scans pour in.
    """

    arrived: Callable[[float], int]
    share: float
    rest: Callable[[float], None] = time.sleep

    def after(self, worked: float) -> None:
        """Rest, if scans pour in, after so many seconds of work."""
        if self.share > 0.0 and self.arrived(WINDOW_SECONDS) >= POURING:
            self.rest(min(worked * self.share / (1.0 - self.share), MOST_SECONDS))
