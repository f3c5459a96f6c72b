# SPDX-License-Identifier: AGPL-3.0-or-later
"""Puts results beside the original: DICOM objects first, then what REST serves, the state last.

The order makes a repeated run after a crash end in the same state: objects have UIDs that are
derived from what they say, and the state appears only when all else is there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import ValidationError
from pydicom.dataset import Dataset

from inference.contract import AnalysisAnswer, ClassProbability, ModelDescription
from plugin.anatomy import AnatomyBook, SeriesAnatomy
from plugin.anatomy.words import ReviewerWords
from plugin.archive import Archive, StoreError
from plugin.quarantine import Quarantine, QuarantinedObject
from plugin.results import (
    AnalysedImage,
    ResultBuildError,
    ResultObject,
    ResultOptions,
    add_predecessors,
    build_scan,
    first_series_numbers,
    not_possible,
    says_the_same,
    validate,
    validate_together,
)
from plugin.states import (
    Attachment,
    Findings,
    GlobalProbability,
    Metadata,
    ScanState,
    Status,
    StoredObject,
)
from plugin.worker import superseding
from plugin.worker.rendering import rendering_of
from plugin.worker.scan import Scan

LOGGER = logging.getLogger(__name__)


@dataclass
class Outcomes:
    """What became of the objects of one analysis."""

    stored: list[StoredObject] = field(default_factory=list)
    rejected: dict[str, str] = field(default_factory=dict)
    not_possible: dict[str, str] = field(default_factory=dict)
    supersedes: tuple[StoredObject, ...] = ()


@dataclass
class Publisher:
    """Builds, validates and stores results.

    Args:
        archive: Orthanc.
        options: how objects are made.
        quarantine: for objects that fail validation.
        applications: names of all models that are served now.
        series_numbers: first SeriesNumber of some applications, by configuration.
        keep: writes the state of a scan and what follows from it, and returns the state as written;
            without one, the state alone is written.
        announce: told the study and the state of a scan when all is stored.
        doubts: told what counts of a scan's anatomy; keeps what a person should look at.
        words: what reviewers said, for series that are sent again.
        turn: held, by series, while an image is added to what its series shows.
        sum_later: told the study of a series whose anatomy was noted; see ``AnatomyBook``.
    """

    archive: Archive
    options: ResultOptions
    quarantine: Quarantine
    applications: Callable[[], Sequence[str]] = tuple
    series_numbers: dict[str, int] = field(default_factory=dict)
    keep: Callable[[Scan, ScanState], ScanState] | None = None
    announce: Callable[[str, ScanState], None] | None = None
    doubts: Callable[[Scan, SeriesAnatomy], None] | None = None
    words: ReviewerWords | None = None
    turn: Callable[[str], AbstractContextManager[object]] = nullcontext
    sum_later: Callable[[str], None] | None = None

    def anatomy(self, scan: Scan) -> None:
        """Keep the recognized anatomy on series and study."""
        if scan.recognized is not None:
            book = AnatomyBook(self.archive, self.words, self.turn, self.sum_later)
            job = scan.job
            image = job.resource if job.level == "instance" else ""
            known = book.note(job.series, job.study, scan.recognized, scan.agreement, image)
            if self.doubts is not None:
                self.doubts(scan, known)

    def state(self, scan: Scan, status: Status, reason: str = "") -> None:
        """Keep a state without analysis: no application, refused, failed."""
        self._put_state(scan, ScanState(**_common(scan), status=status, reason=reason))

    def analysis(self, scan: Scan, analysis: AnalysisAnswer) -> None:
        """Store objects, findings and state of an analysis."""
        outcomes = self._objects(scan, analysis)
        level = _level(scan)
        if scan.model is not None and analysis.images:
            findings = Findings(model=scan.model, analysis=analysis, images=scan.sources)
            with scan.watch.stage("store"):
                content = findings.model_dump_json().encode()
                self.archive.put_attachment(level, scan.job.resource, Attachment.FINDINGS, content)
        probabilities = _probabilities(scan.model, analysis)
        self._put_state(
            scan,
            ScanState(
                **_common(scan),
                status=Status(analysis.outcome.value),
                reason=analysis.reason,
                probabilities=probabilities,
                objects=tuple(outcomes.stored),
                supersedes=outcomes.supersedes,
                quarantined=outcomes.rejected,
                not_possible=outcomes.not_possible,
                priority=max((p.severity for p in probabilities if p.present), default=0),
            ),
        )

    def _put_state(self, scan: Scan, state: ScanState) -> None:
        if self.keep is not None:
            state = self.keep(scan, state)
        else:
            self.archive.put_metadata(
                _level(scan), scan.job.resource, Metadata.STATE, state.model_dump_json()
            )
        if self.announce is not None:
            self.announce(scan.job.study, state)

    def _objects(self, scan: Scan, analysis: AnalysisAnswer) -> Outcomes:
        outcomes = Outcomes()
        if scan.header is None:
            return outcomes
        earlier = self._earlier(scan)
        with scan.watch.stage("objects"):
            made = self._build(scan, analysis, outcomes)
            outcomes.supersedes = superseding.superseded_by(earlier, made, analysis.model)
            for one in made:
                if one.kind == "SR":
                    add_predecessors(one, superseding.predecessors(outcomes.supersedes))
        with scan.watch.stage("validate"), ThreadPoolExecutor(min(len(made), 8) or 1) as pool:
            verdicts = list(pool.map(self._verdict, made))
        together = validate_together(made)
        with scan.watch.stage("store"):
            for one, errors in zip(made, verdicts, strict=True):
                self._keep(scan, one, errors or together, outcomes)
            if earlier is not None:
                superseding.mark(self.archive, outcomes.supersedes, outcomes.stored)
        return outcomes

    def _build(
        self, scan: Scan, analysis: AnalysisAnswer, outcomes: Outcomes
    ) -> list[ResultObject]:
        try:
            options = self._options_for(analysis.model)
            images = _images(scan, analysis)
            refused = not_possible(images[0].header, options)
            outcomes.not_possible = {str(kind): why for kind, why in refused.items()}
            draw = rendering_of(scan, self.archive)
            return build_scan(images, scan.model, analysis, options, draw)
        except ResultBuildError as error:
            outcomes.rejected["SR"] = str(error)
            return []

    def _options_for(self, application: str) -> ResultOptions:
        names = [*self.applications(), application]
        base = self.options.series_number_base
        numbers = first_series_numbers(names, base, self.series_numbers)
        return replace(self.options, series_number_base=numbers[application])

    def _earlier(self, scan: Scan) -> ScanState | None:
        text = self.archive.metadata(_level(scan), scan.job.resource, Metadata.STATE)
        if text is None:
            return None
        try:
            return ScanState.model_validate_json(text)
        except ValidationError:
            LOGGER.warning("a state of another version is replaced and supersedes nothing")
            return None

    def _verdict(self, result: ResultObject) -> list[str]:
        return validate(result, self.options)

    def _keep(
        self, scan: Scan, result: ResultObject, errors: Sequence[str], outcomes: Outcomes
    ) -> None:
        """Store one object, or keep it aside."""
        content = result.to_bytes()
        dataset = result.dataset
        if not errors:
            try:
                identifier = self._store(result, content)
            except StoreError as error:
                errors = [str(error)]
            else:
                self.quarantine.release(result.sop_instance_uid)
                outcomes.stored.append(
                    StoredObject(
                        kind=result.kind,
                        instance=identifier,
                        sop_instance_uid=result.sop_instance_uid,
                        sop_class_uid=str(dataset.SOPClassUID),
                        series_uid=str(dataset.SeriesInstanceUID),
                    )
                )
                return
        outcomes.rejected[result.kind] = errors[0]
        self.quarantine.keep(content, _entry(scan, result, errors))

    def _store(self, result: ResultObject, content: bytes) -> str:
        """Store one object, unless Orthanc has one that says the same."""
        known = self.archive.lookup(result.sop_instance_uid)
        if known is not None and says_the_same(self.archive.file(known), content):
            return known
        return self.archive.store(content)


def _images(scan: Scan, analysis: AnalysisAnswer) -> list[AnalysedImage]:
    """Headers and answers of a scan's images, in the order of the answer."""
    if not analysis.images:
        headers: list[Dataset | None] = [*scan.headers.values()] or [scan.header]
        return [AnalysedImage(header, None) for header in headers if header is not None]
    unknown = [one for one in analysis.images if one.sop_instance_uid not in scan.headers]
    if unknown:
        raise ResultBuildError("the answer speaks of an image that was not asked about")
    return [AnalysedImage(scan.headers[one.sop_instance_uid], one) for one in analysis.images]


def _entry(scan: Scan, result: ResultObject, errors: Sequence[str]) -> QuarantinedObject:
    return QuarantinedObject(
        kind=result.kind,
        sop_instance_uid=result.sop_instance_uid,
        errors=tuple(errors),
        level=_level(scan),
        resource=scan.job.resource,
        model=scan.model.name if scan.model else "",
        model_version=scan.model.version if scan.model else "",
        quarantined_at=_now(),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _level(scan: Scan) -> Literal["instance", "series"]:
    return "instance" if scan.job.level == "instance" else "series"


def _common(scan: Scan) -> dict[str, Any]:
    return {
        "level": _level(scan),
        "resource": scan.job.resource,
        "modality": scan.anatomy.modality if scan.anatomy else "",
        "anatomy": scan.anatomy,
        "anatomy_reason": scan.agreement.in_words() if scan.agreement else "",
        "model": scan.model.name if scan.model else "",
        "model_version": scan.model.version if scan.model else "",
        "milliseconds": scan.watch.milliseconds(),
        "finished_at": _now(),
    }


def _probabilities(
    model: ModelDescription | None, analysis: AnalysisAnswer
) -> tuple[GlobalProbability, ...]:
    """Per class the highest probability of any image, the likeliest class first."""
    if model is None:
        return ()
    best: dict[str, ClassProbability] = {}
    for found in (found for image in analysis.images for found in image.classes):
        if found.key not in best or found.probability > best[found.key].probability:
            best[found.key] = found
    short = [
        GlobalProbability(
            key=item.key,
            name=item.name,
            probability=best[item.key].probability,
            threshold=item.threshold,
            present=best[item.key].present,
            severity=item.severity,
            code=item.code,
        )
        for item in model.classes
        if item.key in best
    ]
    return tuple(sorted(short, key=lambda item: -item.probability))
