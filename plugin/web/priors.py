# SPDX-License-Identifier: AGPL-3.0-or-later
"""Route of the relevant priors of a study: the patient's earlier studies of the same anatomy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from plugin.anatomy import AnatomyBook, StudyAnatomy
from plugin.archive import NotFoundError
from plugin.states import Metadata
from plugin.web.addresses import study_links
from plugin.web.answers import NEVER_KEPT, json_answer
from plugin.web.errors import RequestError
from plugin.web.lookup import is_exact, studies_with
from plugin.web.parameters import Parameters, identifier
from plugin.web.stored import StoredResults

_MOST_LISTED = 100
_FURTHEST_DAYS = 36_500
_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)


@dataclass(frozen=True)
class _Study:
    """A study with what its series count as; ``anatomy`` is None where nobody has looked."""

    identifier: str
    taken: date | None
    anatomy: StudyAnatomy | None


class PriorRoutes:
    """``/studies/{id}/sidelight/priors``."""

    def __init__(self, results: StoredResults) -> None:
        self._results = results

    def show(self, request: Request) -> Response:
        """``GET …/priors``: earlier studies that share a region, the most alike and latest first.

        Studies of the same Study Date count as current, not as prior.
        """
        study_id = identifier(request, "study")
        query = Parameters(request, ("limit", "days", "same-modality"))
        limit = query.whole("limit", 1, _MOST_LISTED) or 10
        days = query.whole("days", 1, _FURTHEST_DAYS) or _FURTHEST_DAYS
        same_modality = query.flag("same-modality", default=False)
        study = self._results.study(study_id)
        current = self._read(study)
        if current.anatomy is None:
            raise RequestError(
                404,
                "no-anatomy",
                "Sidelight has not looked at this study; POST to its sidelight/analyse",
            )
        priors = [
            entry
            for other in self._others(study)
            if (entry := _entry(current, other, same_modality)) and entry["days_before"] <= days
        ]
        priors.sort(key=lambda entry: (-len(entry["regions"]), entry["days_before"]))
        content = {
            "study": study_id,
            "regions": list(current.anatomy.regions),
            "priors": priors[:limit],
            "total": len(priors),
        }
        return json_answer(request, content, cache=NEVER_KEPT)

    def _others(self, study: dict[str, Any]) -> list[_Study]:
        patient = str(study.get("PatientMainDicomTags", {}).get("PatientID", "")).strip()
        if not is_exact(patient):
            # Without an identifier, or with one that is a pattern, other patients' would be found.
            return []
        found = studies_with(self._results.archive, {"PatientID": patient})
        return [
            one
            for one in self._results.side_by_side(self._look_up, found)
            if one is not None and one.identifier != study["ID"]
        ]

    def _look_up(self, study_id: str) -> _Study | None:
        try:
            return self._read(self._results.archive.study(study_id))
        except NotFoundError:
            return None  # deleted meanwhile

    def _read(self, study: dict[str, Any]) -> _Study:
        study_id = str(study["ID"])
        text = self._results.archive.metadata("study", study_id, Metadata.ANATOMY)
        return _Study(
            study_id, _date(study), self._summed_up(study_id) if text is None else _anatomy(text)
        )

    def _summed_up(self, study_id: str) -> StudyAnatomy | None:
        """Of a study whose series were recognized before studies kept a sum."""
        known = AnatomyBook(self._results.archive).many([study_id])
        return StudyAnatomy.of([one.effective for _, one in known]) if known else None


def _entry(current: _Study, other: _Study, same_modality: bool) -> dict[str, Any] | None:
    if current.anatomy is None or other.anatomy is None:
        return None
    if current.taken is None or other.taken is None or other.taken >= current.taken:
        return None
    modalities = sorted(current.anatomy.by_modality.keys() & other.anatomy.by_modality.keys())
    shared = [region for region in current.anatomy.regions if region in other.anatomy.regions]
    if not shared or (same_modality and not modalities):
        return None
    return {
        "study": other.identifier,
        "days_before": (current.taken - other.taken).days,
        "regions": shared,
        "modalities": sorted(other.anatomy.by_modality),
        "links": study_links(other.identifier),
    }


def _anatomy(text: str) -> StudyAnatomy:
    try:
        return StudyAnatomy.model_validate_json(text)
    except ValidationError:
        message = "the anatomy of a study was written by another version; analyse the study again"
        raise RequestError(500, "unreadable-result", message) from None


def _date(study: dict[str, Any]) -> date | None:
    """Study Date (0008,0020), if it is one (DA of PS3.5 section 6.2)."""
    parts = _DATE.fullmatch(str(study.get("MainDicomTags", {}).get("StudyDate", "")).strip())
    try:
        return date(*map(int, parts.groups())) if parts else None
    except ValueError:
        return None
