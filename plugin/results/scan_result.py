# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is to be said about one scan, worked out once for all of its objects.

A scan is one image, or the images of a series (or frames of an instance) that one model looked at
together.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import NamedTuple

from pydicom.dataset import Dataset

from inference.contract import (
    AnalysisAnswer,
    ClassProbability,
    FindingClass,
    ImageAnalysis,
    MapExtent,
    ModelDescription,
    Outcome,
)
from plugin import __version__
from plugin.results import uids
from plugin.results.objects import KINDS, Kind, Rendering, ResultBuildError, ResultOptions
from plugin.results.regions import MOST_REGIONS, LocatedFinding, Region, locate
from plugin.results.source import SourceImage, read_source
from plugin.results.viewer_profiles import PROFILES, ViewerProfile

DISCLAIMER = "AI result, not for diagnosis"
"""Said on every object, before what the model's own card says."""
MOST_KEY_IMAGES = 10
"""Images of a series that are worth a look; the report shows all regions."""


@cache
def software_version() -> str:
    """Version of Sidelight as installed."""
    return __version__


class AnalysedImage(NamedTuple):
    """One image of a scan: its header, and the answer about it where there is one."""

    header: Dataset
    analysis: ImageAnalysis | None


@dataclass(frozen=True)
class ImageResult:
    """One image of a scan.

    Attributes:
        extent: where the probability maps lie on the image; None where there are none.
        classes: each finding class of the model with its probability in this image; empty unless
            the analysis ended with a judgement.
        located: present findings that have regions in this image.
    """

    header: Dataset
    source: SourceImage
    extent: MapExtent | None = None
    classes: tuple[tuple[FindingClass, ClassProbability], ...] = ()
    located: tuple[LocatedFinding, ...] = ()

    @property
    def regions(self) -> list[Region]:
        """Regions of all findings in this image."""
        return [region for located in self.located for region in located.regions]

    @property
    def suspicion(self) -> tuple[bool, float]:
        """Sorts images by how much they are worth a look."""
        highest = max((analysed.probability for _, analysed in self.classes), default=0.0)
        return any(analysed.present for _, analysed in self.classes), highest


@dataclass(frozen=True)
class ScanResult:
    """One model's answer about one scan.

    Attributes:
        images: at least one, in the order of the scan.
        outcome: findings where an image has one.
    """

    images: tuple[ImageResult, ...]
    model: ModelDescription | None
    analysis: AnalysisAnswer
    outcome: Outcome
    options: ResultOptions
    rendering: Rendering | None = None

    @property
    def profile(self) -> ViewerProfile:
        """Accommodations that apply."""
        return PROFILES[self.options.viewer_profile]

    @cached_property
    def lead(self) -> ImageResult:
        """The most suspicious image, which what holds for the whole scan is shown on."""
        middle = self.images[len(self.images) // 2]
        best = max(self.images, key=lambda image: image.suspicion)
        return best if best.suspicion[0] else middle

    @property
    def key_images(self) -> list[ImageResult]:
        """Images worth a look, the most suspicious first; the lead alone where none is."""
        present = [image for image in self.images if image.suspicion[0]]
        ranked = sorted(present, key=lambda image: image.suspicion, reverse=True)
        return ranked[:MOST_KEY_IMAGES] or [self.lead]

    @cached_property
    def classes(self) -> tuple[tuple[FindingClass, ClassProbability], ...]:
        """Each class with its highest probability in any image."""
        best: dict[str, tuple[FindingClass, ClassProbability]] = {}
        for finding, analysed in (pair for image in self.images for pair in image.classes):
            known = best.get(finding.key)
            if known is None or _rank(analysed) > _rank(known[1]):
                best[finding.key] = (finding, analysed)
        return tuple(best.values())

    @property
    def located(self) -> list[tuple[ImageResult, LocatedFinding]]:
        """Findings that have regions, image by image."""
        return [(image, located) for image in self.images for located in image.located]

    @property
    def found(self) -> list[FindingClass]:
        """Finding classes that have regions in some image."""
        known = {located.finding.key: located.finding for _, located in self.located}
        return [finding for finding, _ in self.classes if finding.key in known]

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
        """A UID for something of this scan, the same in every run of the same configuration."""
        if len(self.images) == 1:
            return self.image_uid(self.images[0], *purpose)
        return uids.derive(*purpose, *self._run(), self._sources)

    def image_uid(self, image: ImageResult, *purpose: str | int) -> str:
        """A UID for something of one image."""
        source = image.source
        return uids.derive(*purpose, *self._run(), source.sop_instance_uid, source.frame_number)

    def series_uid(self, kind: Kind, *parts: str) -> str:
        """The series of an object: SEG and PR of one study and model share one, SR doesn't.

        OHIF shows only the first SR of a series. Instances of one series share their frame of
        reference (PS3.3 section A.1.2.6).
        """
        if kind == "SR":
            return self.uid("series", kind)
        study = self.images[0].source.study_uid
        return uids.derive("series", kind, *self._run(), study, *filter(None, parts))

    def device_uid(self) -> str:
        """The model as a device: another one when its weights change."""
        analysis = self.analysis
        return uids.derive("device", analysis.model, analysis.version, analysis.digest)

    def series_number(self, kind: Kind) -> int:
        """SeriesNumber of a kind, in the range of this application."""
        return self.options.series_number_base + KINDS[kind].series_offset

    @cached_property
    def _sources(self) -> str:
        digest = hashlib.sha256()
        for image in self.images:
            digest.update(f"{image.source.sop_instance_uid} {image.source.frame_number}\n".encode())
        return digest.hexdigest()

    def _run(self) -> tuple[str, ...]:
        analysis = self.analysis
        return (
            analysis.model,
            analysis.version,
            analysis.digest,
            self.options.configuration_digest,
            software_version(),
        )


def scan_result(
    images: Sequence[AnalysedImage],
    model: ModelDescription | None,
    analysis: AnalysisAnswer,
    options: ResultOptions,
    rendering: Rendering | None = None,
) -> ScanResult:
    """Bring together what is known about one scan.

    Raises:
        ResultBuildError: a header lacks what is essential, or answer, model and images don't fit.
    """
    if not images:
        raise ResultBuildError("a result needs at least one image to refer to")
    judged = analysis.outcome in (Outcome.FINDINGS, Outcome.NO_FINDINGS)
    results = [_image_result(image, model, judged=judged) for image in images]
    if len({one.source.study_uid for one in results}) > 1:
        raise ResultBuildError("the images of one scan lie in different studies")
    outcome = analysis.outcome
    if judged:
        present = any(one.suspicion[0] for one in results)
        outcome = Outcome.FINDINGS if present else Outcome.NO_FINDINGS
    numbered = tuple(_numbered(results))
    return ScanResult(numbered, model, analysis, outcome, options, rendering)


def _image_result(
    image: AnalysedImage, model: ModelDescription | None, *, judged: bool
) -> ImageResult:
    header, analysis = image
    source = read_source(header, analysis.frame_number if analysis else 1, sized=judged)
    if not judged:
        return ImageResult(header, source)
    classes = _classes(model, analysis, source)
    found = [locate(finding, analysed, analysis) for finding, analysed in classes if analysis]
    extent = analysis.extent if analysis else None
    located = tuple(one for one in found if one is not None)
    return ImageResult(header, source, extent, classes, located)


def _numbered(images: Sequence[ImageResult]) -> Iterable[ImageResult]:
    """Number the regions of each finding through all images, most probable first, and drop those
    beyond ``MOST_REGIONS``."""
    ranks: dict[tuple[int, str, int], int] = {}
    every = [(index, region) for index, image in enumerate(images) for region in image.regions]
    every.sort(key=lambda pair: -pair[1].probability)
    counts: dict[str, int] = {}
    for index, region in every:
        key = region.finding.key
        counts[key] = counts.get(key, 0) + 1
        ranks[index, key, region.number] = counts[key]
    for index, image in enumerate(images):
        yield replace(image, located=tuple(_kept(index, one, ranks) for one in image.located))


def _kept(
    index: int, located: LocatedFinding, ranks: dict[tuple[int, str, int], int]
) -> LocatedFinding:
    numbered = [
        replace(region, number=ranks[index, region.finding.key, region.number])
        for region in located.regions
    ]
    kept = tuple(region for region in numbered if region.number <= MOST_REGIONS)
    left_out = located.left_out + len(numbered) - len(kept)
    return replace(located, regions=kept, left_out=left_out)


def _rank(analysed: ClassProbability) -> tuple[bool, float]:
    return analysed.present, analysed.probability


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
