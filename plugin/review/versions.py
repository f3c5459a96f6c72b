# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is corrected, and what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from inference.contract import ImageAnalysis
from plugin.review.records import Review
from plugin.states import Findings, StoredObject


@dataclass(frozen=True)
class Corrected:
    """What became of the objects of a corrected version."""

    stored: tuple[StoredObject, ...]
    quarantined: dict[str, str]


@dataclass(frozen=True)
class Subject:
    """The image that was reviewed.

    Attributes:
        instance: Orthanc identifier.
        before: objects of the version before, the model's own or of the last correction.
    """

    instance: str
    findings: Findings
    image: ImageAnalysis
    before: Sequence[StoredObject]


class VersionMaker(Protocol):
    """Makes the objects of a corrected version."""

    def make(self, subject: Subject, reviews: Sequence[Review], /) -> Corrected:
        """Build, validate and store the objects of the version that the last review makes."""
