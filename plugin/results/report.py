# SPDX-License-Identifier: AGPL-3.0-or-later
"""The structured report: TID 1500 with one TID 1410 group per region and one for the whole scan.

Every outcome has this one shape, so that no outcome opens worse than another. Why the shape is
this one is told in ``docs/results.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import cast

import numpy as np
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    ContentItem,
    ContentSequence,
    DeviceObserverIdentifyingAttributes,
    LanguageOfContentItemAndDescendants,
    ObserverContext,
    RelationshipTypeValues,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dictionary
from pydicom.sr.coding import Code

from inference.contract import ClassProbability, FindingClass, Outcome
from plugin.results import codes, content
from plugin.results.envelope import evidence, new_object, seal
from plugin.results.group_words import region_words, whole_scan_words
from plugin.results.objects import DocumentReference, ResultObject
from plugin.results.polylines import Points
from plugin.results.private import MANUFACTURER
from plugin.results.regions import Region
from plugin.results.scan_result import ImageResult, ScanResult
from plugin.results.source import SourceImage

WHOLE_IMAGE = "Whole image"
WHOLE_SERIES = "Whole series"
_ENGLISH = CodedConcept("en-US", "RFC5646", "English (United States)")


def build_report(result: ScanResult) -> ResultObject:
    """The SR of one scan; every outcome has one."""
    dataset = new_object(result, "SR", result.profile.sr_sop_class_uid, result.images[0])
    write_document(dataset, result)
    root = content.container(codes.REPORT_TITLE, _root(result), "1500", root=True)
    for element in root:
        dataset[element.tag] = element
    return ResultObject("SR", seal(dataset, result))


def add_predecessors(report: ResultObject, references: Iterable[DocumentReference]) -> None:
    """Name the reports in the same study that this one replaces (PS3.3 C.17.2.2)."""
    study = Dataset()
    study.StudyInstanceUID = report.dataset.StudyInstanceUID
    study.ReferencedSeriesSequence = []
    for reference in references:
        instance = Dataset()
        instance.ReferencedSOPClassUID = reference.sop_class_uid
        instance.ReferencedSOPInstanceUID = reference.sop_instance_uid
        series = Dataset()
        series.SeriesInstanceUID = reference.series_uid
        series.ReferencedSOPSequence = [instance]
        study.ReferencedSeriesSequence.append(series)
    if study.ReferencedSeriesSequence:
        report.dataset.PredecessorDocumentsSequence = [study]


def percent(probability: float) -> float:
    """A probability as the report writes it: percent with four decimals.

    All other doors (REST, FHIR, HL7) that state a probability state this number.
    """
    return round(100.0 * probability, 4)


def whole_image(source: SourceImage) -> Points:
    """Outline of the image as a closed polyline ``(5, 2)`` of (column, row)."""
    right, bottom = source.columns, source.rows
    return np.array([[0, 0], [right, 0], [right, bottom], [0, bottom], [0, 0]], dtype=float)


def region_uid(result: ScanResult, image: ImageResult, region: Region) -> str:
    """Tracking UID of a region, the same in report and presentation state."""
    return result.image_uid(image, "tracking", region.finding.key, region.number)


def write_document(dataset: Dataset, result: ScanResult) -> None:
    """SR Document Series and SR Document General modules (PS3.3 C.17.1 and C.17.2).

    highdicom's own SR classes copy the whole tree and demand type 2 attributes of the original.
    """
    judged = result.outcome in (Outcome.FINDINGS, Outcome.NO_FINDINGS)
    dataset.CompletionFlag = "COMPLETE" if judged else "PARTIAL"
    dataset.VerificationFlag = "UNVERIFIED"
    dataset.PreliminaryFlag = "PRELIMINARY"
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.PerformedProcedureCodeSequence = []
    dataset.CodingSchemeIdentificationSequence = [
        CodingSchemeIdentificationItem(
            codes.PRIVATE_SCHEME,
            name=codes.PRIVATE_SCHEME_NAME,
            responsible_organization=MANUFACTURER,
        )
    ]
    dataset.CurrentRequestedProcedureEvidenceSequence = evidence(result.images)


def _root(result: ScanResult) -> Iterator[ContentItem]:
    yield from report_head(result)
    yield content.image_library(_distinct([image.source for image in result.images]))
    groups = [_whole_scan_group(result)]
    groups += [
        _region_group(result, image, region) for image in result.images for region in image.regions
    ]
    yield content.container(codes.IMAGING_MEASUREMENTS, groups)
    yield content.container(codes.QUALITATIVE_EVALUATIONS, _evaluations(result))


def report_head(result: ScanResult) -> Iterator[ContentItem]:
    """Language, observer and procedure."""
    yield from LanguageOfContentItemAndDescendants(_ENGLISH)
    yield from ObserverContext(
        dictionary.DCM.Device,
        DeviceObserverIdentifyingAttributes(
            uid=result.device_uid(),
            name=result.algorithm_name,
            manufacturer_name=MANUFACTURER,
            model_name=result.title,
        ),
    )
    yield content.code(
        dictionary.DCM.ProcedureReported,
        codes.procedure(result.lead.source.modality),
        content.MODIFIER,
    )


def _distinct(sources: Sequence[SourceImage]) -> list[SourceImage]:
    """One entry per frame that is told of."""
    return list({(one.sop_instance_uid, one.frame_number): one for one in sources}.values())


def _evaluations(result: ScanResult) -> Iterator[ContentItem]:
    yield content.text(codes.COMMENT, result.disclaimer)
    yield from outcome_items(result)
    if result.analysis.reason:
        yield content.text(codes.COMMENT, result.analysis.reason)
    for finding in result.found:
        left_out = sum(
            located.left_out for _, located in result.located if located.finding.key == finding.key
        )
        if left_out:
            words = f"{finding.name}: {left_out} more regions without an outline"
            yield content.text(codes.COMMENT, words)


def outcome_items(result: ScanResult) -> Iterator[ContentItem]:
    """How the analysis ended, in codes."""
    yield content.code(codes.CAD_SUMMARY, codes.summary(result.outcome))
    yield content.code(codes.SUMMARY_OF_ANALYSES, codes.analyses(result.outcome))


def _whole_scan_group(result: ScanResult) -> ContentItem:
    """What holds for the scan as a whole, shown on its most suspicious image."""
    source, profile = result.lead.source, result.profile
    outline = whole_image(source) if profile.whole_image_region else None
    thresholds = [f"threshold {finding.key}={finding.threshold:g}" for finding, _ in result.classes]
    label = WHOLE_IMAGE if len(result.images) == 1 else WHOLE_SERIES
    items = _group_head(
        profile.rectangle_tracking_prefix + label,
        result.uid("tracking", label),
        codes.summary(result.outcome),
    )
    items += _algorithm(result, thresholds)
    if outline is not None:
        items.append(_region_of(result, source, outline, content.CONTAINS))
    for finding, analysed in result.classes:
        items.append(_probability(result, finding, analysed.probability, source, outline))
    items += outcome_items(result)
    items += _words(result, whole_scan_words(result))
    items += [_presence(finding, analysed) for finding, analysed in result.classes]
    if outline is None:
        sources = [source] if len(result.images) == 1 else [i.source for i in result.images]
        items += [
            content.image(one, codes.SOURCE_OF_MEASUREMENT, content.CONTAINS)
            for one in _distinct(sources)
        ]
    template = "1501" if outline is None else "1410"
    return content.container(codes.MEASUREMENT_GROUP, items, template)


def _region_group(result: ScanResult, image: ImageResult, region: Region) -> ContentItem:
    finding, source = region.finding, image.source
    items = _group_head(
        f"{result.profile.outline_tracking_prefix}{finding.name} {region.number}",
        region_uid(result, image, region),
        codes.concept(finding.code),
    )
    site = codes.site(result.model)
    if site is not None:
        items.append(content.code(codes.FINDING_SITE, site, content.MODIFIER))
    items += _algorithm(result, [f"patch threshold {finding.key}={finding.patch_threshold:g}"])
    items.append(_region_of(result, source, region.outline, content.CONTAINS))
    items.append(_probability(result, finding, region.probability, source, region.outline))
    items += _words(result, region_words(region))
    return content.container(codes.MEASUREMENT_GROUP, items, "1410")


def _words(result: ScanResult, words: str) -> list[ContentItem]:
    return [content.text(codes.COMMENT, words)] if result.profile.groups_have_words else []


def _group_head(identifier: str, uid: str, finding: Code) -> list[ContentItem]:
    return [
        content.text(codes.TRACKING_IDENTIFIER, identifier, content.OBSERVATION),
        content.uid(codes.TRACKING_UID, uid),
        content.code(codes.FINDING, finding),
    ]


def _algorithm(result: ScanResult, parameters: Iterable[str]) -> list[ContentItem]:
    analysis = result.analysis
    digests = {
        "bundle sha256": analysis.digest,
        "configuration sha256": result.options.configuration_digest,
    }
    known = [f"{name}={value}" for name, value in digests.items() if value]
    items = AlgorithmIdentification(
        name=result.algorithm_name,
        version=result.algorithm_version,
        parameters=[*known, *parameters],
        family=codes.ALGORITHM_FAMILY,
        manufacturer=MANUFACTURER,
    )
    return cast("list[ContentItem]", list(items))


def _region_of(
    result: ScanResult, source: SourceImage, outline: Points, relationship: RelationshipTypeValues
) -> ContentItem:
    name = result.profile.source_image_name
    return content.polyline(outline, source, name, relationship)


def _probability(
    result: ScanResult,
    finding: FindingClass,
    probability: float,
    source: SourceImage,
    outline: Points | None,
) -> ContentItem:
    item = content.number(codes.probability_of(finding), percent(probability), codes.PERCENT)
    below = []
    if result.profile.measurement_repeats_region and outline is not None:
        below.append(_region_of(result, source, outline, content.INFERRED_FROM))
    below.append(content.code(codes.FINDING, codes.concept(finding.code), content.MODIFIER))
    item.ContentSequence = ContentSequence(below)
    return item


def _presence(finding: FindingClass, analysed: ClassProbability) -> ContentItem:
    value = codes.PRESENT if analysed.present else codes.ABSENT
    return content.code(codes.concept(finding.code), value)
