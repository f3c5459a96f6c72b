# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a header says of how well an image serves to be read, beside its anatomy and its plane."""

from __future__ import annotations

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
    """

    presented: bool = True
    volume: bool = False
    modified: bool = False
    hands: int = 0
    taken: str = ""


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
        modified=any(view.get("ViewModifierCodeSequence") for view in _views(tags)),
        hands=("DERIVED" in kinds[:1]) + ("SECONDARY" in kinds[1:2]),
        taken=_taken(tags),
    )


def text(tags: Mapping[str, Any], name: str) -> str:
    """A value as text; empty where it is missing, or no text."""
    value = tags.get(name)
    return value.strip() if isinstance(value, str) else ""


def _views(tags: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    views = tags.get("ViewCodeSequence")
    return [one for one in views if isinstance(one, Mapping)] if isinstance(views, list) else []


def _taken(tags: Mapping[str, Any]) -> str:
    for names in _TIMES:
        if moment := "".join(text(tags, name) for name in names):
            return moment
    return ""
