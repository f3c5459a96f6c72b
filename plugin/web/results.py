# SPDX-License-Identifier: AGPL-3.0-or-later
"""Routes of results for a RIS: what the stored reports say, as JSON or as FHIR R4 by Accept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from plugin.archive import NotFoundError
from plugin.doors import fhir
from plugin.doors.errors import UnreadableReportError
from plugin.doors.package import reports_of
from plugin.doors.result import Result
from plugin.states import ScanState
from plugin.web.addresses import study_links
from plugin.web.answers import NEVER_KEPT, REVALIDATE, accepted, entity_tag, json_answer, tagged
from plugin.web.errors import RETRY_SECONDS, RequestError
from plugin.web.media import JSON, preferred
from plugin.web.parameters import Parameters, identifier
from plugin.web.protocols import Queue
from plugin.web.stored import StoredResults
from plugin.web.studies import study_status
from plugin.web.urgency import Urgency
from plugin.web.worklist import studies_asked_for

NOT_STORED = "the report was deleted from Orthanc; analyse the study again"


@dataclass(frozen=True)
class _Reported:
    """A study with what its reports say, and the scans that have none."""

    study: dict[str, Any]
    status: str
    results: tuple[Result, ...]
    without_report: tuple[ScanState, ...]


class ResultRoutes:
    """``/sidelight/results`` and ``/studies/{id}/sidelight/results``."""

    def __init__(self, results: StoredResults, queue: Queue, urgency: Urgency) -> None:
        self._results = results
        self._queue = queue
        self._urgency = urgency

    def find(self, request: Request) -> Response:
        """``GET /sidelight/results``: results of the studies with exactly these values."""
        kind = _kind(request)
        found = [
            study
            for identifier_ in studies_asked_for(request, self._results)
            if (study := self._if_there(identifier_))
        ]
        if kind == fhir.MEDIA_TYPE:
            return _fhir(request, found, NEVER_KEPT)
        content = {"studies": [_described(study) for study in found]}
        return json_answer(request, content, cache=NEVER_KEPT, vary="Accept")

    def show(self, request: Request) -> Response:
        """``GET /studies/{id}/sidelight/results``: 202 as long as a scan is not finished."""
        study_id = identifier(request, "study")
        Parameters(request)
        kind = _kind(request)
        study = self._read(study_id)
        if study.status == "in-progress":
            return accepted(_described(study), RETRY_SECONDS)
        if kind == fhir.MEDIA_TYPE:
            return _fhir(request, [study], REVALIDATE)
        return json_answer(request, _described(study), vary="Accept")

    def _if_there(self, study_id: str) -> _Reported | None:
        try:
            return self._read(study_id)
        except RequestError as error:
            if error.status == 404:
                return None  # deleted since it was found
            raise

    def _read(self, study_id: str) -> _Reported:
        tree = self._results.tree(study_id)
        # Before the states: a scan that ends in between counts as pending, not as never seen.
        pending = self._queue.pending_for(tree.identifiers)
        states = self._urgency.of(self._results.states(tree.places), tree.study)
        read = self._results.side_by_side(self._reports, states)
        return _Reported(
            tree.study,
            study_status(states, pending),
            tuple(result for results in read for result in results),
            tuple(s for s, results in zip(states, read, strict=True) if not results),
        )

    def _reports(self, state: ScanState) -> tuple[Result, ...]:
        try:
            return reports_of(self._results.archive, state)
        except NotFoundError:
            return ()
        except UnreadableReportError as error:
            raise RequestError(500, "unreadable-result", str(error)) from None


def _kind(request: Request) -> str:
    return preferred(request.headers.get("accept"), (JSON, fhir.MEDIA_TYPE))


def _fhir(request: Request, studies: list[_Reported], cache: str) -> Response:
    body = fhir.bundle([result for study in studies for result in study.results])
    headers = {"Vary": "Accept"}
    return tagged(
        request,
        entity_tag(body),
        lambda: Response(body, 200, headers, fhir.MEDIA_TYPE),
        cache=cache,
        headers=headers,
    )


def _described(study: _Reported) -> dict[str, Any]:
    tags = study.study.get("MainDicomTags", {})
    return {
        "study": str(study.study["ID"]),
        "study_instance_uid": tags.get("StudyInstanceUID", ""),
        "accession_number": tags.get("AccessionNumber", ""),
        "status": study.status,
        "results": [result.model_dump(mode="json") for result in study.results],
        "without_report": [_unreported(state) for state in study.without_report],
        "links": study_links(str(study.study["ID"])),
    }


def _unreported(state: ScanState) -> dict[str, Any]:
    reported = any(stored.kind == "SR" for stored in state.objects)
    return {
        "level": state.level,
        "resource": state.resource,
        "status": str(state.status),
        "reason": NOT_STORED if reported else state.reason or _quarantined(state),
    }


def _quarantined(state: ScanState) -> str:
    return next((f"the report was not stored: {why}" for why in state.quarantined.values()), "")
