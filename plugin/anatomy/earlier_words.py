# SPDX-License-Identifier: AGPL-3.0-or-later
"""Carries the words that reviewers gave to earlier versions to where they are kept now.

What a reviewer says is kept beside Orthanc, too, and told to who makes headers standard; words of
earlier versions are in Orthanc's metadata alone. All studies are looked through for them once, some
at a time with a rest in between: no release of Orthanc finds a series by metadata that it has.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from plugin.archive import ArchiveError
from plugin.queue_file import QueueError
from plugin.states import Metadata

LOGGER = logging.getLogger(__name__)

DONE = "done"
"""Comes after all identifiers of Orthanc, which are hexadecimal digits."""
STUDIES = 50
"""Studies whose series are asked for in one question."""
REST = 4.0
"""Orthanc rests so many times as long as a question took it."""
TROUBLE_SECONDS = 30.0


class Studies(Protocol):
    """What is needed of Orthanc; see ``plugin.archive.Archive``."""

    def study_identifiers(self) -> list[str]:
        """Orthanc identifiers of all studies."""

    def metadata_of(
        self,
        resources: Sequence[str],
        level: Literal["series", "instance"],
        names: Sequence[Metadata],
        /,
    ) -> list[tuple[dict[str, Any], dict[Metadata, str]]]:
        """Metadata values of many resources at once."""


class Keeper(Protocol):
    """Who is to have the words.

    Raises:
        QueueError: from every method, when its file can't be used now.
    """

    def reached(self) -> str:
        """The study that was looked at last; empty before the first, ``DONE`` after all."""

    def reach(self, study: str, /) -> None:
        """Keep how far it is."""

    def take(self, series: dict[str, Any], log: str, /) -> None:
        """Keep what was said of a series, unless something newer is kept of it.

        Args:
            series: Orthanc's JSON.
            log: JSON of an ``OverrideLog``.
        """


@dataclass
class EarlierWords:
    """Looks through all studies for one keeper; where it is cut off it goes on at the next start.

    What is said meanwhile is kept by whoever takes it.
    """

    archive: Studies
    keeper: Keeper
    sleep: Callable[[float], object] = time.sleep
    _said: str = field(default="")

    def carry(self) -> None:
        """Carry all words, whatever trouble it meets."""
        while True:
            try:
                self._carry()
            except (ArchiveError, QueueError) as error:
                self._wait(str(error))
            else:
                return

    def _carry(self) -> None:
        reached = self.keeper.reached()
        if reached == DONE:
            return
        left = [one for one in sorted(self.archive.study_identifiers()) if one > reached]
        for start in range(0, len(left), STUDIES):
            asked = left[start : start + STUDIES]
            self._look(asked)
            self.keeper.reach(asked[-1])
        self.keeper.reach(DONE)

    def _look(self, studies: Sequence[str]) -> None:
        started = time.perf_counter()
        found = self.archive.metadata_of(studies, "series", (Metadata.ANATOMY_OVERRIDES,))
        took = time.perf_counter() - started
        for series, held in found:
            if log := held.get(Metadata.ANATOMY_OVERRIDES):
                self.keeper.take(series, log)
        self.sleep(REST * took)

    def _wait(self, reason: str) -> None:
        if reason != self._said:
            self._said = reason
            LOGGER.warning("earlier words of reviewers are not carried over yet: %s", reason)
        self.sleep(TROUBLE_SECONDS)
