# SPDX-License-Identifier: AGPL-3.0-or-later
"""The table of applications as the dispatcher asks it.

The decision is kept on the study before its deliveries are noted, so that whoever delivers finds
which set is meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from plugin.doors.outbox import NewDelivery
from plugin.routing.matching import Archive, Matcher
from plugin.routing.records import Decision
from plugin.states import Metadata


@dataclass(frozen=True)
class RoutingDecider:
    """Decides about whole studies that this node's workers have worked on."""

    archive: Archive
    matcher: Matcher

    awaits_workers: ClassVar[bool] = True
    takes_strangers: ClassVar[bool] = False

    def of_study(self, study: str) -> Sequence[NewDelivery]:
        """Keep the decision; one delivery per application that is handed a set."""
        record = self.matcher.decide(study)
        text = record.model_dump_json()
        if self.archive.metadata("study", study, Metadata.ROUTING) != text:
            self.archive.put_metadata("study", study, Metadata.ROUTING, text)
        return [_delivery(study, one) for one in record.decisions if one.digest]

    def of_instance(self, _instance: str) -> Sequence[NewDelivery]:
        """Nothing: an application is handed whole studies."""
        return ()


def door_of(application: str) -> str:
    """Name of an application's door in the outbox."""
    return f"application-{application}"


def _delivery(study: str, decision: Decision) -> NewDelivery:
    return NewDelivery(
        result=decision.digest,
        event="study",
        door=door_of(decision.application),
        level="study",
        resource=study,
        study=study,
        target=decision.target,
    )
