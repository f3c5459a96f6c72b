# SPDX-License-Identifier: AGPL-3.0-or-later
"""Studies in short, for lists: how their scans ended, and whose they are.

A summary takes a handful of requests to Orthanc. A worklist of hundreds of studies is asked for
every few seconds, so summaries of finished studies are kept for a while.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from plugin.states import ScanState, Status
from plugin.web.addresses import study_links
from plugin.web.disclaimers import Disclaimers
from plugin.web.errors import RequestError
from plugin.web.protocols import Queue
from plugin.web.stored import StoredResults, StudyTree
from plugin.web.studies import priority_of, study_status
from plugin.web.urgency import Urgency

KEPT_SECONDS = 60.0


@dataclass(frozen=True)
class _Known:
    updated: str
    read_at: float
    pending: int
    tree: StudyTree
    states: list[ScanState]
    disclaimers: list[str]


class Summaries:
    """Reads and keeps summaries of studies."""

    def __init__(
        self, results: StoredResults, queue: Queue, disclaimers: Disclaimers, urgency: Urgency
    ) -> None:
        self._results = results
        self._queue = queue
        self._disclaimers = disclaimers
        self._urgency = urgency
        self._known: dict[str, _Known] = {}

    def fresh(self, study_id: str) -> dict[str, Any] | None:
        """The summary as of now; None when the study was deleted meanwhile."""
        known = self._read(study_id, "")
        return self._summary(study_id, known) if known else None

    def recent(self, study_id: str, updated: str) -> dict[str, Any] | None:
        """The summary, read again where ``updated`` or the queue says that it has changed.

        Args:
            study_id: Orthanc identifier.
            updated: When a report of the study last changed, as Orthanc has it.
        """
        known = self._known.get(study_id)
        if known is None or not _holds(known, updated) or self._pending(known.tree):
            known = self._read(study_id, updated)
            if known is None:
                return None
            self._known[study_id] = known
        return self._summary(study_id, known)

    def forget_all_but(self, studies: Collection[str]) -> None:
        """Drop what is kept of studies that are no longer listed."""
        for study_id in self._known.keys() - set(studies):
            self._known.pop(study_id, None)

    def _summary(self, study_id: str, known: _Known) -> dict[str, Any]:
        states = self._urgency.of(known.states, known.tree.study)
        status = study_status(states, known.pending)
        return {
            "study": study_id,
            "status": status,
            "outcomes": _outcomes(states, status),
            **priority_of(states),
            "reason": _reason(states),
            "finished_at": max((state.finished_at for state in states), default=""),
            "modalities": sorted({state.modality for state in states if state.modality}),
            "top": _top_findings(states),
            "disclaimers": known.disclaimers,
            **_tags(known.tree.study),
            "links": study_links(study_id),
        }

    def _pending(self, tree: StudyTree) -> int:
        return self._queue.pending_for(tree.identifiers)

    def _read(self, study_id: str, updated: str) -> _Known | None:
        read_at = time.monotonic()
        try:
            tree = self._results.tree(study_id)
        except RequestError:
            return None
        # Before the states: a scan that ends in between counts as pending, not as never seen.
        pending = self._pending(tree)
        found = self._results.states(tree.places)
        states = [state for state in found if state.status is not Status.OWN_OBJECT]
        disclaimers = sorted({said for s in states if (said := self._disclaimers.of(s))})
        return _Known(updated, read_at, pending, tree, states, disclaimers)


def _holds(known: _Known, updated: str) -> bool:
    if (
        known.pending
        or known.updated != updated
        or any(state.status.in_progress for state in known.states)
    ):
        return False
    return time.monotonic() - known.read_at < KEPT_SECONDS


def _outcomes(states: list[ScanState], status: str) -> dict[str, int]:
    outcomes = Counter(str(state.status) for state in states if not state.status.in_progress)
    if status == "in-progress":
        outcomes["in-progress"] = max(1, sum(state.status.in_progress for state in states))
    return dict(sorted(outcomes.items()))


def _top_findings(states: list[ScanState], count: int = 3) -> list[dict[str, Any]]:
    """The most probable findings of a study, those that are present first."""
    best: dict[str, dict[str, Any]] = {}
    for state in states:
        for item in state.probabilities:
            known = best.get(item.key)
            if known is None or item.probability > known["probability"]:
                best[item.key] = item.model_dump(mode="json")
    ranked = sorted(best.values(), key=lambda item: (not item["present"], -item["probability"]))
    return ranked[:count]


def _reason(states: list[ScanState]) -> str:
    """Why a scan of the study has no result, in words."""
    without = (Status.FAILED, Status.REFUSED, Status.ABSTAINED)
    return next((state.reason for state in states if state.status in without), "")


def _tags(study: dict[str, Any]) -> dict[str, Any]:
    tags, patient = study.get("MainDicomTags", {}), study.get("PatientMainDicomTags", {})
    return {
        "study_instance_uid": tags.get("StudyInstanceUID", ""),
        "accession_number": tags.get("AccessionNumber", ""),
        "study_date": tags.get("StudyDate", ""),
        "study_description": tags.get("StudyDescription", ""),
        "patient": {"id": patient.get("PatientID", ""), "name": patient.get("PatientName", "")},
    }
