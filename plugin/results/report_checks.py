# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a report must have so that viewers show it; every check is a failure that was seen.

``dciodvfy`` finds nothing wrong with any of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dictionary
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage

from plugin.results import codes, sr_tree
from plugin.results import header as read
from plugin.results.viewer_profiles import ViewerProfile

_DIAGNOSTIC_REPORT = ("18748-4", "LN")
_WANTED_CLASS = {
    str(ComprehensiveSRStorage): "the Stone viewer reads geometry from Comprehensive SR only",
    str(Comprehensive3DSRStorage): "IHE AIR asks for Comprehensive 3D SR",
}


def report_errors(dataset: Dataset, profile: ViewerProfile) -> Iterator[str]:
    """Errors of an SR, in words, without any value of the patient."""
    if read.text(dataset, "SOPClassUID") != profile.sr_sop_class_uid:
        yield f"SOP Class: {_WANTED_CLASS[profile.sr_sop_class_uid]}"
    yield from _evidence(dataset)
    if not sr_tree.is_named(dataset, codes.REPORT_TITLE):
        yield from _text_report(dataset)
        return
    if not sr_tree.named(dataset, codes.IMAGE_LIBRARY):
        yield "Image Library: missing; the Stone viewer needs it"
    groups = [
        group
        for container in sr_tree.named(dataset, codes.IMAGING_MEASUREMENTS)
        for group in sr_tree.named(container, codes.MEASUREMENT_GROUP)
    ]
    if not groups:
        yield "Imaging Measurements: none; OHIF crashes on a TID 1500 report without a group"
    sizes = _image_sizes(dataset)
    for number, group in enumerate(groups, start=1):
        for error in _group(group, profile, sizes):
            yield f"Measurement Group {number}: {error}"
    yield from _tracking_uids(groups)


def _text_report(dataset: Dataset) -> Iterator[str]:
    """A report of another title opens as text; coordinates in it would not be looked for."""
    names = read.items(dataset, "ConceptNameCodeSequence")
    title = (
        tuple(read.text(names[0], key) for key in ("CodeValue", "CodingSchemeDesignator"))
        if names
        else ()
    )
    if title != _DIAGNOSTIC_REPORT:
        yield "title: neither Imaging Measurement Report nor Diagnostic imaging report"
    if any(read.text(item, "ValueType") == "SCOORD" for item in sr_tree.descendants(dataset)):
        yield "title: viewers draw regions of an Imaging Measurement Report only"


def _evidence(dataset: Dataset) -> Iterator[str]:
    listed = [
        read.text(instance, "ReferencedSOPInstanceUID")
        for study in read.items(dataset, "CurrentRequestedProcedureEvidenceSequence")
        for series in read.items(study, "ReferencedSeriesSequence")
        for instance in read.items(series, "ReferencedSOPSequence")
    ]
    if any(count > 1 for count in Counter(listed).values()):
        yield "evidence: an instance is listed more than once; viewers take it for another image"
    used = {
        read.text(reference, "ReferencedSOPInstanceUID")
        for item in sr_tree.descendants(dataset)
        for reference in read.items(item, "ReferencedSOPSequence")
    }
    if not used <= set(listed):
        yield "evidence: a referenced instance isn't listed"


def _image_sizes(dataset: Dataset) -> dict[str, tuple[float, float]]:
    """Columns and Rows of each SOP Instance UID, from the image library."""
    sizes: dict[str, tuple[float, float]] = {}
    for library in sr_tree.named(dataset, codes.IMAGE_LIBRARY):
        for group in sr_tree.named(library, codes.IMAGE_LIBRARY_GROUP):
            shared = _size(group)
            for entry in sr_tree.of_type(group, "IMAGE"):
                size = _size(entry) or shared
                for reference in read.items(entry, "ReferencedSOPSequence"):
                    if size is not None:
                        sizes[read.text(reference, "ReferencedSOPInstanceUID")] = size
    return sizes


def _size(item: Dataset) -> tuple[float, float] | None:
    found: list[float] = []
    for name in (dictionary.DCM.PixelDataColumns, dictionary.DCM.PixelDataRows):
        for number in sr_tree.named(item, name):
            for value in read.items(number, "MeasuredValueSequence"):
                found += read.numbers(value, "NumericValue")
    return (found[0], found[1]) if len(found) == 2 and all(found) else None


def _group(
    group: Dataset, profile: ViewerProfile, sizes: Mapping[str, tuple[float, float]]
) -> Iterator[str]:
    identifiers = sr_tree.named(group, codes.TRACKING_IDENTIFIER)
    identifier = read.text(identifiers[0], "TextValue") if identifiers else ""
    prefixes = (profile.outline_tracking_prefix, profile.rectangle_tracking_prefix)
    if not identifier or not identifier.startswith(prefixes):
        yield "Tracking Identifier: OHIF makes no measurement of it without its tool's prefix"
    regions = [
        item
        for item in sr_tree.of_type(group, "SCOORD")
        if sr_tree.is_named(item, codes.IMAGE_REGION)
    ]
    if not regions:
        if profile.whole_image_region:
            yield "no coordinates; OHIF shows a black viewport"
        elif not sr_tree.of_type(group, "IMAGE"):
            yield "neither coordinates nor an image: nobody can tell what it is about"
        return
    if profile.groups_have_words and not sr_tree.named(group, codes.COMMENT):
        yield "Comment: missing; OHIF's measurement has no words"
    for region in regions:
        yield from _region(region, profile, sizes)
        rectangle = profile.rectangle_tracking_prefix
        if rectangle and identifier.startswith(rectangle):
            yield from _rectangle(region)
    for number in sr_tree.of_type(group, "NUM"):
        yield from _measurement(number, regions, profile)


def _rectangle(region: Dataset) -> Iterator[str]:
    if len(sr_tree.points(region)) != 5:
        yield "Tracking Identifier: OHIF's rectangle takes exactly four corners, closed"


def _region(
    region: Dataset, profile: ViewerProfile, sizes: Mapping[str, tuple[float, float]]
) -> Iterator[str]:
    outline = sr_tree.points(region)
    if read.text(region, "GraphicType") != "POLYLINE":
        yield "Image Region: the Stone viewer draws POLYLINE only"
    elif len(outline) < 4 or not np.array_equal(outline[0], outline[-1]):
        yield "Image Region: the polyline isn't closed"
    images = sr_tree.of_type(region, "IMAGE")
    if not _inside(outline, images, sizes):
        yield "Image Region: points lie outside the image"
    name = profile.source_image_name
    if not images or not all(sr_tree.is_named(item, name) for item in images):
        yield f"Image Region: viewers draw nothing unless its IMAGE is {name.meaning}"


def _inside(
    outline: np.ndarray, images: list[Dataset], sizes: Mapping[str, tuple[float, float]]
) -> bool:
    for image in images:
        for reference in read.items(image, "ReferencedSOPSequence"):
            size = sizes.get(read.text(reference, "ReferencedSOPInstanceUID"))
            if size is not None and not ((outline >= 0) & (outline <= np.array(size))).all():
                return False
    return True


def _measurement(number: Dataset, regions: list[Dataset], profile: ViewerProfile) -> Iterator[str]:
    inferred = [
        sr_tree.points(item)
        for item in sr_tree.of_type(number, "SCOORD")
        if read.text(item, "RelationshipType") == "INFERRED FROM"
    ]
    known = [sr_tree.points(region) for region in regions]
    if profile.measurement_repeats_region and not any(
        np.array_equal(one, other) for one in inferred for other in known
    ):
        yield "NUM: isn't inferred from the group's region; OHIF makes no measurement of it"


def _tracking_uids(groups: list[Dataset]) -> Iterator[str]:
    found = [
        read.text(item, "UID")
        for group in groups
        for item in sr_tree.named(group, codes.TRACKING_UID)
    ]
    if len(found) < len(groups):
        yield "Tracking Unique Identifier: a group has none"
    if len(set(found)) < len(found):
        yield "Tracking Unique Identifier: groups share one; OHIF shows only one of them"
