# SPDX-License-Identifier: AGPL-3.0-or-later
"""Routes that find studies: by what a RIS knows of them, and the worklist of the page."""

from __future__ import annotations

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from plugin.states import Status
from plugin.web.answers import NEVER_KEPT, json_answer
from plugin.web.errors import RequestError, bad_parameter
from plugin.web.parameters import Parameters
from plugin.web.stored import StoredResults
from plugin.web.summaries import Summaries

SEARCHABLE = {
    "AccessionNumber": "MainDicomTags",
    "StudyInstanceUID": "MainDicomTags",
    "PatientID": "PatientMainDicomTags",
}
"""Tags that a study is looked up by, and where Orthanc's JSON of a study has them."""

OWN_REPORTS = {"Modality": "SR", "Manufacturer": "Sidelight"}
"""Every scan that a model was asked about has one of these reports, whatever its outcome."""

STATUSES = ("in-progress", *(status.value for status in Status if not status.in_progress))
DEFAULT_LIMIT = 100
MAXIMUM_LIMIT = 500

# Orthanc matches *, ? and \ as wildcards or as a list of values (PS3.4 section C.2.2.2).
_EXACT = re.compile(r"[^\x00-\x20\x7f*?\\](?:[^\x00-\x1f\x7f*?\\]{0,62}[^\x00-\x20\x7f*?\\])?")


class WorklistRoutes:
    """``/sidelight/studies`` and ``/sidelight/worklist``."""

    def __init__(self, results: StoredResults, summaries: Summaries) -> None:
        self._results = results
        self._summaries = summaries

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
        query = Parameters(request, ("limit", "status"))
        limit = query.whole("limit", 1, MAXIMUM_LIMIT) or DEFAULT_LIMIT
        status = query.choice("status", STATUSES)
        latest = self._latest_studies()
        self._summaries.forget_all_but(latest)
        entries = self._results.side_by_side(
            lambda item: self._summaries.recent(*item), latest.items()
        )
        studies = [e for e in entries if e and (status is None or status in e["outcomes"])]
        studies.sort(key=lambda entry: str(entry["finished_at"]), reverse=True)
        studies.sort(key=lambda entry: -int(entry["priority"]))
        content = {"studies": studies[:limit], "total": len(studies)}
        return json_answer(request, content, cache=NEVER_KEPT)

    def _latest_studies(self) -> dict[str, str]:
        """The latest analysed studies, and when each one's reports last changed."""
        reports = self._results.archive.find("Series", OWN_REPORTS, expand=True)
        latest: dict[str, str] = {}
        for report in reports:
            study, updated = str(report["ParentStudy"]), str(report.get("LastUpdate", ""))
            latest[study] = max(updated, latest.get(study, ""))
        newest = sorted(latest.items(), key=lambda item: item[1], reverse=True)
        return dict(newest[:MAXIMUM_LIMIT])


def studies_asked_for(request: Request, results: StoredResults) -> list[str]:
    """Orthanc identifiers of the studies whose tags are exactly the query parameters.

    Raises:
        RequestError: 400 for no parameter, an unknown one, or a wildcard.
    """
    query = _exact_query(Parameters(request, tuple(SEARCHABLE)))
    found = results.archive.find("Study", query, expand=True)
    return sorted(str(study["ID"]) for study in found if _matches(study, query))


def _exact_query(query: Parameters) -> dict[str, str]:
    given = {name: value for name in SEARCHABLE if (value := query.text(name)) is not None}
    if not given:
        raise RequestError(400, "missing-parameter", "give one of " + ", ".join(SEARCHABLE))
    for name, value in given.items():
        if not _EXACT.fullmatch(value):
            raise bad_parameter(
                name,
                "the exact value: 1 to 64 characters, without the wildcards *, ? and \\, control"
                " characters, and spaces around it",
            )
    return given


def _matches(study: dict[str, Any], query: dict[str, str]) -> bool:
    # Orthanc compares identifiers without case and accents.
    return all(
        str(study.get(SEARCHABLE[name], {}).get(name, "")).strip() == value
        for name, value in query.items()
    )
