# SPDX-License-Identifier: AGPL-3.0-or-later
"""What one stored report says, as one frozen structure that every door writes from.

Probabilities and thresholds are percent with four decimals, as the report has them.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from plugin.doors.concepts import Concept

Outcome = Literal["findings", "no-findings", "abstained", "refused", "failed"]


class Part(BaseModel):
    """Base of all parts: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Coded(Part):
    """A code with its scheme and meaning; the scheme as DICOM designates it (PS3.16 section 8)."""

    value: str
    scheme: str
    meaning: str

    @classmethod
    def of(cls, concept: Concept) -> Coded:
        """A code as a report has it."""
        return cls(value=concept.value, scheme=concept.scheme, meaning=concept.meaning)


class Patient(Part):
    """Whose result it is. Over REST only the identifier leaves; HL7 needs the rest (PID)."""

    id: str
    issuer: str = ""
    name: str = Field(default="", exclude=True, description="VR PN, PS3.5 section 6.2.1")
    birth_date: str = Field(default="", exclude=True, description="YYYYMMDD")
    sex: str = Field(default="", exclude=True, description="M, F, O or nothing")


class Study(Part):
    """The study, as a RIS knows it."""

    study_instance_uid: str
    accession_number: str = ""
    study_date: str = Field(default="", description="YYYYMMDD")
    study_time: str = Field(default="", description="HHMMSS, with a fraction where there is one")
    study_description: str = ""


class Image(Part):
    """The analysed image; of several, the one that the report's whole-scan group shows."""

    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    frame: int | None = None
    modality: str = Field(default="OT", description="defined term of CID 33")


class Algorithm(Part):
    """The model that made the result; its device UID changes with the weights."""

    name: str
    version: str
    device_uid: str
    manufacturer: str = "Sidelight"
    digest: str = Field(default="", description="SHA-256 of the model bundle")
    configuration_digest: str = Field(default="", description="SHA-256 of the configuration")


class Region(Part):
    """One outlined place of a finding."""

    name: str = Field(description="finding and number, as on the picture")
    tracking_uid: str
    sop_instance_uid: str = Field(description="of the image that it lies on")
    frame: int | None = None
    probability_percent: float = Field(description="highest patch probability inside")
    outline: tuple[tuple[float, float], ...] = Field(
        description="closed polyline of (column, row), PS3.3 C.18.6.1.1"
    )


class Finding(Part):
    """One finding that the model looked for, present or not."""

    key: str
    name: str
    code: Coded
    probability_code: Coded = Field(description="concept name of its probability in the report")
    probability_percent: float
    threshold_percent: float | None = Field(description="from this it counts as present")
    present: bool
    severity: int | None = Field(description="0 incidental … 3 time-critical; null where unknown")
    site: Coded | None = None
    regions: tuple[Region, ...] = ()


class Result(Part):
    """One report."""

    report_uid: str = Field(description="SOP Instance UID of the structured report")
    outcome: Outcome
    reason: str = Field(default="", description="in words, where there is no judgement")
    summary: Coded = Field(description="value of (111017, DCM)")
    analyses: Coded = Field(description="value of (111065, DCM)")
    procedure: Coded
    patient: Patient
    study: Study
    image: Image
    model: Algorithm
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    disclaimer: str = Field(description="to be shown with the result")
    status: Literal["preliminary"] = "preliminary"
    reported_at: str = Field(description="when the report was written, ISO 8601 with offset")

    @property
    def judged(self) -> bool:
        """Whether the model judged the image; else there are no probabilities."""
        return self.outcome in ("findings", "no-findings")

    @property
    def present(self) -> tuple[Finding, ...]:
        """Findings that are present, the most severe and probable first."""
        found = [finding for finding in self.findings if finding.present]
        found.sort(key=lambda f: (-(f.severity or 0), -f.probability_percent))
        return tuple(found)
