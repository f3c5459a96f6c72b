# SPDX-License-Identifier: AGPL-3.0-or-later
"""The whole section: one field per section inside it."""

from __future__ import annotations

import hashlib

from pydantic import Field

from plugin.configuration.anatomy import AnatomySection
from plugin.configuration.applications import ApplicationSection
from plugin.configuration.arrival import ArrivalSection
from plugin.configuration.copies import CopiesSection
from plugin.configuration.deidentification import DeidentificationSection
from plugin.configuration.deidentification_review import DeidentificationReviewSection
from plugin.configuration.doors import DoorsSection
from plugin.configuration.hanging import HangingSection
from plugin.configuration.heat_maps import HeatMapSection
from plugin.configuration.processes import InferenceSection, QueueSection, WorkerSection
from plugin.configuration.results import ResultsSection
from plugin.configuration.review import ReviewSection
from plugin.configuration.section import Section
from plugin.configuration.standardization import StandardizationSection
from plugin.configuration.worklist import LabelSection, WorklistSection


class Configuration(Section):
    """The whole ``Sidelight`` section."""

    enabled: bool = Field(default=True, description="false: Orthanc runs as if without Sidelight")
    data_directory: str = Field(
        default="", description="queue and key; empty: 'sidelight' inside Orthanc's IndexDirectory"
    )
    environment: str = Field(
        default="", description="virtual environment of Sidelight; empty: found by itself"
    )
    python: str = Field(
        default="", description="interpreter of the child processes; empty: the environment's"
    )
    workers: WorkerSection = WorkerSection()
    queue: QueueSection = QueueSection()
    deidentification: DeidentificationSection = DeidentificationSection()
    deidentification_review: DeidentificationReviewSection = DeidentificationReviewSection()
    arrival: ArrivalSection = ArrivalSection()
    inference: InferenceSection = InferenceSection()
    results: ResultsSection = ResultsSection()
    anatomy: AnatomySection = AnatomySection()
    applications: ApplicationSection = ApplicationSection()
    copies: CopiesSection = CopiesSection()
    worklist: WorklistSection = WorklistSection()
    labels: LabelSection = LabelSection()
    standardization: StandardizationSection = StandardizationSection()
    doors: DoorsSection = DoorsSection()
    hanging: HangingSection = HangingSection()
    heat_maps: HeatMapSection = HeatMapSection()
    review: ReviewSection = ReviewSection()

    def digest(self) -> str:
        """SHA-256 of all that decides what the results look like."""
        parts = self.deidentification.model_dump_json(exclude={"key_file"})
        parts += self.results.model_dump_json(exclude={"validators"})
        return hashlib.sha256(parts.encode()).hexdigest()
