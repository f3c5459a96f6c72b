# SPDX-License-Identifier: AGPL-3.0-or-later
"""What became of a scan, as kept beside it in Orthanc.

A *scan* is what is analysed as a whole: one instance of a 2D modality (CR, DX, MG, US ...), or one
series of a volume modality (CT, MR, PT). Its state and findings live in Orthanc, as metadata and
attachments of that instance or series, so they are replicated, backed up and deleted with it. They
hold Orthanc identifiers, codes and numbers, and nothing of the patient.

Orthanc reserves metadata and attachment types from 1024 up for users (Orthanc Book, "User-defined
metadata"). Addressed by number they need no entry in the admin's configuration.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from inference.contract import AnalysisAnswer, AnatomyAnswer, CodedConcept, ModelDescription


class Metadata(IntEnum):
    """Metadata types that Sidelight writes."""

    ANATOMY = 5401
    """On a series: ``plugin.anatomy.RecognizedAnatomy``; on a study: ``StudyAnatomy``. JSON."""
    STATE = 5402
    """On an instance or a series: ``ScanState`` as JSON."""
    LABELS = 5410
    """On what was analysed and above: the labels that say how, separated by commas."""
    PRIORITY = 5411
    """On a study: 0 to 3, its most urgent scan when the last one was analysed."""
    STANDARD_HEADER = 5412
    """On an instance or a series: ``StandardHeader`` as JSON."""

    SUPERSEDED = 5413
    """On an instance of a result: SOP Instance UID of the report that supersedes it."""
    ANATOMY_OVERRIDES = 5414
    """On a series: ``plugin.anatomy.OverrideLog`` as JSON."""
    FOR_REVIEW = 5417
    """On a series: "1" while a person should look at its anatomy; else it is not there."""
    ROUTING = 5416
    """On a study: ``plugin.routing.records.RoutingRecord`` as JSON."""


class Attachment(IntEnum):
    """Attachment types that Sidelight writes."""

    FINDINGS = 5403
    """On an instance or a series: ``Findings`` as JSON, probability maps included."""
    REVIEWS = 5451
    """On an instance: ``plugin.review.ReviewLog`` as JSON."""


class Status(StrEnum):
    """How far a scan is, and how it ended."""

    QUEUED = "queued"
    RUNNING = "running"
    FINDINGS = "findings"
    NO_FINDINGS = "no-findings"
    ABSTAINED = "abstained"
    REFUSED = "refused"
    FAILED = "failed"
    NO_APPLICATION = "no-application"
    OWN_OBJECT = "own-object"
    NOT_AN_IMAGE = "not-an-image"

    @property
    def in_progress(self) -> bool:
        """Whether an answer is still to come."""
        return self in (Status.QUEUED, Status.RUNNING)


class GlobalProbability(BaseModel):
    """One finding of one scan, in short."""

    model_config = ConfigDict(frozen=True)

    key: str
    name: str
    probability: float
    threshold: float
    present: bool
    severity: int = 0
    code: CodedConcept | None = None


class StoredObject(BaseModel):
    """A DICOM object that Sidelight put into the study."""

    model_config = ConfigDict(frozen=True)

    kind: str = Field(description="SR, SEG, PR or an additional kind, see docs/results.md")
    instance: str = Field(description="Orthanc identifier")
    sop_instance_uid: str
    sop_class_uid: str = ""
    series_uid: str = ""


class ScanState(BaseModel):
    """State of one scan."""

    model_config = ConfigDict(frozen=True)

    level: Literal["instance", "series"]
    resource: str = Field(description="Orthanc identifier of the instance or series")
    status: Status
    reason: str = Field(default="", description="in words, without PHI")
    modality: str = ""
    anatomy: AnatomyAnswer | None = None
    anatomy_reason: str = Field(
        default="", description="who was heard beside the tags and what came of it, without PHI"
    )
    model: str = ""
    model_version: str = ""
    probabilities: tuple[GlobalProbability, ...] = ()
    objects: tuple[StoredObject, ...] = ()
    supersedes: tuple[StoredObject, ...] = Field(
        default=(), description="objects of the same application that these replace"
    )
    quarantined: dict[str, str] = Field(
        default_factory=dict, description="objects that are not in Orthanc: kind -> first error"
    )
    not_possible: dict[str, str] = Field(
        default_factory=dict,
        description="configured kinds that can't be made of this original: kind -> reason",
    )
    priority: int = Field(default=0, ge=0, le=3, description="0 low … 3 time-critical")
    priority_reason: str = Field(default="", description="in words, without PHI")
    priority_rule: str = Field(default="", description="empty: the model's own severity decided")
    within_minutes: int | None = Field(default=None, description="how soon to look, by the rule")
    milliseconds: dict[str, float] = Field(default_factory=dict, description="time per stage")
    finished_at: str = Field(default="", description="UTC, ISO 8601")


class Findings(BaseModel):
    """Everything that REST serves about an analysed scan, stored as one attachment."""

    model_config = ConfigDict(frozen=True)

    model: ModelDescription
    analysis: AnalysisAnswer
    images: dict[str, str] = Field(
        description="de-identified SOP Instance UID -> Orthanc instance identifier"
    )
