# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a worker does when a scan's state is stored: note in the outbox who is to be told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from plugin.doors.destinations import Destination
from plugin.doors.outbox import Event, NewDelivery, Outbox
from plugin.states import ScanState, Status

_ENDINGS = (
    Status.FINDINGS,
    Status.NO_FINDINGS,
    Status.ABSTAINED,
    Status.REFUSED,
    Status.FAILED,
)
URGENCY: dict[Event, int] = {"escalation": 2, "failed": 1, "result": 0}


@dataclass(frozen=True)
class Announcer:
    """Notes deliveries; nothing is sent here.

    Args:
        outbox: where they are noted.
        destinations: who is to be told of what.
        severity: priority of a scan from which it escalates.
    """

    outbox: Outbox
    destinations: Sequence[Destination]
    severity: int

    def announce(self, study: str, state: ScanState) -> None:
        """Note what the state of a scan leads to; once, however often it is called.

        Raises:
            OutboxError: nothing was noted; to be called again.
        """
        happened = events(state, self.severity)
        digest = fingerprint(state)
        deliveries = [
            NewDelivery(
                result=digest,
                event=to.event,
                door=to.door,
                level=state.level,
                resource=state.resource,
                study=study,
                urgency=URGENCY[to.event],
                target=to.target,
            )
            for to in self.destinations
            if to.event in happened
        ]
        if deliveries:
            self.outbox.note(deliveries)


def events(state: ScanState, severity: int) -> tuple[Event, ...]:
    """What happened: a result that has a report or should have one, a failure, an escalation."""
    happened: list[Event] = []
    reported = any(stored.kind == "SR" for stored in state.objects) or "SR" in state.quarantined
    if state.status in _ENDINGS and reported:
        happened.append("result")
    if state.status is Status.FAILED:
        happened.append("failed")
    # The priority, not the severities: rules of the site may have raised or lowered it.
    if state.status is Status.FINDINGS and state.priority >= severity:
        happened.append("escalation")
    return tuple(happened)


def fingerprint(state: ScanState) -> str:
    """SHA-256 of what a state says: the same when the same is found again, else another one."""
    said = state.model_dump(
        mode="json",
        include={
            "level", "resource", "status", "reason", "model", "model_version", "probabilities",
        },
    )  # fmt: skip
    said["reports"] = sorted(one.sop_instance_uid for one in state.objects if one.kind == "SR")
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
