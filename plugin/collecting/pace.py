# SPDX-License-Identifier: AGPL-3.0-or-later
"""How gently an archive is asked: in quiet hours, not while it works, not more than so often."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

_LOOK_SECONDS = 15.0
_CLOSED_LOOK_SECONDS = 60.0
_ASK_LOAD_EVERY = 20
"""Questions between two looks at whether the archive is busy."""


class OverError(Exception):
    """Nothing more is asked in this run; the message says why, in words."""


@dataclass(frozen=True)
class QuietHours:
    """Hours of the day, local time; equal hours are the whole day, 22 to 5 goes past midnight."""

    from_hour: int
    until_hour: int

    @property
    def always(self) -> bool:
        """Whether every hour is quiet."""
        return self.from_hour == self.until_hour

    def holds(self, hour: int) -> bool:
        """Whether an hour, 0 to 23, is quiet."""
        first, last = self.from_hour, self.until_hour
        if self.always:
            return True
        return first <= hour < last if first < last else hour >= first or hour < last


class Load(Protocol):
    """How much an archive has to do."""

    def busy(self) -> bool:
        """Whether it works for somebody else now."""


def _now() -> datetime:
    return datetime.now().astimezone()


@dataclass
class Pace:
    """Lets one question after the other through.

    Args:
        hours: the quiet ones. Before they begin it waits; when they end, it is over.
        queries: questions in one run, at most.
        load: of the archive.
        patience: how long a busy archive is waited for, in sum.
    """

    hours: QuietHours
    queries: int
    load: Load
    patience: timedelta = timedelta(hours=2)
    now: Callable[[], datetime] = field(default=_now)
    sleep: Callable[[float], None] = field(default=time.sleep)
    asked: int = 0
    _waited: float = 0.0
    _begun: bool = False

    def admit(self) -> None:
        """Return when a question may be asked.

        Raises:
            OverError: the hours or the questions are used up, or the archive stays busy.
        """
        if self.asked >= self.queries:
            raise OverError(f"{self.queries} questions were asked")
        self._require_quiet()
        if self.asked % _ASK_LOAD_EVERY == 0:
            self._give_way()
        self.asked += 1

    def _require_quiet(self) -> None:
        while not self.hours.holds(self.now().hour):
            if self._begun:
                raise OverError("the quiet hours are over")
            self.sleep(_CLOSED_LOOK_SECONDS)
        self._begun = True

    def _give_way(self) -> None:
        while self.load.busy():
            if self._waited >= self.patience.total_seconds():
                raise OverError("the archive stays busy")
            self.sleep(_LOOK_SECONDS)
            self._waited += _LOOK_SECONDS
            self._require_quiet()
