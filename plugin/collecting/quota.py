# SPDX-License-Identifier: AGPL-3.0-or-later
"""How many series one run looks at, and how long it rests between two of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from plugin.collecting.pace import OverError


@dataclass
class Quota:
    """Counts series.

    Args:
        most: series in this run; 0 for no bound.
        interval: seconds of rest before each but the first.
        note: told of each one that is taken.
    """

    most: int = 0
    interval: float = 0.0
    note: Callable[[], None] = field(default=lambda: None)
    sleep: Callable[[float], None] = field(default=time.sleep)
    taken: int = 0

    @property
    def used_up(self) -> bool:
        """Whether no further series may be looked at."""
        return bool(self.most) and self.taken >= self.most

    def take(self) -> None:
        """Return when the next series may be looked at.

        Raises:
            OverError: all are used up.
        """
        if self.used_up:
            raise OverError(f"{self.most} series were looked at")
        if self.taken and self.interval:
            self.sleep(self.interval)
        self.taken += 1
        self.note()
