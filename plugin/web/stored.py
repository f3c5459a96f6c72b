# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reading what Sidelight keeps beside the scans in Orthanc: states, findings, reviews."""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar

from pydantic import ValidationError

from inference.contract import ImageAnalysis
from plugin.archive import NotFoundError
from plugin.review import ReviewLog
from plugin.states import Attachment, Findings, Metadata, ScanState, Status
from plugin.web.errors import RequestError, unknown
from plugin.web.protocols import Archive, Level
from plugin.worker.sop_classes import is_image, is_volume

LOGGER = logging.getLogger(__name__)

_A = TypeVar("_A")
_B = TypeVar("_B")

_READERS = 8
_SERIES_KEPT = 50_000
_FINDINGS_KEPT = 32
_FEW_IMAGES = 3
"""So many are asked for one by one."""
_CHUNK = 500
_UNREADABLE = "what is stored was written by another version of Sidelight; analyse the study again"


@dataclass(frozen=True)
class Place:
    """One scan: where its state and findings are kept."""

    level: Level
    resource: str


@dataclass(frozen=True)
class StudyTree:
    """The scans of a study, and every Orthanc identifier in it."""

    study: dict[str, Any]
    places: tuple[Place, ...]
    identifiers: tuple[str, ...]


@dataclass(frozen=True)
class StoredFindings:
    """Findings with the digest of the bytes they were read from."""

    findings: Findings
    digest: str

    def image_of(self, instance_id: str) -> ImageAnalysis | None:
        """The first analysed frame of an instance."""
        frames = [
            image
            for image in self.findings.analysis.images
            if self.findings.images.get(image.sop_instance_uid) == instance_id
        ]
        return min(frames, key=lambda image: image.frame_number, default=None)

    def instances(self) -> list[str]:
        """Orthanc identifiers of the analysed images, the most suspicious one first."""
        highest: dict[str, float] = {}
        for image in self.findings.analysis.images:
            instance = self.findings.images.get(image.sop_instance_uid)
            if instance is not None:
                top = max((item.probability for item in image.classes), default=0.0)
                highest[instance] = max(top, highest.get(instance, 0.0))
        return sorted(highest, key=lambda instance: -highest[instance])


class StoredResults:
    """Sidelight's results as Orthanc holds them."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="sidelight-read")
        self._findings: OrderedDict[str, StoredFindings] = OrderedDict()
        self._sop_classes: dict[str, str] = {}
        self._lock = Lock()

    def side_by_side(self, function: Callable[[_A], _B], items: Iterable[_A]) -> list[_B]:
        """``function`` of every item, several at a time. It must not call this method itself."""
        return list(self._readers.map(function, items))

    # -- Orthanc's resources, with an unknown identifier as the caller's error ------------------

    def study(self, study_id: str) -> dict[str, Any]:
        """Orthanc's JSON of a study, or 404."""
        with known("study"):
            return self.archive.study(study_id)

    def series(self, series_id: str) -> dict[str, Any]:
        """Orthanc's JSON of a series, or 404."""
        with known("series"):
            return self.archive.series(series_id)

    def instance(self, instance_id: str) -> dict[str, Any]:
        """Orthanc's JSON of an instance, or 404."""
        with known("instance"):
            return self.archive.instance(instance_id)

    def tree(self, study_id: str) -> StudyTree:
        """The scans that a study consists of.

        Raises:
            RequestError: 404 for an unknown study.
        """
        study = self.study(study_id)
        places: list[Place] = []
        identifiers = [study_id]
        for series_id in study["Series"]:
            try:
                series = self.archive.series(series_id)
            except NotFoundError:
                continue  # deleted since the study was read
            identifiers += [series_id, *series["Instances"]]
            places += self._places(series_id, series["Instances"])
        return StudyTree(study, tuple(places), tuple(identifiers))

    def _places(self, series_id: str, instances: list[str]) -> list[Place]:
        sop_class = self._sop_class_of(series_id, instances)
        if is_volume(sop_class):
            return [Place("series", series_id)]
        if not is_image(sop_class):
            return []
        return [Place("instance", instance_id) for instance_id in instances]

    def _sop_class_of(self, series_id: str, instances: list[str]) -> str:
        """The SOP class of a series, which its instances share and never change."""
        known = self._sop_classes.get(series_id)
        if known is None:
            known = self.archive.sop_class(instances[0]) if instances else ""
            if len(self._sop_classes) >= _SERIES_KEPT:
                self._sop_classes.clear()
            if known:
                self._sop_classes[series_id] = known
        return known

    def place_of(self, instance_id: str, series_id: str) -> Place:
        """The scan that an instance belongs to."""
        if is_volume(self.archive.sop_class(instance_id)):
            return Place("series", series_id)
        return Place("instance", instance_id)

    # -- Sidelight's own --------------------------------------------------------------------------

    def state(self, place: Place) -> ScanState | None:
        """What became of a scan; None while nothing is known of it."""
        return _read_state(
            place, self.archive.metadata(place.level, place.resource, Metadata.STATE)
        )

    def state_if_there(self, place: Place) -> ScanState | None:
        """As ``state``; None also when the scan was deleted meanwhile."""
        try:
            return self.state(place)
        except NotFoundError:
            return None

    def states(self, places: Sequence[Place]) -> list[ScanState]:
        """What is known of many scans, in their order; hundreds of images are one question."""
        images = [place.resource for place in places if place.level == "instance"]
        held: dict[str, str | None] = {}
        if len(images) > _FEW_IMAGES:
            held = dict.fromkeys(images)
            for start in range(0, len(images), _CHUNK):
                chunk = images[start : start + _CHUNK]
                for one, known in self.archive.metadata_of(chunk, "instance", (Metadata.STATE,)):
                    held[str(one["ID"])] = known.get(Metadata.STATE)
        found = (
            _read_state(place, held[place.resource])
            if place.level == "instance" and place.resource in held
            else self.state_if_there(place)
            for place in places
        )
        return [state for state in found if state is not None]

    def findings(self, place: Place) -> StoredFindings | None:
        """Everything about an analysed scan; None where no model has answered."""
        data = self.archive.attachment(place.level, place.resource, Attachment.FINDINGS)
        if data is None:
            return None
        digest = hashlib.sha256(data).hexdigest()
        with self._lock:
            known = self._findings.pop(digest, None)
            if known is not None:
                self._findings[digest] = known
                return known
        try:
            found = StoredFindings(Findings.model_validate_json(data), digest)
        except ValidationError:
            raise _unreadable(f"findings of {place.level} {place.resource}") from None
        with self._lock:
            self._findings[digest] = found
            while len(self._findings) > _FINDINGS_KEPT:
                self._findings.popitem(last=False)
        return found

    def reviews(self, instance_id: str) -> ReviewLog:
        """What readers have said about an image; empty where nobody has."""
        data = self.archive.attachment("instance", instance_id, Attachment.REVIEWS)
        if data is None:
            return ReviewLog()
        try:
            return ReviewLog.model_validate_json(data)
        except ValidationError:
            raise _unreadable(f"reviews of instance {instance_id}") from None

    def findings_behind(self, state: ScanState) -> StoredFindings | None:
        """The findings that a state tells of, and not those of an earlier analysis."""
        stored = self.findings(Place(state.level, state.resource)) if state.model else None
        if stored is None:
            return None
        analysis = stored.findings.analysis
        told = (str(state.status), state.model, state.model_version)
        return stored if (str(analysis.outcome), analysis.model, analysis.version) == told else None


class known:  # noqa: N801 - reads as a statement
    """Within: a resource that Orthanc does not know is the caller's error, 404."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, NotFoundError):
            raise unknown(self._kind) from None


def _read_state(place: Place, text: str | None) -> ScanState | None:
    if text is None:
        return None
    try:
        return ScanState.model_validate_json(text)
    except ValidationError:
        LOGGER.warning("%s %s: unreadable state", place.level, place.resource)
        return ScanState(
            level=place.level, resource=place.resource, status=Status.FAILED, reason=_UNREADABLE
        )


def _unreadable(what: str) -> RequestError:
    return RequestError(500, "unreadable-result", f"the {what} can't be read: {_UNREADABLE}")
