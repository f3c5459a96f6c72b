# SPDX-License-Identifier: Apache-2.0
"""Which instances are documents or videos rather than still images of a body, by their header.

Nobody acquired them: a person or a program captured, scanned or drew them, so names stand where no
modality would put them, and in handwriting too.
"""

from __future__ import annotations

from enum import StrEnum

from deid.parsing import RawDataSet
from deid.policy import Documents, Policy
from deid.reading import Original
from deid.videos.syntaxes import is_video

_STORAGE = "1.2.840.10008.5.1.4.1.1."
_SECONDARY_CAPTURE = frozenset(_STORAGE + last for last in ("7", "7.1", "7.2", "7.3", "7.4"))
"""Secondary Capture Image Storage and its multi-frame forms (PS3.4 section B.5)."""
_ENCAPSULATED = frozenset(_STORAGE + last for last in ("104.1", "104.2"))
"""Encapsulated PDF and Encapsulated CDA; models (STL, OBJ) are no documents."""

_SLIDES = frozenset(_STORAGE + last for last in ("77.1.2", "77.1.3", "77.1.6"))
"""VL Microscopic, VL Slide-Coordinates Microscopic and VL Whole Slide Microscopy Image Storage."""

_MODALITY, _CONVERSION_TYPE = 0x00080060, 0x00080064
_LABEL_IN_IMAGE = 0x00480010
"""Specimen Label in Image (PS3.3 section C.8.12.4)."""
_IMAGE_TYPE, _BURNED_IN_ANNOTATION = 0x00080008, 0x00280301

_SCANNED = frozenset({"SD"})
"""Conversion Type (PS3.3 section C.8.6.1): scanned document."""
_CAPTURED = frozenset({"WSD", "SI", "DRW"})
"""Workstation, scanned image, drawing. Digitized film and video keep images of a body."""
_SCREEN_WORDS = ("SCREEN", "CAPTURE", "SNAPSHOT", "REPORT", "PROTOCOL", "DOSE_INFO")
"""What vendors write into the third and later values of Image Type (0008,0008)."""


class Kind(StrEnum):
    """What kind of document an instance is."""

    SECONDARY_CAPTURE = "secondary capture"
    SCANNED_FORM = "scanned form"
    SLIDE_LABEL = "slide label"
    """The label of a glass slide, printed or in handwriting, or a slide with its label."""
    ENCAPSULATED_DOCUMENT = "encapsulated document"
    VIDEO = "video"


def kind_of(original: Original) -> Kind | None:
    """The kind of document by the header; ``None`` for an image of a body.

    A secondary capture may still turn out to be a scanned form when its pixels are looked at.
    """
    header = original.header
    if is_video(original.transfer_syntax):
        return Kind.VIDEO
    if original.sop_class in _ENCAPSULATED:
        return Kind.ENCAPSULATED_DOCUMENT
    if shows_slide_label(original):
        return Kind.SLIDE_LABEL
    conversion = header.text(_CONVERSION_TYPE).strip().upper()
    capture = original.sop_class in _SECONDARY_CAPTURE
    # DOC is the modality of documents (PS3.3 section C.7.3.1.1.1).
    if conversion in _SCANNED or (capture and header.text(_MODALITY).strip().upper() == "DOC"):
        return Kind.SCANNED_FORM
    if capture or conversion in _CAPTURED or _says_captured(header):
        return Kind.SECONDARY_CAPTURE
    return None


def shows_slide_label(original: Original) -> bool:
    """Whether an image of a glass slide shows its label, by Image Type and what it says itself.

    An overview shows the whole slide, label included, unless its header says NO.
    """
    if original.sop_class not in _SLIDES:
        return False
    said = original.header.text(_LABEL_IN_IMAGE).strip().upper()
    flavours = [part.strip().upper() for part in original.header.text(_IMAGE_TYPE).split("\\")]
    return said == "YES" or "LABEL" in flavours or ("OVERVIEW" in flavours and said != "NO")


def decision_for(policy: Policy, kind: Kind) -> Documents:
    """What the policy does to a kind."""
    return {
        Kind.SECONDARY_CAPTURE: policy.secondary_captures,
        Kind.SCANNED_FORM: policy.scanned_forms,
        Kind.SLIDE_LABEL: policy.scanned_forms,
        Kind.ENCAPSULATED_DOCUMENT: policy.encapsulated_documents,
        Kind.VIDEO: policy.videos,
    }[kind]


def _says_captured(header: RawDataSet) -> bool:
    """Whether Image Type, or Burned In Annotation of a secondary image, tells of a screen."""
    values = [part.strip().upper() for part in header.text(_IMAGE_TYPE).split("\\")]
    if values[1:2] != ["SECONDARY"]:
        return False
    burned_in = header.text(_BURNED_IN_ANNOTATION).strip().upper() == "YES"
    return burned_in or any(word in value for value in values[2:] for word in _SCREEN_WORDS)
