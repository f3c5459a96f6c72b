# SPDX-License-Identifier: AGPL-3.0-or-later
"""The regions of an image's findings as plain numbers.

They are the regions of the SR, the SEG and the presentation state: the same function finds them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from inference.contract import ClassProbability, FindingClass, ImageAnalysis
from plugin.heatmaps.spacing import Spacing
from plugin.results.polylines import area
from plugin.results.regions import LocatedFinding, Region, locate

_SAMPLES_PER_CELL = 4


@dataclass(frozen=True)
class ListedRegion:
    """One region.

    Attributes:
        peak: highest patch probability of the region.
        mean: mean of the interpolated probability inside the contour.
        box: (left, top, right, bottom) in pixels of the stored image, outer edges.
        contour: closed polyline, (column, row) in pixels of the stored image.
        area_mm2: None where the header gives no spacing.
    """

    finding: str
    name: str
    number: int
    peak: float
    mean: float
    box: tuple[float, float, float, float]
    contour: tuple[tuple[float, float], ...]
    area_pixels: float
    area_mm2: float | None

    def as_json(self) -> dict[str, object]:
        """Plain lists and numbers."""
        content = asdict(self)
        left, top, right, bottom = self.box
        content["box"] = {"left": left, "top": top, "right": right, "bottom": bottom}
        return content


def list_regions(
    pairs: Iterable[tuple[FindingClass, ClassProbability]],
    image: ImageAnalysis,
    spacing: Spacing | None,
) -> tuple[list[ListedRegion], dict[str, int]]:
    """Regions of the present findings, and how many more each finding has without an outline."""
    listed: list[ListedRegion] = []
    left_out: dict[str, int] = {}
    for finding, analysed in pairs:
        located = locate(finding, analysed, image)
        if located is None:
            continue
        listed += [_listed(located, region, spacing) for region in located.regions]
        if located.left_out:
            left_out[finding.key] = located.left_out
    return listed, left_out


def _listed(located: LocatedFinding, region: Region, spacing: Spacing | None) -> ListedRegion:
    outline = region.outline
    pixels = area(outline)
    (left, top), (right, bottom) = outline.min(axis=0), outline.max(axis=0)
    return ListedRegion(
        finding=region.finding.key,
        name=region.finding.name,
        number=region.number,
        peak=region.probability,
        mean=_mean_inside(located, outline, region.probability),
        box=(float(left), float(top), float(right), float(bottom)),
        contour=tuple((float(x), float(y)) for x, y in outline),
        area_pixels=pixels,
        area_mm2=pixels * spacing.row * spacing.column if spacing else None,
    )


def _mean_inside(located: LocatedFinding, outline: NDArray[np.float64], peak: float) -> float:
    field = located.field
    step = min(field.cell_width, field.cell_height) / _SAMPLES_PER_CELL
    (left, top), (right, bottom) = outline.min(axis=0), outline.max(axis=0)
    x, y = np.arange(left + step / 2, right, step), np.arange(top + step / 2, bottom, step)
    if not len(x) or not len(y):
        return peak
    picture = Image.new("1", (len(x), len(y)))
    corners = (outline - [left, top]) / step - 0.5
    ImageDraw.Draw(picture).polygon([(float(a), float(b)) for a, b in corners], fill=1)
    inside = np.asarray(picture, bool)
    return float(field.sample(x, y)[inside].mean()) if inside.any() else peak
