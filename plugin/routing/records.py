# SPDX-License-Identifier: AGPL-3.0-or-later
"""The matched study set of an application, and why it is what it is."""

from __future__ import annotations

import hashlib
import json
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from plugin.anatomy.priors import Standing
from plugin.configuration.application_destinations import Zone
from plugin.states import Metadata

APPLICATION_DOOR = "application-"
"""With it begins the name of an application's door in the outbox."""

DecisionName = Literal["matched", "no-series-fits", "too-large"]
CandidateReason = Literal["in-the-set", "no-series-fits", "enough", Standing]
"""``enough``: so many later ones are in the set as the application wants."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CheckRecord(_Record):
    """One condition of a scan category."""

    condition: str
    holds: bool
    wanted: str
    found: str


class SeriesDecision(_Record):
    """One series of the current study against one application."""

    series: str
    fits: bool
    checks: tuple[CheckRecord, ...]


class SeriesPart(_Record):
    """One series of a set, with the role that it plays."""

    role: Literal["current", "prior"]
    number: int = Field(description="0: current; 1: the first prior, and so on")
    study: str = Field(description="Orthanc identifier")
    series: str = Field(description="Orthanc identifier")
    modality: str
    regions: tuple[str, ...]
    days_before: int = Field(description="between prior and current study; 0 for the current one")
    instances: tuple[str, ...] = Field(description="Orthanc identifiers")


class CandidateRecord(_Record):
    """Another study of the patient, and why it is in the set or is not."""

    study: str = Field(description="Orthanc identifier")
    reason: CandidateReason
    number: int = Field(description="of the prior in the set; 0: it is not in it")
    days_before: int | None = Field(description="negative: a later study; None: one is undated")


class Decision(_Record):
    """What one application of the table has to do with a study."""

    application: str
    kind: Literal["node", "peer", "dicomweb", "http"]
    target: str
    zone: Zone
    decision: DecisionName
    reason: str
    series: tuple[SeriesDecision, ...] = Field(description="of the current study")
    parts: tuple[SeriesPart, ...] = Field(description="the matched set, current series first")
    digest: str = Field(description="names the set in the outbox; empty where there is none")
    candidates: tuple[CandidateRecord, ...] = Field(
        default=(), description="for priors, the latest first; told, and not kept with the study"
    )
    last_sent: Decision | None = Field(
        default=None, description="whose set the application has, where that is another one"
    )


class RoutingRecord(_Record):
    """All decisions about a study."""

    decisions: tuple[Decision, ...]

    def as_text(self) -> str:
        """JSON of what is kept with the study."""
        # Without what is None: a former version reads it where nothing but that is new.
        return self.model_dump_json(
            exclude={"decisions": {"__all__": {"candidates"}}}, exclude_none=True
        )


class Archive(Protocol):
    """What is needed of Orthanc."""

    def metadata(self, level: Literal["study"], identifier: str, name: Metadata, /) -> str | None:
        """A metadata value of ours, or None."""


def kept(archive: Archive, study: str) -> RoutingRecord | None:
    """The decisions that are kept with a study; None where there are none.

    Raises:
        ValueError: another version wrote them.
    """
    text = archive.metadata("study", study, Metadata.ROUTING)
    return None if text is None else RoutingRecord.model_validate_json(text)


def set_digest(application: str, destination: str, parts: tuple[SeriesPart, ...]) -> str:
    """SHA-256 of a set: the same images in the same roles for the same destination."""
    said = [
        application,
        destination,
        [[one.role, one.number, one.series, sorted(one.instances)] for one in parts],
    ]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()
