# SPDX-License-Identifier: AGPL-3.0-or-later
"""``GET /sidelight/plan``: what would run and be handed over and why, and what was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response

from plugin.states import ScanState
from plugin.web.addresses import study_links
from plugin.web.answers import NEVER_KEPT, json_answer
from plugin.web.errors import InferenceUnavailableError, RequestError, unknown
from plugin.web.lookup import exact, studies_with
from plugin.web.parameters import Parameters, identifier, is_identifier
from plugin.web.protocols import Level
from plugin.web.stored import Place, StoredResults, known
from plugin.worker.planner import ScanPlan

TAGS = ("StudyInstanceUID", "AccessionNumber")
RESOURCES = ("study", "series", "instance")
MAXIMUM_SCANS = 50
"""Each scan is fetched whole and de-identified; more would take longer than Orthanc waits."""


class Planner(Protocol):
    """Makes the plan of one scan; may raise ``InferenceUnavailableError``."""

    def __call__(self, level: Level, resource: str, instances: list[str], /) -> ScanPlan:
        """What would be done with it."""


@dataclass(frozen=True)
class PlanRoutes:
    """The plan of one study, or of every study with an accession number.

    Args:
        results: what is kept in Orthanc.
        planner: explains what would run on a scan.
        routing: explains what is handed over of a study, one entry per application of the table.
        copies: explains what is copied of a study, one entry per rule of the table of copies.
        pulls: says why a study, by its Study Instance UID, was fetched from other archives or left.
    """

    results: StoredResults
    planner: Planner | None
    routing: Callable[[str], list[dict[str, Any]]] | None = None
    copies: Callable[[str], list[dict[str, Any]]] | None = None
    pulls: Callable[[str], list[dict[str, Any]]] | None = None

    def plan(self, request: Request) -> Response:
        """``GET /sidelight/plan``; writes nothing anywhere."""
        query = Parameters(request, (*RESOURCES, *TAGS))
        left = MAXIMUM_SCANS
        studies = []
        for study_id, scan in self._wanted(query):
            study = self._study(study_id, scan, left)
            left -= len(study["scans"])
            studies.append(study)
        # Of a study that was left where it is nothing else is known here.
        uid = query.text("StudyInstanceUID")
        elsewhere = self.pulls(uid) if self.pulls and uid and not studies else []
        content = {"studies": studies, "not_here": elsewhere}
        return json_answer(request, content, cache=NEVER_KEPT)

    def study(self, request: Request) -> Response:
        """``GET /studies/{id}/sidelight/plan``: the same for one study, by itself."""
        study_id = identifier(request, "study")
        Parameters(request)
        content = self._study(study_id, None, MAXIMUM_SCANS)
        return json_answer(request, content, cache=NEVER_KEPT)

    def _wanted(self, query: Parameters) -> list[tuple[str, str | None]]:
        """Studies, and the one series or instance in each that was asked for."""
        given = {name: query.text(name) for name in (*RESOURCES, *TAGS)}
        asked = [(name, value) for name, value in given.items() if value is not None]
        if len(asked) != 1:
            raise RequestError(400, "missing-parameter", "give exactly one of " + ", ".join(given))
        ((name, value),) = asked
        if name in RESOURCES:
            return [self._resource(name, value)]
        found = studies_with(self.results.archive, {name: exact(name, value)})
        return [(study_id, None) for study_id in sorted(found)]

    def _resource(self, kind: str, identifier: str) -> tuple[str, str | None]:
        """The study, and the series or instance in it that was asked for."""
        if not is_identifier(identifier):
            raise unknown(kind)
        if kind == "study":
            return identifier, None
        if kind == "series":
            return str(self.results.series(identifier)["ParentStudy"]), identifier
        series = str(self.results.instance(identifier)["ParentSeries"])
        return str(self.results.series(series)["ParentStudy"]), identifier

    def _study(self, study_id: str, asked: str | None, left: int) -> dict[str, Any]:
        tree = self.results.tree(study_id)
        places = [place for place in tree.places if asked is None or self._is_of(place, asked)]
        shown = places[: max(left, 0)]
        return {
            "study": study_id,
            "scans": self.results.side_by_side(self._scan, shown),
            "left_out": len(places) - len(shown),
            "routing": _explained(self.routing, study_id),
            "copies": _explained(self.copies, study_id),
            "pulls": _explained(self._pulled, study_id),
            "links": study_links(study_id),
        }

    def _pulled(self, study_id: str) -> list[dict[str, Any]]:
        if self.pulls is None:
            return []
        tags = self.results.archive.study(study_id).get("MainDicomTags", {})
        return self.pulls(str(tags.get("StudyInstanceUID", "")))

    def _is_of(self, place: Place, asked: str) -> bool:
        if place.resource == asked:
            return True
        if place.level == "series":
            return asked in self.results.series(place.resource)["Instances"]
        return str(self.results.instance(place.resource)["ParentSeries"]) == asked

    def _scan(self, place: Place) -> dict[str, Any]:
        if self.planner is None:
            raise InferenceUnavailableError("there is no planner")
        instances = (
            [place.resource]
            if place.level == "instance"
            else [str(one) for one in self.results.series(place.resource)["Instances"]]
        )
        plan = self.planner(place.level, place.resource, instances)
        return {
            "level": place.level,
            "resource": place.resource,
            "instances": len(instances),
            "category": plan.category,
            "anatomy": plan.anatomy.model_dump(mode="json") if plan.anatomy else None,
            "agreement": plan.agreement.model_dump(mode="json") if plan.agreement else None,
            "would_end": plan.end,
            "reason": plan.reason,
            "applications": plan.applications,
            "did": _did(self.results.state_if_there(place)),
            "links": {"resource": _path(place)},
        }


def _explained(
    explain: Callable[[str], list[dict[str, Any]]] | None, study: str
) -> list[dict[str, Any]]:
    if explain is None:
        return []
    with known("study"):
        return explain(study)


def _did(state: ScanState | None) -> dict[str, Any] | None:
    if state is None:
        return None
    shown = {"status", "reason", "model", "model_version", "finished_at", "anatomy_reason"}
    return state.model_dump(mode="json", include=shown)


def _path(place: Place) -> str:
    folder = "series" if place.level == "series" else "instances"
    return f"/{folder}/{place.resource}"
