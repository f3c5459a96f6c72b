# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is to be said about one image, worked out once for all of its objects."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

from pydicom.dataset import Dataset

from inference.contract import (
    AnalysisAnswer,
    ClassProbability,
    FindingClass,
    ImageAnalysis,
    ModelDescription,
    Outcome,
)
from plugin import __version__
from plugin.results import uids
from plugin.results.objects import Kind, ResultBuildError, ResultOptions
from plugin.results.regions import LocatedFinding, Region, locate
from plugin.results.source import SourceImage, read_source
from plugin.results.viewer_profiles import PROFILES, ViewerProfile

DISCLAIMER = "AI result, not for diagnosis"
"""Said on every object, before what the model's own card says."""


@cache
def software_version() -> str:
    """Version of Sidelight as installed."""
    return __version__


@dataclass(frozen=True)
class ImageResult:
    """One model's answer about one image.

    Attributes:
        outcome: of this image; a scan with findings may have images without.
        classes: each finding class of the model with its global probability; empty unless the
            analysis ended with a judgement.
        located: present findings that have regions.
    """

    header: Dataset
    source: SourceImage
    model: ModelDescription | None
    analysis: AnalysisAnswer
    outcome: Outcome
    classes: tuple[tuple[FindingClass, ClassProbability], ...]
    located: tuple[LocatedFinding, ...]
    options: ResultOptions

    @property
    def profile(self) -> ViewerProfile:
        """Accommodations that apply."""
        return PROFILES[self.options.viewer_profile]

    @property
    def regions(self) -> list[Region]:
        """Regions of all findings."""
        return [region for located in self.located for region in located.regions]

    @property
    def disclaimer(self) -> str:
        """What must be said with the result."""
        return f"{DISCLAIMER}. {self.model.disclaimer}" if self.model else f"{DISCLAIMER}."

    @property
    def title(self) -> str:
        """Name and version of the model, or of Sidelight where no model was reached."""
        return f"{self.algorithm_name} {self.algorithm_version}".strip()

    @property
    def algorithm_name(self) -> str:
        """Name of the model; never empty."""
        return self.analysis.model or "Sidelight"

    @property
    def algorithm_version(self) -> str:
        """Version of the model; never empty."""
        return self.analysis.version or software_version()

    def uid(self, *purpose: str | int) -> str:
        """A UID for something of this image, the same in every run of the same configuration."""
        frame = self.source.frame_number
        return uids.derive(*purpose, *self._run(), self.source.sop_instance_uid, frame)

    def series_uid(self, kind: Kind) -> str:
        """The series of an object: SEG and PR of one study and model share one, SR doesn't.

        OHIF shows only the first SR of a series.
        """
        if kind == "SR":
            return self.uid("series", kind)
        return uids.derive("series", kind, *self._run(), self.source.study_uid)

    def device_uid(self) -> str:
        """The model as a device: another one when its weights change."""
        analysis = self.analysis
        return uids.derive("device", analysis.model, analysis.version, analysis.digest)

    def _run(self) -> tuple[str, ...]:
        analysis = self.analysis
        return (
            analysis.model,
            analysis.version,
            analysis.digest,
            self.options.configuration_digest,
            software_version(),
        )


def image_result(
    header: Dataset,
    model: ModelDescription | None,
    analysis: AnalysisAnswer,
    image: ImageAnalysis | None,
    options: ResultOptions,
) -> ImageResult:
    """Bring together what is known about one image.

    Raises:
        ResultBuildError: the header lacks what is essential, or answer, model and image don't fit.
    """
    judged = analysis.outcome in (Outcome.FINDINGS, Outcome.NO_FINDINGS)
    source = read_source(header, image.frame_number if image else 1)
    classes: tuple[tuple[FindingClass, ClassProbability], ...] = ()
    located: list[LocatedFinding] = []
    outcome = analysis.outcome
    if judged:
        classes = _classes(model, image, source)
        present = any(analysed.present for _, analysed in classes)
        outcome = Outcome.FINDINGS if present else Outcome.NO_FINDINGS
        if image is not None:
            found = [locate(finding, analysed, image) for finding, analysed in classes]
            located = [one for one in found if one is not None]
    return ImageResult(header, source, model, analysis, outcome, classes, tuple(located), options)


def _classes(
    model: ModelDescription | None, image: ImageAnalysis | None, source: SourceImage
) -> tuple[tuple[FindingClass, ClassProbability], ...]:
    if model is None or image is None:
        raise ResultBuildError("an analysis that ended with a judgement needs its model and image")
    if (image.rows, image.columns) != (source.rows, source.columns):
        raise ResultBuildError(
            f"the analysed image has {image.rows} x {image.columns} pixels, the original "
            f"{source.rows} x {source.columns}: regions would be drawn in the wrong place"
        )
    extent = image.extent
    edges = (extent.left, extent.top, extent.right, extent.bottom)
    upright = extent.right > extent.left and extent.bottom > extent.top
    if not upright or not all(math.isfinite(edge) for edge in edges):
        raise ResultBuildError("the extent of the probability map has no area")
    known = {finding.key: finding for finding in model.classes}
    unknown = [analysed.key for analysed in image.classes if analysed.key not in known]
    if unknown:
        raise ResultBuildError(f"the model knows no class {unknown[0]!r} that the answer speaks of")
    return tuple((known[analysed.key], analysed) for analysed in image.classes)
