# SPDX-License-Identifier: AGPL-3.0-or-later
"""A rule whose profile or key can't be used holds up its own deliveries, and no other door's."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from deid import DeidentificationError
from plugin.copies.sending import Batch, CopySender
from plugin.doors.errors import UnreachableError
from plugin.doors.outbox import Delivery

LOGGER = logging.getLogger(__name__)


@dataclass
class Carrier:
    """Carries out the deliveries of one rule, with a sender that is made when it can be.

    Args:
        rule: its name.
        make: makes the sender; a ``DeidentificationError`` says why it can't be made now.
        trouble: says why the key can't be used any more; empty while it can.
    """

    rule: str
    make: Callable[[], CopySender]
    trouble: Callable[[], str] = str
    _sender: CopySender | None = None

    def prepare(self) -> None:
        """Make the sender, or say in the log what keeps it."""
        try:
            self._ready()
        except UnreachableError as error:
            LOGGER.error("copy %s: %s", self.rule, error)  # noqa: TRY400 - no trace: it is foreseen

    def load(self, delivery: Delivery) -> Batch:
        """As ``CopySender.load``.

        Raises:
            UnreachableError: also while the profile or the key can't be used.
        """
        return self._ready().load(delivery)

    def send(self, batch: Batch) -> None:
        """As ``CopySender.send``.

        Raises:
            UnreachableError: also while the profile or the key can't be used.
        """
        self._ready().send(batch)

    def _ready(self) -> CopySender:
        if self._sender is not None and (trouble := self.trouble()):
            raise UnreachableError(f"the profile or key can't be used: {trouble}")
        if self._sender is None:
            try:
                self._sender = self.make()
            except DeidentificationError as error:
                raise UnreachableError(f"the profile or key can't be used: {error}") from None
        return self._sender
