# SPDX-License-Identifier: AGPL-3.0-or-later
"""The loop of one door: take what is due, send it, note how that ended.

Each door has a thread of its own, so a receiver that hangs holds up no other. A receiver that can't
be reached is left alone for a while, longer each time; after that one of the deliveries is tried
that did not fail since the receiver last answered, so that one that always fails, however urgent,
does not stand in the way of the rest.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from plugin.doors.errors import (
    OutboxError,
    RefusedError,
    SupersededError,
    UndeliverableError,
    UnreachableError,
)
from plugin.doors.outbox import Delivery, Outbox

LOGGER = logging.getLogger(__name__)

_Carried = TypeVar("_Carried")
"""What a delivery carries: a result, or a matched study set."""

IDLE_SECONDS = 0.25
TROUBLE_SECONDS = 1.0
_SPARED = 500
"""Failed deliveries that a sender remembers; with pauses of five minutes they last for 40 hours."""


@dataclass
class Postman(Generic[_Carried]):
    """Delivers for one door.

    Args:
        door: its name in the outbox.
        outbox: where deliveries wait.
        load: reads what a delivery carries.
        send: delivers it.
    """

    door: str
    outbox: Outbox
    load: Callable[[Delivery], _Carried]
    send: Callable[[_Carried], None]
    failures: int = 0
    _failed: deque[int] = field(default_factory=lambda: deque(maxlen=_SPARED), init=False)
    """Deliveries that failed since the receiver last answered."""

    def run_forever(self) -> None:
        """Deliver until the process ends."""
        while True:
            try:
                time.sleep(self.step())
            except OutboxError as error:
                LOGGER.warning("door %s waits: %s", self.door, error)
                time.sleep(TROUBLE_SECONDS)

    def step(self) -> float:
        """Try one delivery; how long to wait before the next one, in seconds."""
        delivery = self._next()
        if delivery is None:
            return IDLE_SECONDS
        try:
            self.send(self.load(delivery))
        except UnreachableError as error:
            return self._pause(delivery, str(error))
        except SupersededError as error:
            self.outbox.superseded(delivery, str(error))
        except UndeliverableError as error:
            self._bury(delivery, str(error))
        except RefusedError as error:
            LOGGER.warning("door %s, delivery %d: %s", self.door, delivery.id, error)
            if self.outbox.refused(delivery, str(error)):
                LOGGER.error("door %s, delivery %d is a dead letter", self.door, delivery.id)  # noqa: TRY400
        except Exception as error:  # noqa: BLE001
            # An error of ours; its text may quote the result.
            self._bury(delivery, f"{type(error).__name__} while it was written")
        else:
            self.outbox.sent(delivery)
        self.failures = 0
        self._failed.clear()
        return 0.0

    def _next(self) -> Delivery | None:
        found = self.outbox.due(self.door, self._failed)
        if found is None and self._failed:
            return self.outbox.due(self.door)
        return found

    def _pause(self, delivery: Delivery, reason: str) -> float:
        self.failures += 1
        self._failed.append(delivery.id)
        if self.failures == 1:
            LOGGER.warning("door %s: %s", self.door, reason)
        self.outbox.unreachable(delivery, reason)
        return self.outbox.patience.wait(self.failures)

    def _bury(self, delivery: Delivery, reason: str) -> None:
        LOGGER.error("door %s, delivery %d is a dead letter: %s", self.door, delivery.id, reason)
        self.outbox.bury(delivery, reason)
