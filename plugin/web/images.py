# SPDX-License-Identifier: AGPL-3.0-or-later
"""Finding the analysed image behind an instance, or the reason why there is none."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import Response

from inference.contract import ClassProbability, FindingClass, ImageAnalysis
from plugin.review import corrected_image
from plugin.states import Findings, ScanState
from plugin.web.answers import accepted
from plugin.web.errors import RETRY_SECONDS, RequestError, bad_parameter
from plugin.web.parameters import Parameters
from plugin.web.protocols import Queue
from plugin.web.stored import Place, StoredResults

ORIGINAL, LATEST = "original", "latest"
_VERSION = re.compile(r"original|latest|[1-9][0-9]{0,5}", re.ASCII)


class StillInProgressError(Exception):
    """The scan of an instance is queued or running."""

    def __init__(self, instance_id: str) -> None:
        super().__init__("the analysis is in progress")
        self.instance_id = instance_id


@dataclass(frozen=True)
class ScanOfInstance:
    """The finished scan that an instance belongs to."""

    instance: str
    series: str
    study: str
    place: Place
    state: ScanState


@dataclass(frozen=True)
class AnalysedImage:
    """What a model says about one image, or what readers have made of it.

    ``digest`` is that of the stored findings, the same as long as nothing in them changes.
    ``version`` is 0 for the model's own answer, else the number of the last review in it.
    """

    scan: ScanOfInstance
    findings: Findings
    digest: str
    image: ImageAnalysis
    version: int = 0

    def ranked(self) -> list[tuple[FindingClass, ClassProbability]]:
        """The finding classes with their probabilities, the most probable first."""
        classes = {item.key: item for item in self.findings.model.classes}
        pairs = [(classes[item.key], item) for item in self.image.classes]
        return sorted(pairs, key=lambda pair: (-pair[1].probability, pair[0].key))

    def pair(self, finding: str) -> tuple[FindingClass, ClassProbability]:
        """A finding class with its probability and maps, or 404."""
        item = self.of(finding)
        return next((c, item) for c in self.findings.model.classes if c.key == finding)

    def of(self, finding: str) -> ClassProbability:
        """The probability and maps of one finding, or 404."""
        for item in self.image.classes:
            if item.key == finding:
                return item
        known = ", ".join(item.key for item in self.image.classes)
        raise RequestError(
            404, "unknown-finding", f"the model {self.findings.model.name} looks for {known}"
        )


class Images:
    """Analysed images by the Orthanc identifier of their instance."""

    def __init__(self, results: StoredResults, queue: Queue) -> None:
        self._results = results
        self._queue = queue

    def scan_of(self, instance_id: str) -> ScanOfInstance:
        """The scan of an instance.

        Raises:
            StillInProgressError: its answer is still to come.
            RequestError: 404 for an unknown instance, and for one that was never looked at.
        """
        series_id = str(self._results.instance(instance_id)["ParentSeries"])
        series = self._results.series(series_id)
        place = self._results.place_of(instance_id, series_id)
        state = self._results.state(place)
        if state is None:
            if self._queue.pending_for([instance_id, series_id]):
                raise StillInProgressError(instance_id)
            state = self._results.state(place)  # it may have ended in between
        if state is None:
            raise RequestError(
                404,
                "not-analysed",
                "Sidelight has not seen this instance; POST to its study's sidelight/analyse",
            )
        if state.status.in_progress:
            raise StillInProgressError(instance_id)
        return ScanOfInstance(instance_id, series_id, str(series["ParentStudy"]), place, state)

    def analysed(self, scan: ScanOfInstance) -> AnalysedImage | None:
        """What the model says about the image, or None where no model has answered for it."""
        stored = self._results.findings_behind(scan.state)
        image = stored.image_of(scan.instance) if stored else None
        if stored is None or image is None:
            return None
        return AnalysedImage(scan, stored.findings, stored.digest, image)

    def version(self, instance_id: str, asked: str) -> AnalysedImage:
        """The analysed image in a version: ``original``, ``latest``, or as of a review's number.

        Raises:
            RequestError: 404 for an image without heat maps, and for a version that is not there.
        """
        found = self.with_heat_maps(instance_id)
        if asked == ORIGINAL:
            return found
        made = self._results.reviews(instance_id).of(found.digest)
        until = made[-1].number if asked == LATEST and made else _number(asked)
        made = tuple(review for review in made if review.number <= until)
        if asked != LATEST and (not made or made[-1].number != until):
            raise RequestError(404, "unknown-version", "there is no review with this number")
        if not any(review.changes for review in made):
            return found
        image = corrected_image(found.image, made)
        return replace(found, image=image, version=made[-1].number)

    def with_heat_maps(self, instance_id: str) -> AnalysedImage:
        """The analysed image, or 404 that says what the analysis ended with instead."""
        scan = self.scan_of(instance_id)
        image = self.analysed(scan)
        if image is None:
            reason = f" ({scan.state.reason})" if scan.state.reason else ""
            raise RequestError(
                404,
                "no-heatmap",
                f"no heat map: the analysis ended with {scan.state.status}{reason}",
            )
        return image


def version_asked(query: Parameters) -> str:
    """The query parameter ``version``."""
    value = query.text("version")
    if value is None:
        return ORIGINAL
    if not _VERSION.fullmatch(value):
        raise bad_parameter("version", "original, latest, or the number of a review")
    return value


def _number(asked: str) -> int:
    return int(asked) if asked.isdigit() else 0


def still_in_progress(_request: Request, error: Exception) -> Response:
    """Answer ``StillInProgressError`` with 202."""
    assert isinstance(error, StillInProgressError)  # noqa: S101 - how Starlette registers handlers
    content = {"instance": error.instance_id, "status": "in-progress"}
    return accepted(content, RETRY_SECONDS)
