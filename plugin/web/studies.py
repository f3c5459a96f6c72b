# SPDX-License-Identifier: AGPL-3.0-or-later
"""Routes of a study: what became of its scans, and the request to analyse it again."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from plugin.queue import QueueError
from plugin.routing.records import APPLICATION_DOOR
from plugin.states import ScanState
from plugin.web.addresses import scan_links, study_links
from plugin.web.answers import accepted, json_answer
from plugin.web.disclaimers import Disclaimers
from plugin.web.errors import RETRY_SECONDS, RequestError
from plugin.web.parameters import Parameters, identifier
from plugin.web.protocols import Deliveries, Queue
from plugin.web.stored import StoredResults
from plugin.web.urgency import Urgency

StudyStatus = Literal["in-progress", "done", "not-analysed"]

LOGGER = logging.getLogger(__name__)

_LARGEST_BODY = 1024


class StudyRoutes:
    """``/studies/{id}/sidelight`` and below."""

    def __init__(
        self,
        results: StoredResults,
        queue: Queue,
        disclaimers: Disclaimers,
        urgency: Urgency,
        deliveries: Deliveries | None = None,
    ) -> None:
        self._deliveries = deliveries
        self._results = results
        self._queue = queue
        self._disclaimers = disclaimers
        self._urgency = urgency

    def show(self, request: Request) -> Response:
        """``GET /studies/{id}/sidelight``: 202 as long as a scan is not finished."""
        study_id = identifier(request, "study")
        Parameters(request)
        tree = self._results.tree(study_id)
        # Before the states: a scan that ends in between counts as pending, not as never seen.
        pending = self._queue.pending_for(tree.identifiers)
        states = self._urgency.of(self._results.states(tree.places), tree.study)
        content = self._describe(study_id, states, pending)
        if content["status"] == "in-progress":
            return accepted(content, RETRY_SECONDS)
        return json_answer(request, content)

    def _describe(self, study_id: str, states: list[ScanState], pending: int) -> dict[str, Any]:
        return {
            "study": study_id,
            "status": study_status(states, pending),
            "pending": pending,
            **priority_of(states),
            "scans": [self._scan(state) for state in states],
            "handed_over": self._handed_over(study_id),
            "links": study_links(study_id),
        }

    def _handed_over(self, study_id: str) -> list[dict[str, str]]:
        """The last delivery to each application outside; a superseded one where there is no other.

        An earlier set that is wanted once more is sent as the delivery that it was.
        """
        if self._deliveries is None:
            return []
        try:
            found = self._deliveries.deliveries_of(study_id, "study")
        except QueueError as error:
            # What became of the scans is readable all the same.
            LOGGER.warning("what was handed over can't be read: %s", error)
            return []
        counts = sorted(found, key=lambda one: (one["status"] != "superseded", one["id"]))
        latest = {str(one["door"]): one for one in counts}
        return [
            {
                "application": door.removeprefix(APPLICATION_DOOR),
                **{key: str(one[key]) for key in ("target", "status", "reason")},
            }
            for door, one in sorted(latest.items())
        ]

    def _scan(self, state: ScanState) -> dict[str, Any]:
        content = state.model_dump(mode="json")
        content["disclaimer"] = self._disclaimers.of(state)
        content["images"] = self._images(state)
        content["links"] = scan_links(state)
        for stored in content["objects"]:
            stored["links"] = {
                "instance": f"/instances/{stored['instance']}",
                "file": f"/instances/{stored['instance']}/file",
            }
        return content

    def _images(self, state: ScanState) -> list[str]:
        if state.level == "instance":
            return [state.resource]
        stored = self._results.findings_behind(state)
        return stored.instances() if stored else []

    async def analyse(self, request: Request) -> Response:
        """``POST /studies/{id}/sidelight/analyse``: 202 with the place of the answer."""
        refuse_foreign_page(request)
        study_id = identifier(request, "study")
        Parameters(request)
        await refuse_body(request)
        return await run_in_threadpool(self._enqueue, study_id)

    def _enqueue(self, study_id: str) -> Response:
        self._results.study(study_id)
        queued = self._queue.enqueue_analysis(study_id)
        content = {"study": study_id, "queued": queued, "links": study_links(study_id)}
        # Relative to this address, so that it stays right behind a proxy that adds a prefix.
        return accepted(content, RETRY_SECONDS, location="../sidelight")


def study_status(states: Iterable[ScanState], pending: int) -> StudyStatus:
    """Whether answers are still to come, all there, or never asked for."""
    known = list(states)
    if pending or any(state.status.in_progress for state in known):
        return "in-progress"
    return "done" if known else "not-analysed"


def priority_of(states: Sequence[ScanState]) -> dict[str, Any]:
    """The priority of a study whose most urgent scan stands first, and why."""
    if not states:
        return {"priority": 0, "priority_reason": "", "priority_rule": "", "within_minutes": None}
    return states[0].model_dump(
        include={"priority", "priority_reason", "priority_rule", "within_minutes"}
    )


def refuse_foreign_page(request: Request) -> None:
    """Raise for a request that a page of another origin made a browser send."""
    # A browser sends the user's Orthanc password along with whatever any web site makes it post.
    site = request.headers.get("sec-fetch-site")
    if site is None and "origin" in request.headers:
        # Over plain HTTP, other than to the same machine, browsers don't say where a page is from
        # (Fetch Metadata, 2.1). JSON is what a foreign page may send only if Orthanc had agreed;
        # Origin can't be held against Host, which a proxy may have rewritten.
        content = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        site = "same-origin" if content == "application/json" else "unknown"
    if site not in (None, "same-origin", "none"):
        raise RequestError(
            403,
            "foreign-page",
            "a page of another origin may not change anything here; pages of this one send "
            "Content-Type: application/json",
        )


async def refuse_body(request: Request) -> None:
    """Raise for anything but nothing, or the empty object that many clients can't help sending."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_BODY:
            raise _no_body()
    if body.strip() not in (b"", b"{}"):
        raise _no_body()


def _no_body() -> RequestError:
    return RequestError(400, "bad-body", "this address takes no body, or an empty JSON object")
