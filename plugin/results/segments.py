# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a segmentation says of its segments (PS3.3 C.8.20.4)."""

from __future__ import annotations

from dataclasses import dataclass

from highdicom.color import CIELabColor
from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription
from pydicom.dataset import Dataset

from inference.contract import FindingClass
from plugin.results import codes
from plugin.results.bands import Band
from plugin.results.envelope import algorithm, shorten
from plugin.results.scan_result import ScanResult


@dataclass(frozen=True)
class Segment:
    """What the Segment Sequence says of one segment.

    Attributes:
        lower: lowest probability of the band; 0 for a segment that isn't one.
    """

    label: str
    finding: FindingClass
    colour: tuple[int, int, int]
    parameters: dict[str, str]
    lower: float = 0.0


def band_colour(band: Band) -> tuple[int, int, int]:
    """The finding's colour for its highest band, mixed with white below."""
    white = 0.6 * (1 - band.strength)
    red, green, blue = (round(part + white * (255 - part)) for part in band.finding.colour)
    return red, green, blue


def band_segment(band: Band) -> Segment:
    """One band of equal probability."""
    parameters = {"probability from": f"{band.lower:.4g}", "to": f"{band.upper:.4g}"}
    return Segment(band.label, band.finding, band_colour(band), parameters, band.lower)


def fractional_segment(finding: FindingClass) -> Segment:
    """The whole probability map of one finding."""
    return Segment(f"{finding.name} probability", finding, finding.colour, {})


def describe(result: ScanResult, number: int, segment: Segment) -> SegmentDescription:
    """An item of the Segment Sequence."""
    site = codes.site(result.model)
    digest = {"bundle sha256": result.analysis.digest} if result.analysis.digest else {}
    return SegmentDescription(
        segment_number=number,
        segment_label=shorten(segment.label),
        segmented_property_category=codes.ABNORMAL_STRUCTURE,
        segmented_property_type=codes.concept(segment.finding.code),
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=algorithm(result, digest | segment.parameters),
        anatomic_regions=None if site is None else [site],
        display_color=CIELabColor.from_rgb(*segment.colour),
    )


def background(result: ScanResult) -> Dataset:
    """Segment 0 of a label map: where none of the others is."""
    item = Dataset()
    item.SegmentNumber = 0
    item.SegmentLabel = "Background"
    item.SegmentedPropertyCategoryCodeSequence = [codes.code_item(codes.BACKGROUND)]
    item.SegmentedPropertyTypeCodeSequence = [codes.code_item(codes.BACKGROUND)]
    item.SegmentAlgorithmType = "AUTOMATIC"
    item.SegmentAlgorithmName = shorten(result.algorithm_name)
    item.RecommendedDisplayCIELabValue = list(CIELabColor(0.0, 0.0, 0.0).value)
    return item
