# SPDX-License-Identifier: AGPL-3.0-or-later
"""What can go wrong at a door. Messages hold codes and our own words, and nothing of a patient.

Nothing that a receiver answers in words is repeated: an interface engine may quote the message.
"""

from __future__ import annotations

from plugin.queue_file import QueueError


class OutboxError(QueueError):
    """The outbox can't be read or written; the message says why."""


class UnreadableReportError(ValueError):
    """A report lacks what every report of Sidelight has; names the item, never a value."""


class DeliveryError(RuntimeError):
    """A delivery did not get through."""


class UnreachableError(DeliveryError):
    """The receiver isn't there or can't take anything now; the same delivery is tried again."""


class RefusedError(DeliveryError):
    """The receiver had the delivery and refused it; after some refusals it is a dead letter."""


class UndeliverableError(DeliveryError):
    """There is nothing that could be sent, and no other attempt would change that."""


class SupersededError(DeliveryError):
    """The scan has a newer result, which has a delivery of its own."""
