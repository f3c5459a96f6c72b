# SPDX-License-Identifier: AGPL-3.0-or-later
"""Route of the relevant priors of a study: the patient's earlier studies of the same anatomy."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from plugin.anatomy import UnreadableAnatomyError
from plugin.anatomy.priors import Prior, PriorSearch
from plugin.web.addresses import study_links
from plugin.web.answers import NEVER_KEPT, json_answer
from plugin.web.errors import RequestError
from plugin.web.parameters import Parameters, identifier
from plugin.web.stored import StoredResults

_MOST_LISTED = 100
_FURTHEST_DAYS = 36_500


class PriorRoutes:
    """``/studies/{id}/sidelight/priors``."""

    def __init__(self, results: StoredResults) -> None:
        self._results = results
        self._search = PriorSearch(results.archive, results.side_by_side)

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
        try:
            current = self._search.dated(study)
            if current.anatomy is None:
                raise RequestError(
                    404,
                    "no-anatomy",
                    "Sidelight has not looked at this study; POST to its sidelight/analyse",
                )
            found = self._search.relevant(study, days, same_modality=same_modality)
        except UnreadableAnatomyError as error:
            raise RequestError(500, "unreadable-result", str(error)) from None
        content = {
            "study": study_id,
            "regions": list(current.anatomy.regions),
            "priors": [_entry(prior) for prior in found[:limit]],
            "total": len(found),
        }
        return json_answer(request, content, cache=NEVER_KEPT)


def _entry(prior: Prior) -> dict[str, Any]:
    return {
        "study": prior.study,
        "days_before": prior.days_before,
        "regions": list(prior.regions),
        "modalities": list(prior.modalities),
        "links": study_links(prior.study),
    }
