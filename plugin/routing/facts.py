# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a scan category asks of a series besides its anatomy, read from one image's header."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from inference.contract import AnatomyAnswer
from plugin.routing.contrast import names_agent
from plugin.subject import of_no_patient

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Orientation = Literal["axial", "coronal", "sagittal", "oblique", "none"]

_CLEARLY = 0.8
"""Cosine between a plane's normal and an axis from which the plane is named after it: 37 degrees,
so that the gantry's tilt (at most 30) and the usual angulation of MR stay axial."""
_NORMALS: tuple[Orientation, ...] = ("sagittal", "coronal", "axial")
_SEQUENCES = (
    "SharedFunctionalGroupsSequence",
    "PlaneOrientationSequence",
    "ContrastBolusAgentSequence",
)
_PER_FRAME = "PerFrameFunctionalGroupsSequence"
_FRAMES = 100
"""Frames that are asked where each says its own orientation, evenly spread over the image."""
_TEXTS = ("ImageType", "ContrastBolusAgent", "NumberOfFrames", "ImageOrientationPatient")


@dataclass(frozen=True)
class SeriesFacts:
    """What is known of one series.

    Attributes:
        slices: images, or frames of one multi-frame image; None while the series still grows.
        contrast: whether a header names a contrast agent.
        orientation: of the image planes; "none" for projections.
        no_patient: what it is of, where that is no patient; see ``plugin.subject``.
    """

    anatomy: AnatomyAnswer
    slices: int | None
    contrast: bool
    orientation: Orientation
    localizer: bool
    derived: bool
    no_patient: str = ""


def facts(anatomy: AnatomyAnswer, tags: Mapping[str, Any], images: int | None) -> SeriesFacts:
    """Facts of a series.

    Args:
        anatomy: what counts as its anatomy.
        tags: of one of its images by keyword, several values parted by backslashes, sequences as
            lists of the same (Orthanc's ``simplified-tags``).
        images: how many there are; None while the series still grows.
    """
    kinds = [part.strip().upper() for part in _text(tags, "ImageType").split("\\")]
    frames = _text(tags, "NumberOfFrames").strip()
    slices = images * max(1, int(frames)) if images and frames.isdigit() else images
    return SeriesFacts(
        anatomy=anatomy,
        slices=slices,
        contrast=_contrast(tags),
        orientation=_orientation(tags),
        # Image Type, PS3.3 C.7.6.1.1.2; value 3 of CT (C.8.2.1.1.1) and MR (C.8.3.1.1.1).
        localizer="LOCALIZER" in kinds[2:],
        derived="DERIVED" in kinds[:1] or "SECONDARY" in kinds[1:2],
        no_patient=of_no_patient(tags),
    )


def tags_of(header: Dataset) -> dict[str, Any]:
    """The few tags that ``facts`` reads, of a header that pydicom has read."""
    found: dict[str, Any] = {}
    for name in _TEXTS:
        value = header.get(name)
        if value is not None:
            many = not isinstance(value, str) and isinstance(value, Sequence)
            found[name] = "\\".join(map(str, value)) if many else str(value)
    for name in _SEQUENCES:
        if header.get(name):
            found[name] = [tags_of(item) for item in header[name].value]
    frames = header.get(_PER_FRAME)
    if frames and not _plane(found):
        found[_PER_FRAME] = [tags_of(item) for item in frames[:: -(-len(frames) // _FRAMES)]]
    return found


def _text(tags: Mapping[str, Any], name: str) -> str:
    value = tags.get(name)
    return value if isinstance(value, str) else ""


def _contrast(tags: Mapping[str, Any]) -> bool:
    """Contrast/Bolus Agent, or its sequence of enhanced images (PS3.3 C.7.6.4, C.7.6.4b)."""
    agent = _text(tags, "ContrastBolusAgent")
    return names_agent(agent) or bool(tags.get("ContrastBolusAgentSequence"))


def _orientation(tags: Mapping[str, Any]) -> Orientation:
    """Of the image; of enhanced images by their functional groups (PS3.3 C.7.6.16.2.4).

    Where each frame says its own, most frames decide.
    """
    plane = _plane(tags)
    if plane:
        return orientation_of(plane)
    frames = Counter(orientation_of(_plane(frame)) for frame in _items(tags, _PER_FRAME))
    return frames.most_common(1)[0][0] if frames else "none"


def _plane(tags: Mapping[str, Any]) -> str:
    """Of an image, of all its frames, or of one of its frames."""
    shared = _first(tags, "SharedFunctionalGroupsSequence")
    groups = (tags, *(_first(one, "PlaneOrientationSequence") for one in (shared, tags)))
    return next(filter(None, (_text(one, "ImageOrientationPatient") for one in groups)), "")


def _items(tags: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    items = tags.get(name)
    return [one for one in items if isinstance(one, Mapping)] if isinstance(items, list) else []


def _first(tags: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return next(iter(_items(tags, name)), {})


def orientation_of(text: str) -> Orientation:
    """Image Orientation (Patient), PS3.3 C.7.6.2.1.1: direction cosines of rows and columns.

    Args:
        text: six numbers, parted by backslashes; of anything else the orientation is none.
    """
    try:
        a, b, c, d, e, f = (float(part) for part in text.split("\\"))
    except ValueError:
        return "none"
    normal = (abs(b * f - c * e), abs(c * d - a * f), abs(a * e - b * d))
    highest = max(normal)
    return _NORMALS[normal.index(highest)] if highest >= _CLEARLY else "oblique"
