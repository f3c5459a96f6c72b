# SPDX-License-Identifier: AGPL-3.0-or-later
"""Content items of a report (PS3.3 C.17.3), one function per kind and relationship."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from highdicom.sr import (
    CodeContentItem,
    CodedConcept,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    ImageContentItem,
    NumContentItem,
    RelationshipTypeValues,
    ScoordContentItem,
    TextContentItem,
    UIDRefContentItem,
)
from pydicom.sr.codedict import codes as dictionary
from pydicom.sr.coding import Code

from plugin.results import codes
from plugin.results.polylines import Points
from plugin.results.source import SourceImage

CONTAINS = RelationshipTypeValues.CONTAINS
INFERRED_FROM = RelationshipTypeValues.INFERRED_FROM
MODIFIER = RelationshipTypeValues.HAS_CONCEPT_MOD
OBSERVATION = RelationshipTypeValues.HAS_OBS_CONTEXT
ACQUISITION = RelationshipTypeValues.HAS_ACQ_CONTEXT
SELECTED_FROM = RelationshipTypeValues.SELECTED_FROM


def _concept(code: Code) -> CodedConcept:
    # By its parts: codes are equal whatever their meanings, and another model's would be said.
    return _made_concept(code.value, code.scheme_designator, code.meaning)


@cache
def _made_concept(value: str, scheme: str, meaning: str) -> CodedConcept:
    return CodedConcept(value, scheme, meaning)


def container(
    name: Code, items: Iterable[ContentItem], template: str | None = None, *, root: bool = False
) -> ContainerContentItem:
    """A CONTAINER with its items; ``template`` is a TID of PS3.16."""
    item = ContainerContentItem(
        name=_concept(name), template_id=template, relationship_type=None if root else CONTAINS
    )
    item.ContentSequence = ContentSequence(list(items))
    return item


def code(name: Code, value: Code, relationship: RelationshipTypeValues = CONTAINS) -> ContentItem:
    """A CODE."""
    return CodeContentItem(_concept(name), _concept(value), relationship_type=relationship)


def text(name: Code, value: str, relationship: RelationshipTypeValues = CONTAINS) -> ContentItem:
    """A TEXT."""
    return TextContentItem(name=_concept(name), value=value, relationship_type=relationship)


def uid(name: Code, value: str, relationship: RelationshipTypeValues = OBSERVATION) -> ContentItem:
    """A UIDREF."""
    return UIDRefContentItem(name=_concept(name), value=value, relationship_type=relationship)


def number(
    name: Code, value: float, unit: Code, relationship: RelationshipTypeValues = CONTAINS
) -> ContentItem:
    """A NUM."""
    named, measured = _concept(name), _concept(unit)
    return NumContentItem(named, value, unit=measured, relationship_type=relationship)


def image(
    source: SourceImage,
    name: Code,
    relationship: RelationshipTypeValues,
    items: Iterable[ContentItem] = (),
) -> ContentItem:
    """An IMAGE that refers to the analysed frame."""
    item = ImageContentItem(
        name=_concept(name),
        referenced_sop_class_uid=source.sop_class_uid,
        referenced_sop_instance_uid=source.sop_instance_uid,
        referenced_frame_numbers=source.frame_numbers,
        relationship_type=relationship,
    )
    below = list(items)
    if below:
        item.ContentSequence = ContentSequence(below)
    return item


def polyline(
    outline: Points, source: SourceImage, image_name: Code, relationship: RelationshipTypeValues
) -> ContentItem:
    """An SCOORD (111030, DCM, Image Region) selected from the analysed frame."""
    item = ScoordContentItem(
        name=_concept(codes.IMAGE_REGION),
        graphic_type="POLYLINE",
        graphic_data=outline,
        relationship_type=relationship,
    )
    item.ContentSequence = ContentSequence([image(source, image_name, SELECTED_FROM)])
    return item


def image_library(sources: Sequence[SourceImage]) -> ContentItem:
    """TID 1600 with one group; only what every header is sure to have.

    What all images share is said of the group (TID 1602), so that a series isn't told slice by
    slice.
    """
    first = sources[0]
    alike = len({(one.modality, one.rows, one.columns) for one in sources}) == 1
    several = len(sources) > 1
    shared = _descriptors(first) if several and alike else []
    entries = [
        image(source, codes.SOURCE_IMAGE, CONTAINS, () if shared else _descriptors(source))
        for source in sources
    ]
    group = container(codes.IMAGE_LIBRARY_GROUP, [*shared, *entries])
    return container(codes.IMAGE_LIBRARY, [group])


def _descriptors(source: SourceImage) -> list[ContentItem]:
    """TID 1602, whose modality must be of CID 29: a secondary capture has no descriptors."""
    if not codes.is_acquisition_modality(source.modality):
        return []
    pixels = Code("{pixels}", "UCUM", "Pixels")
    return [
        code(dictionary.DCM.Modality, codes.modality_concept(source.modality), ACQUISITION),
        number(dictionary.DCM.PixelDataRows, source.rows, pixels, ACQUISITION),
        number(dictionary.DCM.PixelDataColumns, source.columns, pixels, ACQUISITION),
    ]
