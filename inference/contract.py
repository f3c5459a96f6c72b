# SPDX-License-Identifier: Apache-2.0
"""The one description of what is asked of inference and what it answers.

The same models serve the local child process, a container without a network, a Ray cluster and a
remote centre. This module imports nothing heavier than pydantic and numpy, so that the PHI zone can
read answers without torch.

Routes of the service (``inference/service.py``):

====== ========================== ==================================== ======================
method path                       request body                         answer
====== ========================== ==================================== ======================
GET    ``/v1/health``                                                  ``Health``
GET    ``/v1/models``                                                  ``ModelDescription`` …
GET    ``/v1/versions``                                                ``ModelVersions`` …
POST   ``/v1/versions/{model}``   ``VersionDecision``                  ``ModelVersions``
GET    ``/v1/comparisons/…``                                           a comparison, as JSON
POST   ``/v1/anatomy``            DICOM JSON of a de-identified header ``AnatomyAnswer``
POST   ``/v1/anatomy/study``      array of such headers, of one study   ``AnatomyAnswer`` …
POST   ``/v1/anatomy/pixels``     multipart/related, application/dicom ``PixelAnatomyAnswer``
POST   ``/v1/analyses/{model}``   multipart/related, application/dicom ``AnalysisAnswer``
====== ========================== ==================================== ======================

Errors are ``ErrorAnswer`` with an HTTP status of 4xx or 5xx.
"""

from __future__ import annotations

import base64
from enum import StrEnum
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

CONTRACT_VERSION = 1

Probability = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]

RegionName = Literal[
    "whole body",
    "head",
    "neck",
    "spine",
    "chest",
    "breast",
    "abdomen",
    "pelvis",
    "upper limb",
    "lower limb",
]


class Message(BaseModel):
    """Base of all messages: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CodedConcept(Message):
    """A code with its scheme and meaning (PS3.3 section 8.8, Code Sequence Macro)."""

    value: str
    scheme: str
    meaning: str


LEARNED_VOTE, STUDY_VOTE = "model", "study"
"""Who votes beside attributes: the learned model, and the one that heard the study, too."""


FRAMES_READ = 64


def frames_read(count: int) -> range:
    """Which of so many frames are read for their anatomy: at most 64, evenly spread, from 0 on."""
    return range(0, count, -(-count // FRAMES_READ) or 1)


class AnatomyVote(Message):
    """What one attribute of the header, or a learned model by all of them, said."""

    attribute: str = Field(description="DICOM keyword, e.g. BodyPartExamined; or model, or study")
    regions: tuple[RegionName, ...]
    weight: Probability


class AnatomyAnswer(Message):
    """The anatomy that a header shows, with how sure and why.

    ``regions`` is empty when nothing in the header names an anatomy.
    """

    modality: str
    regions: tuple[RegionName, ...]
    codes: tuple[CodedConcept, ...] = Field(description="SNOMED CT, PS3.16 CID 4, one per region")
    body_part_examined: str | None = Field(description="defined term of PS3.16 Annex L")
    view: str | None = Field(default=None, description="defined term of View Position, or None")
    laterality: Literal["L", "R", "B", "U"] | None = None
    confidence: Probability
    votes: tuple[AnatomyVote, ...] = ()
    model: str = Field(
        default="", description="name and version of the model that answered; empty: not said"
    )

    @property
    def in_study(self) -> bool:
        """Whether the other series of the study were heard."""
        return any(vote.attribute == STUDY_VOTE for vote in self.votes)


class PixelAnatomyAnswer(Message):
    """The anatomy that the slices of one series show, or why the pixel model says nothing.

    ``regions`` is empty, and ``reason`` says why, when the model abstains.
    """

    regions: tuple[RegionName, ...] = ()
    confidence: Probability = 0.0
    slices: int = Field(default=0, ge=0, description="how many slices were looked at")
    reason: str = Field(default="", description="in words, without anything from the header")
    wants_more: bool = Field(
        default=False, description="these slices fit the model, more of the series would answer"
    )
    model: str = Field(default="", description="name and version of the model that answered")

    @property
    def abstains(self) -> bool:
        """Whether the model says nothing."""
        return not self.regions


class ScanCategory(Message):
    """Which scans a model is made for: modality x anatomy [x view]."""

    modalities: tuple[str, ...] = Field(min_length=1)
    regions: tuple[RegionName, ...] = Field(min_length=1)
    views: tuple[str, ...] = Field(default=(), description="empty: any view, also none given")
    minimum_confidence: Probability = 0.5


class FindingClass(Message):
    """One finding that a model looks for."""

    key: str = Field(pattern=r"^[a-z][a-z0-9-]*$", description="stable name, used in addresses")
    name: str = Field(description="words for a reader")
    code: CodedConcept
    threshold: Probability = Field(description="global probability from which it counts as present")
    patch_threshold: Probability = Field(description="patch probability that outlines a region")
    severity: int = Field(default=1, ge=0, le=3, description="0 incidental … 3 time-critical")
    colour: tuple[int, int, int] = Field(default=(255, 170, 0), description="sRGB for display")


class ModelDescription(Message):
    """What the service serves: one bundle, as read and verified."""

    name: str
    version: str
    title: str
    disclaimer: str = Field(description="said on every object and page that shows a result")
    digest: str = Field(description="SHA-256 over model.json and the weights, hexadecimal")
    works_on: Literal["instance", "series"]
    categories: tuple[ScanCategory, ...]
    classes: tuple[FindingClass, ...]
    levels: tuple[int, ...] = Field(description="grid sizes of the probability maps, finest first")


class VersionDecision(Message):
    """What a person decides about a version of a model."""

    action: Literal["promote", "reject", "roll-back"]
    version: str = Field(
        default="", pattern=r"^(\d{1,6}\.\d{1,6}\.\d{1,6})?$", description="unused to roll back"
    )
    by: str = Field(min_length=1, max_length=64)
    reason: str = Field(min_length=1, max_length=400)

    @model_validator(mode="after")
    def _names_a_version(self) -> VersionDecision:
        if self.action != "roll-back" and not self.version:
            raise ValueError("name the version")
        return self


class DecisionTaken(Message):
    """The last decision about a version."""

    action: Literal["promoted", "rejected", "rolled-back"]
    version: str
    at: str
    by: str
    reason: str = ""


class ModelVersion(Message):
    """One version of a model that has several."""

    version: str
    state: Literal["served", "waiting", "rejected", "earlier"]
    decision: DecisionTaken | None = None
    compared: bool = Field(
        default=False, description="with the version before it, on held-out images"
    )


class ModelVersions(Message):
    """All versions of a model, newest first."""

    name: str
    versions: tuple[ModelVersion, ...]


class Outcome(StrEnum):
    """How an analysis ended. None of them is silence."""

    FINDINGS = "findings"
    NO_FINDINGS = "no-findings"
    ABSTAINED = "abstained"
    REFUSED = "refused"
    FAILED = "failed"


class ProbabilityMap(Message):
    """Patch probabilities of one class at one level, ``rows x columns``, float32 little-endian."""

    rows: int = Field(gt=0)
    columns: int = Field(gt=0)
    values: str = Field(description="base64 of rows * columns float32, row by row", repr=False)

    @classmethod
    def of(cls, array: NDArray[np.float32]) -> ProbabilityMap:
        """Pack a two-dimensional array."""
        rows, columns = array.shape
        data = np.ascontiguousarray(array, dtype="<f4").tobytes()
        return cls(rows=rows, columns=columns, values=base64.b64encode(data).decode("ascii"))

    def array(self) -> NDArray[np.float32]:
        """Unpack to a ``(rows, columns)`` float32 array."""
        flat = np.frombuffer(base64.b64decode(self.values), dtype="<f4")
        return flat.reshape(self.rows, self.columns).astype(np.float32)

    @model_validator(mode="after")
    def _size_matches(self) -> ProbabilityMap:
        if len(base64.b64decode(self.values)) != 4 * self.rows * self.columns:
            raise ValueError("values must hold rows * columns float32 numbers")
        return self


class MapExtent(Message):
    """Where the whole square map lies on the image, in pixel coordinates of the stored image.

    ``x`` runs along columns, ``y`` along rows; 0 is the outer edge of the first pixel and
    ``Columns`` (``Rows``) the outer edge of the last one. A letterboxed map reaches beyond the
    image on its shorter side, so ``left`` or ``top`` may be negative.
    """

    left: float
    top: float
    right: float
    bottom: float


class ClassProbability(Message):
    """Global probability of one finding class, and its maps by level (key: grid size)."""

    key: str
    probability: Probability
    present: bool
    maps: dict[int, ProbabilityMap]


class ImageAnalysis(Message):
    """Findings of one image (one frame of one instance), under its de-identified UID."""

    sop_instance_uid: str
    frame_number: int = Field(default=1, ge=1)
    rows: int = Field(gt=0)
    columns: int = Field(gt=0)
    extent: MapExtent
    classes: tuple[ClassProbability, ...]


class AnalysisAnswer(Message):
    """What one model says about one scan."""

    model: str
    version: str
    digest: str
    outcome: Outcome
    reason: str = Field(default="", description="in words, without anything from the header")
    images: tuple[ImageAnalysis, ...] = ()
    milliseconds: dict[str, float] = Field(default_factory=dict, description="decode, forward")


class Standing(Message):
    """How the bundles of a service do; all by bundle name."""

    fallbacks: dict[str, str] = Field(
        default_factory=dict, description="what is served in place of which version, and why"
    )
    waiting: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="versions that a person has to promote or reject"
    )
    vouched: dict[str, Literal["pinned", "signed", "unsigned"]] = Field(
        default_factory=dict, description="who vouches for what is served"
    )
    shifts: dict[str, dict[str, float]] = Field(
        default_factory=dict,
        description="by class: population stability index of scores that are no longer those that "
        "the bundle was set up with; 0.25 and more",
    )
    anatomy: dict[str, str] = Field(
        default_factory=dict, description="version of each anatomy model that answers"
    )


class Health(Standing):
    """Whether the service can answer."""

    status: Literal["starting", "ok"]
    contract: int = CONTRACT_VERSION
    device: str
    models: tuple[str, ...]
    rejected: dict[str, str] = Field(
        default_factory=dict, description="bundles not served, with the reason"
    )


class ErrorAnswer(Message):
    """An error with a stable code; ``message`` says what to do and holds no PHI."""

    code: str
    message: str
