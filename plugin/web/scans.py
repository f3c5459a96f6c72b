# SPDX-License-Identifier: AGPL-3.0-or-later
"""Routes of one scan: an image's probabilities."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from plugin.states import GlobalProbability
from plugin.web.addresses import instance_links, study_links
from plugin.web.answers import json_answer
from plugin.web.disclaimers import Disclaimers
from plugin.web.images import AnalysedImage, Images, ScanOfInstance
from plugin.web.parameters import Parameters, identifier
from plugin.web.stored import StoredResults
from plugin.web.studies import priority_of
from plugin.web.urgency import Urgency


class ScanRoutes:
    """``/instances/{id}/sidelight/probabilities``."""

    def __init__(
        self,
        results: StoredResults,
        images: Images,
        disclaimers: Disclaimers,
        urgency: Urgency,
    ) -> None:
        self._results = results
        self._images = images
        self._disclaimers = disclaimers
        self._urgency = urgency

    def probabilities(self, request: Request) -> Response:
        """``GET …/probabilities``: global probabilities of the image, the highest first."""
        instance_id = identifier(request, "instance")
        Parameters(request)
        scan = self._images.scan_of(instance_id)
        found = self._images.analysed(scan)
        content = _scan(scan)
        study = self._results.study(scan.study)
        content |= priority_of(self._urgency.of([scan.state], study))
        content["disclaimer"] = self._disclaimers.of(scan.state)
        content["probabilities"] = [
            item.model_dump(mode="json") for item in (_of_image(found) if found else [])
        ]
        return json_answer(request, content)


def _scan(scan: ScanOfInstance) -> dict[str, Any]:
    state = scan.state
    return {
        "instance": scan.instance,
        "study": scan.study,
        "scan": {"level": scan.place.level, "resource": scan.place.resource},
        "status": str(state.status),
        "reason": state.reason,
        "model": state.model,
        "model_version": state.model_version,
        "finished_at": state.finished_at,
        "links": {**instance_links(scan.instance), **_study(scan.study)},
    }


def _study(study_id: str) -> dict[str, str]:
    return {"study": study_links(study_id)["self"]}


def _of_image(found: AnalysedImage) -> list[GlobalProbability]:
    return [
        GlobalProbability(
            key=finding.key,
            name=finding.name,
            probability=item.probability,
            threshold=finding.threshold,
            present=item.present,
            severity=finding.severity,
            code=finding.code,
        )
        for finding, item in found.ranked()
    ]
