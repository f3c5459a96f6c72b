# SPDX-License-Identifier: Apache-2.0
"""What a person decided about single instances: boxes to mask, values to redact or to keep.

Corrections come after a look at original and result. They reach the pixels and the elements at the
top of an instance; what is inside of sequences goes with its sequence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from pydicom.datadict import dictionary_has_tag, dictionary_VR

from deid.attribute_types import type_of
from deid.context import encodings_of
from deid.dummies import dummy_value
from deid.elements import Element
from deid.errors import CorrectionError
from deid.identifiers import IDENTIFIERS, decoded_text, denied_words, elements_of
from deid.options import Option
from deid.parsing import RawElement
from deid.policy import Recompression
from deid.profile import row_of
from deid.report import Action, ElementRecord
from deid.stages import Instance, Stage
from deid.vocabulary import folded, words_of

PIXEL_CODE, PIXEL_MEANING = "113101", "Clean Pixel Data Option"
_PIXEL_DATA = 0x7FE00010
_BURNED_IN_ANNOTATION = 0x00280301
_CHARACTER_SET = 0x00080005
_RULE = "a reviewer's decision"
_KEPT_VRS = frozenset({"AS", "CS", "DS", "IS", "LO", "LT", "SH", "ST", "UC", "UT"})
_REDACTED_VRS = _KEPT_VRS | {"AE", "DA", "DT", "PN", "TM", "UR"}
# What says how the rest is to be read, what is shown, and what was done.
_FIXED = frozenset({_CHARACTER_SET, 0x00080008, 0x00080060, 0x00120062, 0x00120063})
_PATIENT_GROUP, _IMAGE_GROUP = 0x0010, 0x0028
_BY_TYPE = {"1": Action.DUMMY, "1C": Action.DUMMY, "2": Action.EMPTIED, "2C": Action.EMPTIED}


class Box(NamedTuple):
    """A rectangle of an image, in pixels; column and row 0 are its first ones."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Corrections:
    """What is done otherwise with one instance.

    Attributes
    ----------
    boxes:
        What is masked in every frame, and nothing else; ``None``: what the policy finds.
    redacted:
        Tags of elements that lose their value.
    kept:
        Tags of elements that keep their original value.
    """

    boxes: tuple[Box, ...] | None = None
    redacted: frozenset[int] = field(default_factory=frozenset)
    kept: frozenset[int] = field(default_factory=frozenset)


class CorrectedPixelsStage:
    """Masks a person's boxes, and leaves all other instances to the policy's stages.

    Parameters
    ----------
    corrections:
        By original SOP Instance UID.
    otherwise:
        What is done with pixels that nobody looked at.
    recompression:
        How compressed pixels are written.
    """

    def __init__(
        self,
        corrections: Mapping[str, Corrections],
        otherwise: Sequence[Stage] = (),
        recompression: Recompression = Recompression.RLE,
    ) -> None:
        self._corrections = corrections
        self._otherwise = otherwise
        self._recompression = recompression

    def apply(self, instance: Instance) -> None:
        """Mask.

        Raises
        ------
        CorrectionError
            If a box lies outside of the image.
        PixelsNotReadableError
            If pixels have to be masked and can't be.
        """
        correction = self._corrections.get(instance.original.sop_instance)
        if correction is None or correction.boxes is None:
            for stage in self._otherwise:
                stage.apply(instance)
            return
        if not any(element.tag == _PIXEL_DATA for element in instance.pixels):
            return
        if correction.boxes:
            self._mask(instance, correction.boxes)
        instance.elements[_BURNED_IN_ANNOTATION] = Element(_BURNED_IN_ANNOTATION, "CS", b"NO")
        instance.methods[PIXEL_CODE] = PIXEL_MEANING
        action = Action.CLEANED if correction.boxes else Action.KEPT
        instance.records.append(ElementRecord(f"{_PIXEL_DATA:08X}", _RULE, action))

    def _mask(self, instance: Instance, boxes: Sequence[Box]) -> None:
        # Looked up here: most instances have no box.
        from deid.pixels.frames import decoded, masked  # noqa: PLC0415

        picture = decoded(instance)
        rows, columns = int(picture.shown.shape[1]), int(picture.shown.shape[2])
        mask = np.zeros((rows, columns), np.bool_)
        for box in boxes:
            if box.left >= columns or box.top >= rows or min(box) < 0:
                raise CorrectionError("a box lies outside of the image: draw it again")
            mask[box.top : box.top + box.height, box.left : box.left + box.width] = True
        masked(instance, mask, picture, self._recompression)


class CorrectedTagsStage:
    """Redacts and keeps values as a person decided.

    Parameters
    ----------
    corrections:
        By original SOP Instance UID.
    """

    def __init__(self, corrections: Mapping[str, Corrections]) -> None:
        self._corrections = corrections

    def apply(self, instance: Instance) -> None:
        """Correct the elements.

        Raises
        ------
        CorrectionError
            If an element can't be redacted or kept; says which and why.
        """
        correction = self._corrections.get(instance.original.sop_instance)
        if correction is None:
            return
        if correction.kept:
            _keep_all(instance, sorted(correction.kept))
        for tag in sorted(correction.redacted):
            _redact(instance, tag)


def may_be_redacted(tag: int, vr: str) -> bool:
    """Whether a person may take this element's value away."""
    return vr in _REDACTED_VRS and tag not in _FIXED and tag >> 16 != _IMAGE_GROUP


def may_be_kept(tag: int, vr: str) -> bool:
    """Whether a person may keep this element's original value.

    Those are descriptors (PS3.15 section E.3.5) and attributes that Table E.1-1 does not have.
    """
    group = tag >> 16
    if group & 1 or group in (_PATIENT_GROUP, _IMAGE_GROUP) or tag in IDENTIFIERS | _FIXED:
        return False
    row = row_of(tag)
    return vr in _KEPT_VRS and (row is None or Option.CLEAN_DESCRIPTORS in row.options)


def vr_of(tag: int, found: str | None = None) -> str:
    """VR by the data dictionary, else the one found."""
    return dictionary_VR(tag) if dictionary_has_tag(tag) else found or "UN"


def _keep_all(instance: Instance, tags: Sequence[int]) -> None:
    header = instance.original.header
    encodings = encodings_of(header.text(_CHARACTER_SET))
    denied = denied_words(elements_of(header), encodings)
    for tag in tags:
        element = header.get(tag)
        if element is None or element.has_items:
            raise CorrectionError(f"{_named(tag)} is not there to be kept")
        words = map(folded, words_of(decoded_text(element, encodings)))
        if not denied.isdisjoint(words):
            raise CorrectionError(
                f"{_named(tag)} may not be kept: it has a name or number of the same header"
            )
        _keep(instance, tag, element)


def _keep(instance: Instance, tag: int, element: RawElement) -> None:
    vr = vr_of(tag, element.vr)
    if not may_be_kept(tag, vr):
        raise CorrectionError(f"{_named(tag)} may not be kept: it can identify somebody")
    instance.elements[tag] = Element(tag, vr, bytes(element.value))
    _record(instance, tag, Action.KEPT)


def _redact(instance: Instance, tag: int) -> None:
    element = instance.elements.get(tag)
    if element is None:
        return
    if not may_be_redacted(tag, element.vr):
        raise CorrectionError(f"{_named(tag)} can't be redacted: the image could not be read")
    kind = type_of(tag, instance.original.sop_class, None)
    action = _BY_TYPE.get(kind or "3", Action.REMOVED)
    if action is Action.REMOVED:
        del instance.elements[tag]
    else:
        value = dummy_value(element.vr, "") if action is Action.DUMMY else b""
        instance.elements[tag] = Element(tag, element.vr, value)
    _record(instance, tag, action)


def _record(instance: Instance, tag: int, action: Action) -> None:
    path = f"{tag:08X}"
    for at, record in enumerate(instance.records):
        if record.path == path:
            instance.records[at] = record._replace(rule=_RULE, action=action)
            return
    instance.records.append(ElementRecord(path, _RULE, action))


def _named(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
