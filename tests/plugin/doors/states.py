# SPDX-License-Identifier: AGPL-3.0-or-later
"""Scans with their states and reports, in an archive of a few dictionaries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from inference.contract import Outcome
from plugin.archive import ArchiveUnavailableError, NotFoundError
from plugin.states import GlobalProbability, Metadata, ScanState, Status, StoredObject
from tests.plugin.doors.conftest import MODEL, PROBABILITIES, make_report


def state_of(outcome: Outcome = Outcome.FINDINGS, **more: Any) -> ScanState:
    """The state of one image, with its report."""
    judged = outcome in (Outcome.FINDINGS, Outcome.NO_FINDINGS)
    scale = 1.0 if outcome is Outcome.FINDINGS else 0.1
    probabilities = tuple(
        GlobalProbability(
            key=one.key,
            name=one.name,
            probability=PROBABILITIES[one.key] * scale,
            threshold=one.threshold,
            present=PROBABILITIES[one.key] * scale >= one.threshold,
            severity=one.severity,
        )
        for one in MODEL.classes
        if judged
    )
    values: dict[str, Any] = {
        "level": "instance",
        "resource": "image-1",
        "status": Status(outcome.value),
        "model": MODEL.name,
        "model_version": MODEL.version,
        "probabilities": probabilities,
        "objects": (StoredObject(kind="SR", instance="sr-1", sop_instance_uid="2.25.1"),),
        "priority": max((p.severity for p in probabilities if p.present), default=0),
        "finished_at": "2026-11-03T10:15:04Z",
    }
    return ScanState(**{**values, **more})


@dataclass
class Archive:
    """What a postman asks of Orthanc."""

    states: dict[str, ScanState] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    down: bool = False

    def hold(self, state: ScanState, outcome: Outcome = Outcome.FINDINGS) -> ScanState:
        """Keep a state and the report that goes with it."""
        self.states[state.resource] = state
        for stored in state.objects:
            self.files[stored.instance] = make_report(outcome)
        return state

    def metadata(self, _level: str, resource: str, _name: Metadata) -> str | None:
        if self.down:
            raise ArchiveUnavailableError("Orthanc can't be reached")
        state = self.states.get(resource)
        return state.model_dump_json() if state else None

    def file(self, instance: str) -> bytes:
        if instance not in self.files:
            raise NotFoundError("no such instance")
        return self.files[instance]
