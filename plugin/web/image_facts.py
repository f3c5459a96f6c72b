# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a display needs to know of an image besides its pixels, from Orthanc's simplified tags."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plugin.heatmaps.spacing import Spacing

Tags = Mapping[str, Any]

_PLANES = (
    ("PixelSpacing", "patient"),
    ("ImagerPixelSpacing", "detector"),
    ("NominalScannedPixelSpacing", "detector"),
)


@dataclass(frozen=True)
class Window:
    """A linear window in modality values (PS3.3 C.11.2.1.2)."""

    centre: float
    width: float
    name: str


def numbers(tags: Tags, keyword: str) -> tuple[float, ...]:
    """The finite numbers of an attribute; none where one of its values is not a number."""
    try:
        found = tuple(float(part) for part in _text(tags, keyword).split("\\"))
    except ValueError:
        return ()
    return found if all(math.isfinite(number) for number in found) else ()


def whole(tags: Tags, keyword: str, default: int) -> int:
    """The first integer of an attribute."""
    found = numbers(tags, keyword)
    return int(found[0]) if found else default


def windows(tags: Tags) -> list[Window]:
    """The windows that the header offers, the first one being the default."""
    centres, widths = numbers(tags, "WindowCenter"), numbers(tags, "WindowWidth")
    names = _text(tags, "WindowCenterWidthExplanation").split("\\")
    return [
        Window(centre, width, names[at] if at < len(names) else "")
        for at, (centre, width) in enumerate(zip(centres, widths, strict=False))
        if width >= 1
    ]


def spacing(tags: Tags) -> Spacing | None:
    """Distance of pixels; None where the header does not say (PS3.3 10.7.1.3)."""
    for holder in (tags, *_shared_measures(tags)):
        for keyword, plane in _PLANES:
            found = numbers(holder, keyword)
            if len(found) == 2 and min(found) > 0:
                return Spacing(found[0], found[1], plane)
    return None


def rescale(tags: Tags) -> tuple[float, float]:
    """Slope and intercept from stored to modality values (PS3.3 C.11.1.1.2)."""
    slope, intercept = numbers(tags, "RescaleSlope"), numbers(tags, "RescaleIntercept")
    return (slope[0] if slope and slope[0] else 1.0), (intercept[0] if intercept else 0.0)


def _shared_measures(tags: Tags) -> list[Tags]:
    groups = tags.get("SharedFunctionalGroupsSequence")
    if not isinstance(groups, list) or not groups:
        return []
    measures = groups[0].get("PixelMeasuresSequence")
    return measures[:1] if isinstance(measures, list) else []


def _text(tags: Tags, keyword: str) -> str:
    value = tags.get(keyword, "")
    return value if isinstance(value, str) else ""
