# SPDX-License-Identifier: AGPL-3.0-or-later
"""Routes that find studies: by what a RIS knows of them, and the worklist of the page."""

from __future__ import annotations

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from plugin.states import Status
from plugin.web.answers import NEVER_KEPT, json_answer
from plugin.web.errors import RequestError
from plugin.web.latest_reports import LatestReports
from plugin.web.lookup import SEARCHABLE, exact, studies_with
from plugin.web.parameters import Parameters
from plugin.web.protocols import Queue
from plugin.web.stored import StoredResults
from plugin.web.summaries import Summaries

STATUSES = ("in-progress", *(status.value for status in Status if not status.in_progress))
DEFAULT_LIMIT = 100
MAXIMUM_LIMIT = 500


class WorklistRoutes:
    """``/sidelight/studies`` and ``/sidelight/worklist``."""

    def __init__(self, results: StoredResults, queue: Queue, summaries: Summaries) -> None:
        self._results = results
        self._queue = queue
        self._summaries = summaries
        self._reports = LatestReports(results.archive, MAXIMUM_LIMIT)

    def find(self, request: Request) -> Response:
        """``GET /sidelight/studies``: studies with exactly these values, and their results."""
        ids = studies_asked_for(request, self._results)
        studies = [
            entry for entry in self._results.side_by_side(self._summaries.fresh, ids) if entry
        ]
        studies.sort(key=lambda entry: str(entry["study"]))
        for entry in studies:
            del entry["patient"]
        return json_answer(request, {"studies": studies}, cache=NEVER_KEPT)

    def worklist(self, request: Request) -> Response:
        """``GET /sidelight/worklist``: the latest analysed studies, the most urgent first."""
        query = Parameters(request, ("limit", "status", "priority"))
        limit = query.whole("limit", 1, MAXIMUM_LIMIT) or DEFAULT_LIMIT
        status = query.choice("status", STATUSES)
        priority = query.whole("priority", 0, 3) or 0
        latest = self._latest_studies()
        self._summaries.forget_all_but(latest)
        entries = self._results.side_by_side(
            lambda item: self._summaries.recent(*item), latest.items()
        )
        studies = [
            entry
            for entry in entries
            if entry
            and (status is None or status in entry["outcomes"])
            and entry["priority"] >= priority
        ]
        studies.sort(key=lambda entry: str(entry["finished_at"]), reverse=True)
        studies.sort(key=_urgency)
        content = {"studies": studies[:limit], "total": len(studies)}
        return json_answer(request, content, cache=NEVER_KEPT)

    def _latest_studies(self) -> dict[str, str]:
        """The latest studies, and when each one's reports or jobs last changed.

        What waits, and what ended without a report, is known to this node's queue only.
        """
        latest = self._reports.studies()
        for study, seconds in self._queue.studies_to_note(MAXIMUM_LIMIT):
            latest[study] = max(_as_orthanc_writes(seconds), latest.get(study, ""))
        newest = sorted(latest.items(), key=lambda item: item[1], reverse=True)
        return dict(newest[:MAXIMUM_LIMIT])


def _as_orthanc_writes(seconds: float) -> str:
    return time.strftime("%Y%m%dT%H%M%S", time.gmtime(seconds))


def _urgency(entry: dict[str, Any]) -> tuple[int, float]:
    within = entry["within_minutes"]
    return (-int(entry["priority"]), float("inf") if within is None else within)


def studies_asked_for(request: Request, results: StoredResults) -> list[str]:
    """Orthanc identifiers of the studies whose tags are exactly the query parameters.

    Raises:
        RequestError: 400 for no parameter, an unknown one, or a wildcard.
    """
    query = _exact_query(Parameters(request, tuple(SEARCHABLE)))
    return sorted(studies_with(results.archive, query))


def _exact_query(query: Parameters) -> dict[str, str]:
    given = {name: value for name in SEARCHABLE if (value := query.text(name)) is not None}
    if not given:
        raise RequestError(400, "missing-parameter", "give one of " + ", ".join(SEARCHABLE))
    return {name: exact(name, value) for name, value in given.items()}
