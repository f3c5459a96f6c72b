# SPDX-License-Identifier: AGPL-3.0-or-later
"""The structured report: TID 1500 with one TID 1410 group per region and one for the whole image.

Every outcome has this one shape, so that no outcome opens worse than another. Why the shape is
this one is told in ``docs/results.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
from plugin.results.envelope import MANUFACTURER, new_object, seal
from plugin.results.image_result import ImageResult
from plugin.results.objects import ResultObject
from plugin.results.polylines import Points
from plugin.results.regions import Region

WHOLE_IMAGE = "Whole image"
_ENGLISH = CodedConcept("en-US", "RFC5646", "English (United States)")


def build_report(result: ImageResult) -> ResultObject:
    """The SR of one image; every outcome has one."""
    dataset = new_object(result, "SR", result.profile.sr_sop_class_uid)
    _document(dataset, result)
    root = content.container(codes.REPORT_TITLE, _root(result), "1500", root=True)
    for element in root:
        dataset[element.tag] = element
    return ResultObject("SR", seal(dataset, result))


def percent(probability: float) -> float:
    """A probability as the report writes it: percent with four decimals.

    All other doors (REST, FHIR, HL7) that state a probability state this number.
    """
    return round(100.0 * probability, 4)


def whole_image(result: ImageResult) -> Points:
    """Outline of the image as a closed polyline ``(5, 2)`` of (column, row)."""
    right, bottom = result.source.columns, result.source.rows
    return np.array([[0, 0], [right, 0], [right, bottom], [0, bottom], [0, 0]], dtype=float)


def region_uid(result: ImageResult, region: Region) -> str:
    """Tracking UID of a region, the same in report and presentation state."""
    return result.uid("tracking", region.finding.key, region.number)


def _document(dataset: Dataset, result: ImageResult) -> None:
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
    # Each instance once only: measured with OHIF and Stone, see docs/results.md.
    instance = Dataset()
    instance.ReferencedSOPClassUID = result.source.sop_class_uid
    instance.ReferencedSOPInstanceUID = result.source.sop_instance_uid
    series = Dataset()
    series.SeriesInstanceUID = result.source.series_uid
    series.ReferencedSOPSequence = [instance]
    study = Dataset()
    study.StudyInstanceUID = result.source.study_uid
    study.ReferencedSeriesSequence = [series]
    dataset.CurrentRequestedProcedureEvidenceSequence = [study]


def _root(result: ImageResult) -> Iterator[ContentItem]:
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
        codes.procedure(result.source.modality),
        content.MODIFIER,
    )
    yield content.image_library(result.source)
    groups = [_whole_image_group(result)]
    groups += [_region_group(result, region) for region in result.regions]
    yield content.container(codes.IMAGING_MEASUREMENTS, groups)
    yield content.container(codes.QUALITATIVE_EVALUATIONS, _evaluations(result))


def _evaluations(result: ImageResult) -> Iterator[ContentItem]:
    yield content.text(codes.COMMENT, result.disclaimer)
    yield from _outcome(result)
    if result.analysis.reason:
        yield content.text(codes.COMMENT, result.analysis.reason)
    for located in result.located:
        if located.left_out:
            yield content.text(
                codes.COMMENT,
                f"{located.finding.name}: {located.left_out} more regions without an outline",
            )


def _outcome(result: ImageResult) -> Iterator[ContentItem]:
    yield content.code(codes.CAD_SUMMARY, codes.summary(result.outcome))
    yield content.code(codes.SUMMARY_OF_ANALYSES, codes.analyses(result.outcome))


def _whole_image_group(result: ImageResult) -> ContentItem:
    outline = whole_image(result)
    thresholds = [f"threshold {finding.key}={finding.threshold:g}" for finding, _ in result.classes]
    items = _group_head(
        result.profile.rectangle_tracking_prefix + WHOLE_IMAGE,
        result.uid("tracking", WHOLE_IMAGE),
        codes.summary(result.outcome),
    )
    items += _algorithm(result, thresholds)
    items.append(_region_of(result, outline, content.CONTAINS))
    for finding, analysed in result.classes:
        items.append(_probability(result, finding, analysed.probability, outline))
    items += _outcome(result)
    items += [_presence(finding, analysed) for finding, analysed in result.classes]
    return content.container(codes.MEASUREMENT_GROUP, items, "1410")


def _region_group(result: ImageResult, region: Region) -> ContentItem:
    finding = region.finding
    items = _group_head(
        f"{result.profile.outline_tracking_prefix}{finding.name} {region.number}",
        region_uid(result, region),
        codes.concept(finding.code),
    )
    site = codes.site(result.model)
    if site is not None:
        items.append(content.code(codes.FINDING_SITE, site))
    items += _algorithm(result, [f"patch threshold {finding.key}={finding.patch_threshold:g}"])
    items.append(_region_of(result, region.outline, content.CONTAINS))
    items.append(_probability(result, finding, region.probability, region.outline))
    return content.container(codes.MEASUREMENT_GROUP, items, "1410")


def _group_head(identifier: str, uid: str, finding: Code) -> list[ContentItem]:
    return [
        content.text(codes.TRACKING_IDENTIFIER, identifier, content.OBSERVATION),
        content.uid(codes.TRACKING_UID, uid),
        content.code(codes.FINDING, finding),
    ]


def _algorithm(result: ImageResult, parameters: Iterable[str]) -> list[ContentItem]:
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
    result: ImageResult, outline: Points, relationship: RelationshipTypeValues
) -> ContentItem:
    name = result.profile.source_image_name
    return content.polyline(outline, result.source, name, relationship)


def _probability(
    result: ImageResult, finding: FindingClass, probability: float, outline: Points
) -> ContentItem:
    item = content.number(codes.probability_of(finding), percent(probability), codes.PERCENT)
    below = []
    if result.profile.measurement_repeats_region:
        below.append(_region_of(result, outline, content.INFERRED_FROM))
    below.append(content.code(codes.FINDING, codes.concept(finding.code), content.MODIFIER))
    item.ContentSequence = ContentSequence(below)
    return item


def _presence(finding: FindingClass, analysed: ClassProbability) -> ContentItem:
    value = codes.PRESENT if analysed.present else codes.ABSENT
    return content.code(codes.concept(finding.code), value)
