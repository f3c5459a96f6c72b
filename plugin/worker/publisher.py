# SPDX-License-Identifier: AGPL-3.0-or-later
"""Puts results beside the original: DICOM objects first, then what REST serves, the state last.

The order makes a repeated run after a crash end in the same state: objects have UIDs that are
derived from what they say, and the state appears only when all else is there.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from inference.contract import AnalysisAnswer, ClassProbability, ModelDescription
from plugin.archive import Archive, StoreError
from plugin.results import (
    ResultBuildError,
    ResultObject,
    ResultOptions,
    build,
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
from plugin.worker.scan import Scan

LOGGER = logging.getLogger(__name__)


@dataclass
class Publisher:
    """Builds, validates and stores results.

    Args:
        archive: Orthanc.
        options: how objects are made.
        quarantine: folder for objects that fail validation.
        keep: writes the state of a scan and what follows from it, and returns the state as written;
            without one, the state alone is written.
        announce: told the study and the state of a scan when all is stored.
    """

    archive: Archive
    options: ResultOptions
    quarantine: Path
    keep: Callable[[Scan, ScanState], ScanState] | None = None
    announce: Callable[[str, ScanState], None] | None = None

    def anatomy(self, scan: Scan) -> None:
        """Keep the recognized anatomy on the series."""
        if scan.anatomy is not None:
            text = scan.anatomy.model_dump_json()
            self.archive.put_metadata("series", scan.job.series, Metadata.ANATOMY, text)

    def state(self, scan: Scan, status: Status, reason: str = "") -> None:
        """Keep a state without analysis: no application, refused, failed."""
        self._put_state(scan, ScanState(**_common(scan), status=status, reason=reason))

    def analysis(self, scan: Scan, analysis: AnalysisAnswer) -> None:
        """Store objects, findings and state of an analysis."""
        stored, rejected = self._objects(scan, analysis)
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
                objects=tuple(stored),
                quarantined=rejected,
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

    def _objects(
        self, scan: Scan, analysis: AnalysisAnswer
    ) -> tuple[list[StoredObject], dict[str, str]]:
        if scan.header is None:
            return [], {}
        rejected: dict[str, str] = {}
        made: list[ResultObject] = []
        with scan.watch.stage("objects"):
            for image in analysis.images or (None,):
                try:
                    made += build(scan.header, scan.model, analysis, image, self.options)
                except ResultBuildError as error:
                    rejected["SR"] = str(error)
        with scan.watch.stage("validate"), ThreadPoolExecutor(len(made) or 1) as pool:
            verdicts = list(pool.map(self._verdict, made))
        together = validate_together(made)
        verdicts = [errors or together for errors in verdicts]
        stored: list[StoredObject] = []
        with scan.watch.stage("store"):
            for result, errors in zip(made, verdicts, strict=True):
                first = errors[0] if errors else self._store(result, stored)
                if first:
                    rejected[result.kind] = first
                    self._keep_aside(result, errors or [first])
        return stored, rejected

    def _verdict(self, result: ResultObject) -> list[str]:
        return validate(result, self.options)

    def _store(self, result: ResultObject, stored: list[StoredObject]) -> str:
        """Store one object; why Orthanc did not keep it, or nothing."""
        try:
            identifier = self.archive.store(result.to_bytes())
        except StoreError as error:
            return str(error)
        uid = str(result.dataset.SOPInstanceUID)
        stored.append(StoredObject(kind=result.kind, instance=identifier, sop_instance_uid=uid))
        return ""

    def _keep_aside(self, result: ResultObject, errors: Sequence[str]) -> None:
        LOGGER.error("a result object (%s) failed validation and was not stored", result.kind)
        self.quarantine.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The UID is ours, derived by hash: it names no patient.
        name = self.quarantine / f"{result.kind}-{result.dataset.SOPInstanceUID}"
        with os.fdopen(os.open(f"{name}.dcm", os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(result.to_bytes())
        Path(f"{name}.json").write_text(json.dumps(list(errors)), encoding="utf-8")


def _level(scan: Scan) -> Literal["instance", "series"]:
    return "instance" if scan.job.level == "instance" else "series"


def _common(scan: Scan) -> dict[str, Any]:
    return {
        "level": _level(scan),
        "resource": scan.job.resource,
        "modality": scan.anatomy.modality if scan.anatomy else "",
        "anatomy": scan.anatomy,
        "model": scan.model.name if scan.model else "",
        "model_version": scan.model.version if scan.model else "",
        "milliseconds": scan.watch.milliseconds(),
        "finished_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
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
