# SPDX-License-Identifier: AGPL-3.0-or-later
"""The one way out of the PHI zone.

Only a ``DeidentifiedScan``, which only ``deid`` can make, passes. Whatever else is handed in is
refused, logged and counted. No other module of ``plugin`` talks to inference.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from inference.client import InferenceClient, InferenceRefusedError, InferenceUnavailableError
from inference.contract import (
    AnalysisAnswer,
    AnatomyAnswer,
    Health,
    ModelDescription,
    ModelVersions,
    PixelAnatomyAnswer,
    VersionDecision,
)

if TYPE_CHECKING:
    from deid import DeidentifiedScan

__all__ = [
    "AnatomyGate",
    "Gate",
    "GateRefusedError",
    "InferenceRefusedError",
    "InferenceUnavailableError",
    "LearningGate",
]

LOGGER = logging.getLogger(__name__)


class GateRefusedError(TypeError):
    """Something that is not de-identified was about to leave the PHI zone."""


class AnatomyClient(Protocol):
    """Whoever answers questions about anatomy: an inference service, or models in this process."""

    def recognize_anatomy(self, header: dict[str, Any], /) -> AnatomyAnswer:
        """The anatomy that a header shows."""

    def recognize_pixels(self, instances: Sequence[bytes], /) -> PixelAnatomyAnswer:
        """The anatomy that pixels show."""


class SliceLearner(Protocol):
    """Whoever learns from the slices of a series, in this process."""

    def take(self, series: str, patient: str, instances: Sequence[bytes], /) -> None:
        """DICOM files of one series, by pseudonyms."""


class _Checked:
    """Lets de-identified scans pass, and counts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.refused = 0
        self.passed = 0

    def _check(self, scans: Sequence[DeidentifiedScan]) -> None:
        # Here: a process that only asks for models and health loads no DICOM library.
        from deid import DeidentifiedScan  # noqa: PLC0415

        for scan in scans:
            # Not isinstance: a subclass could override what to_bytes hands out.
            if type(scan) is not DeidentifiedScan:
                with self._lock:
                    self.refused += 1
                LOGGER.error("gate refused an object of type %s", type(scan).__name__)
                raise GateRefusedError(
                    f"only a DeidentifiedScan may leave the PHI zone, not a {type(scan).__name__}"
                )
        with self._lock:
            self.passed += len(scans)


class LearningGate(_Checked):
    """Shows de-identified slices to whoever learns from them, and nothing else."""

    def __init__(self, learner: SliceLearner) -> None:
        super().__init__()
        self._learner = learner

    def take(self, series: str, patient: str, scans: Sequence[DeidentifiedScan]) -> None:
        """The slices of one series, by pseudonyms of series and patient."""
        self._check(scans)
        self._learner.take(series, patient, [scan.to_bytes() for scan in scans])


class AnatomyGate(_Checked):
    """Shows de-identified scans to whoever recognizes anatomy, and nothing else."""

    _client: AnatomyClient

    def __init__(self, client: AnatomyClient) -> None:
        super().__init__()
        self._client = client

    def recognize_anatomy(self, scan: DeidentifiedScan) -> AnatomyAnswer:
        """The anatomy that the scan's header shows."""
        self._check([scan])
        return self._client.recognize_anatomy(scan.header_json())

    def recognize_pixels(self, scans: Sequence[DeidentifiedScan]) -> PixelAnatomyAnswer:
        """The anatomy that the pixels of these instances of one series show."""
        self._check(scans)
        return self._client.recognize_pixels([scan.to_bytes() for scan in scans])


class Gate(AnatomyGate):
    """Sends de-identified scans to inference, and nothing else."""

    _client: InferenceClient

    def __init__(self, client: InferenceClient) -> None:
        super().__init__(client)

    @classmethod
    def to(cls, url: str, token: str, seconds: float, authority: str = "") -> Self:
        """A gate to the service at ``url``, which answers within ``seconds`` or is unavailable.

        Args:
            authority: PEM file that vouches for the service; empty: the system's.
        """
        ca = Path(authority) if authority else None
        return cls(InferenceClient(url, timeout=seconds, token=token or None, ca=ca))

    def recognize_study(self, scans: Sequence[DeidentifiedScan]) -> list[AnatomyAnswer]:
        """The anatomy of the series of one study, by the header of one scan of each."""
        self._check(scans)
        return self._client.recognize_study([scan.header_json() for scan in scans])

    def analyse(self, model: str, scans: Sequence[DeidentifiedScan]) -> AnalysisAnswer:
        """Run one model over the instances of one scan."""
        self._check(scans)
        return self._client.analyse(model, [scan.to_bytes() for scan in scans])

    def models(self) -> list[ModelDescription]:
        """The models that inference serves; asks nothing about any scan."""
        return self._client.models()

    def versions(self) -> list[ModelVersions]:
        """Models with several versions; asks nothing about any scan."""
        return self._client.versions()

    def comparison(self, model: str, version: str) -> dict[str, Any]:
        """How a version compares with the one before it."""
        return self._client.comparison(model, version)

    def decide(self, model: str, decision: VersionDecision) -> ModelVersions:
        """Pass on what a person decided about a version: nothing of any scan."""
        return self._client.decide(model, decision)

    def health(self) -> Health:
        """Whether inference can answer."""
        return self._client.health()
