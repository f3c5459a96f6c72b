# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a header says of how well an image serves to be read, and of what makes two series alike."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_PROJECTIONS = frozenset({"CR", "DX", "MG"})
_VOLUMES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.13.1.3",  # Breast Tomosynthesis Image Storage
        "1.2.840.10008.5.1.4.1.1.13.1.1",  # X-Ray 3D Angiographic Image Storage
        "1.2.840.10008.5.1.4.1.1.2",  # CT Image Storage, in which tomosynthesis is kept, too
        "1.2.840.10008.5.1.4.1.1.2.1",  # Enhanced CT Image Storage
    }
)
_WORD = re.compile(r"[^\W_]+")
_PLANES = frozenset(
    [
        "ax",
        "axial",
        "tra",
        "trans",
        "transverse",
        "transversal",
        "cor",
        "coronal",
        "koronar",
        "sag",
        "sagittal",
    ]
)
"""Words for what Image Orientation (Patient) says better."""
_TIMES = (
    ("AcquisitionDateTime",),
    ("AcquisitionDate", "AcquisitionTime"),
    ("ContentDate", "ContentTime"),
    ("SeriesDate", "SeriesTime"),
)


@dataclass(frozen=True)
class Details:
    """What is known of one image, or of the first of a series.

    Attributes:
        presented: Presentation Intent Type (0008,0068) is not FOR PROCESSING: the values are made
            to be looked at.
        volume: tomosynthesis, among projections.
        modified: a magnification, a spot compression, an implant pushed aside: the view has a
            View Modifier Code Sequence (0054,0222), PS3.3 C.8.11.7.
        hands: 0 for an original image, one more for each of DERIVED and SECONDARY (Image Type,
            PS3.3 C.7.6.1.1.2).
        taken: date and time, to compare; empty where none is said.
        words: of Series Description (0008,103E), but for the plane.
        kernel: Convolution Kernel (0018,1210); empty where none is said.
        thickness: Slice Thickness (0018,0050) in mm; this and the times are 0 where none is said.
        echo_time, repetition_time, inversion_time: of an MR sequence, in ms.
    """

    presented: bool = True
    volume: bool = False
    modified: bool = False
    hands: int = 0
    taken: str = ""
    words: frozenset[str] = frozenset()
    kernel: str = ""
    thickness: float = 0.0
    echo_time: float = 0.0
    repetition_time: float = 0.0
    inversion_time: float = 0.0


UNSAID = Details()
"""Of a header that says none of it."""


def details(tags: Mapping[str, Any]) -> Details:
    """Details of an image.

    Args:
        tags: by keyword, several values parted by backslashes, sequences as lists of the same
            (Orthanc's ``simplified-tags``).
    """
    kinds = [part.strip() for part in text(tags, "ImageType").upper().split("\\")]
    frames = text(tags, "NumberOfFrames")
    many = frames.isdigit() and int(frames) > 1
    projection = text(tags, "Modality") in _PROJECTIONS
    return Details(
        presented=text(tags, "PresentationIntentType").upper() != "FOR PROCESSING",
        volume=projection and (many or text(tags, "SOPClassUID") in _VOLUMES),
        modified=any(
            view.get("ViewModifierCodeSequence") for view in _items(tags, "ViewCodeSequence")
        ),
        hands=("DERIVED" in kinds[:1]) + ("SECONDARY" in kinds[1:2]),
        taken=_taken(tags),
        words=frozenset(_WORD.findall(text(tags, "SeriesDescription").casefold())) - _PLANES,
        kernel=text(tags, "ConvolutionKernel").casefold(),
        thickness=_number(tags, "SliceThickness") or _number(_measures(tags), "SliceThickness"),
        echo_time=_number(tags, "EchoTime"),
        repetition_time=_number(tags, "RepetitionTime"),
        inversion_time=_number(tags, "InversionTime"),
    )


def text(tags: Mapping[str, Any], name: str) -> str:
    """A value as text; empty where it is missing, or no text."""
    value = tags.get(name)
    return value.strip() if isinstance(value, str) else ""


def _number(tags: Mapping[str, Any], name: str) -> float:
    """A positive number; 0 where it is missing, or none."""
    try:
        value = float(text(tags, name))
    except ValueError:
        return 0.0
    return value if 0 < value < math.inf else 0.0


def _items(tags: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    items = tags.get(name)
    return [one for one in items if isinstance(one, Mapping)] if isinstance(items, list) else []


def _measures(tags: Mapping[str, Any]) -> Mapping[str, Any]:
    """Pixel Measures of a multi-frame image (PS3.3 C.7.6.16.2.1)."""
    shared = _items(tags, "SharedFunctionalGroupsSequence")
    measures = _items(shared[0], "PixelMeasuresSequence") if shared else []
    return measures[0] if measures else {}


def _taken(tags: Mapping[str, Any]) -> str:
    for names in _TIMES:
        if moment := "".join(text(tags, name) for name in names):
            return moment
    return ""
