# SPDX-License-Identifier: AGPL-3.0-or-later
"""Building and storing the DICOM objects of a corrected version, beside those of the model."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

import pydicom

from plugin.archive import NotFoundError, StoreError
from plugin.quarantine import Quarantine, QuarantinedObject
from plugin.results import (
    ResultBuildError,
    ResultObject,
    ResultOptions,
    build,
    first_series_numbers,
    validate,
    validate_together,
)
from plugin.review.correction import corrected_analysis
from plugin.review.provenance import Predecessor, add_provenance, said_in_words
from plugin.review.records import Review
from plugin.review.versions import Corrected, Subject
from plugin.states import StoredObject


class Archive(Protocol):
    """What is needed of Orthanc."""

    def file(self, instance: str, /) -> bytes:
        """The DICOM file as stored."""

    def simplified_tags(self, instance: str, /) -> dict[str, Any]:
        """The tags of an instance by keyword."""

    def store(self, dicom: bytes, /) -> str:
        """Store an object; its Orthanc identifier."""


@dataclass(frozen=True)
class CorrectedObjects:
    """Makes corrected objects.

    The same validation as for the model's own objects stands before Orthanc; what fails is kept
    aside in ``quarantine``. Additional kinds picture the model's own result only.
    """

    archive: Archive
    options: ResultOptions
    quarantine: Quarantine
    series_numbers: Mapping[str, int] = field(default_factory=dict)

    def make(self, subject: Subject, reviews: Sequence[Review]) -> Corrected:
        """Build, validate and store the objects of the version that the last review makes."""
        rejected: dict[str, str] = {}
        try:
            made = self._build(subject, reviews)
        except ResultBuildError as error:
            return Corrected((), {"SR": str(error)})
        together = validate_together(made)
        stored: list[StoredObject] = []
        for one in made:
            errors = validate(one, self.options) or together
            reason = errors[0] if errors else self._store(one, stored)
            if reason:
                rejected[one.kind] = reason
                self._keep_aside(subject, one, errors or [reason])
        return Corrected(tuple(stored), rejected)

    def _build(self, subject: Subject, reviews: Sequence[Review]) -> list[ResultObject]:
        model = subject.findings.model
        header = pydicom.dcmread(
            io.BytesIO(self.archive.file(subject.instance)), stop_before_pixels=True, force=True
        )
        names = {item.key: item.name for item in model.classes}
        reason = " ".join(said_in_words(review, names) for review in reviews if review.changes)
        analysis, image = corrected_analysis(
            subject.findings.analysis, subject.image, reviews, reason
        )
        base = self.options.series_number_base
        numbers = first_series_numbers([model.name], base, self.series_numbers)
        options = replace(
            self.options,
            configuration_digest=self._digest(reviews),
            series_number_base=numbers[model.name],
            additional=(),
        )
        made = build(header, model, analysis, image, options)
        before = self._predecessors(subject)
        for one in made:
            add_provenance(one, reviews[-1], before)
        return made

    def _digest(self, reviews: Sequence[Review]) -> str:
        """Another version has other UIDs; the same one, built again, has the same."""
        said = [
            review.model_dump(mode="json", exclude={"objects", "quarantined"}) for review in reviews
        ]
        parts = [self.options.configuration_digest, said]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _predecessors(self, subject: Subject) -> list[Predecessor]:
        found = []
        for stored in subject.before:
            try:
                tags = self.archive.simplified_tags(stored.instance)
            except NotFoundError:
                continue  # deleted meanwhile: nothing can refer to it
            uids = (tags["StudyInstanceUID"], tags["SeriesInstanceUID"], tags["SOPClassUID"])
            found.append(Predecessor(stored.kind, *uids, stored.sop_instance_uid))
        return found

    def _store(self, one: ResultObject, stored: list[StoredObject]) -> str:
        """Store one object; why Orthanc did not keep it, or nothing."""
        try:
            identifier = self.archive.store(one.to_bytes())
        except StoreError as error:
            return str(error)
        uid = one.sop_instance_uid
        stored.append(
            StoredObject(
                kind=one.kind,
                instance=identifier,
                sop_instance_uid=uid,
                sop_class_uid=str(one.dataset.SOPClassUID),
                series_uid=str(one.dataset.SeriesInstanceUID),
            )
        )
        return ""

    def _keep_aside(self, subject: Subject, one: ResultObject, errors: Sequence[str]) -> None:
        model = subject.findings.model
        entry = QuarantinedObject(
            kind=one.kind,
            sop_instance_uid=one.sop_instance_uid,
            errors=tuple(errors),
            level="instance",
            resource=subject.instance,
            model=model.name,
            model_version=model.version,
            quarantined_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )
        self.quarantine.keep(one.to_bytes(), entry)
