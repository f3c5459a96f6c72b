# SPDX-License-Identifier: AGPL-3.0-or-later
"""The threads of a table: one postman per destination, and loops that find what is to be sent."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from plugin.archive import ArchiveError
from plugin.doors.postman import Postman
from plugin.queue import QueueError

LOGGER = logging.getLogger(__name__)

DISPATCH_SECONDS = 1.0
TIDY_SECONDS = 60.0
TROUBLE_SECONDS = 5.0

_Opened = TypeVar("_Opened")


@dataclass(frozen=True)
class TableThreads:
    """What one table keeps going; nothing where it asks for nothing.

    Attributes:
        loops: each a name, what is done, and after how many seconds it is done again.
    """

    postmen: tuple[Postman[Any], ...] = ()
    loops: tuple[tuple[str, Callable[[], object], float], ...] = ()

    @property
    def doors(self) -> list[str]:
        """Names of the doors in the outbox."""
        return [postman.door for postman in self.postmen]

    def start(self) -> None:
        """Start all threads; they live as long as the process."""
        for postman in self.postmen:
            threading.Thread(target=postman.run_forever, name=postman.door, daemon=True).start()
        for name, step, seconds in self.loops:
            again = partial(again_and_again, name, step, seconds)
            threading.Thread(target=again, name=name, daemon=True).start()


def again_and_again(name: str, step: Callable[[], object], seconds: float) -> None:
    """Call a step until the process ends, whatever trouble it meets."""
    while True:
        try:
            step()
        except (ArchiveError, QueueError) as error:
            LOGGER.warning("%s waits: %s", name, error)
            time.sleep(TROUBLE_SECONDS)
        except Exception as error:  # noqa: BLE001
            # An error of ours; its text may quote a header.
            LOGGER.error("%s: %s, tried again", name, type(error).__name__)  # noqa: TRY400
            time.sleep(TROUBLE_SECONDS)
        time.sleep(seconds)


def opened(name: str, opening: Callable[[], _Opened]) -> _Opened:
    """Open a file of the PHI zone, as soon as its disk lets us."""
    while True:
        try:
            return opening()
        except QueueError as error:
            LOGGER.warning("%s waits: %s", name, error)
            time.sleep(TROUBLE_SECONDS)
