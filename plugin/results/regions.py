# SPDX-License-Identifier: AGPL-3.0-or-later
"""Regions of a finding: connected cells of its finest map, outlined on the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from contourpy import contour_generator
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from inference.contract import ClassProbability, FindingClass, ImageAnalysis
from plugin.results.objects import ResultBuildError
from plugin.results.polylines import Points, area, simplify
from plugin.results.probability_field import Floats, ProbabilityField

SAMPLES_PER_CELL = 4
MOST_POINTS = 100
MOST_REGIONS = 20
"""Outlines per finding; the segmentation shows all, the report says how many it leaves out."""

_SUBPIXEL = 64.0


@dataclass(frozen=True)
class Region:
    """One connected region of one finding.

    Attributes:
        number: counts from 1 within the finding, highest probability first.
        probability: highest patch probability in the region.
        outline: closed polyline ``(n, 2)`` of (column, row), inside the image.
    """

    finding: FindingClass
    number: int
    probability: float
    outline: Points


@dataclass(frozen=True)
class LocatedFinding:
    """A present finding with the field it was found in.

    Attributes:
        left_out: regions beyond ``MOST_REGIONS`` that have no outline.
    """

    finding: FindingClass
    field: ProbabilityField
    regions: tuple[Region, ...]
    left_out: int


def locate(
    finding: FindingClass, analysed: ClassProbability, image: ImageAnalysis
) -> LocatedFinding | None:
    """Find and outline the regions of one finding.

    Cells belong together when they share an edge. A region that interpolation shrinks to less than
    half of its cells is outlined by its cells: the map can't say more than that.

    Returns:
        None where the finding isn't present, has no map, or no cell reaches the patch threshold
        inside the image.
    """
    if not analysed.present or not analysed.maps:
        return None
    values = np.nan_to_num(analysed.maps[max(analysed.maps)].array())
    hot = values >= np.float32(finding.patch_threshold)
    floor = np.zeros(values.shape, bool)
    field = ProbabilityField(values, image.extent, finding.patch_threshold, floor)
    canvas = _Canvas(field, image.rows, image.columns)
    hot &= canvas.visible_cells()
    labels, count = ndimage.label(hot)
    if count == 0:
        return None
    peaks = ndimage.maximum(values, labels, np.arange(1, count + 1))
    order = np.argsort(-peaks, kind="stable") + 1
    regions = []
    for number, label in enumerate(order[:MOST_REGIONS], start=1):
        cells = labels == label
        outline, by_cells = canvas.outline(cells, hot)
        if by_cells:
            floor |= cells
        regions.append(Region(finding, number, float(peaks[label - 1]), outline))
    floor |= np.isin(labels, order[MOST_REGIONS:])
    return LocatedFinding(finding, field, tuple(regions), max(0, count - MOST_REGIONS))


@dataclass(frozen=True)
class _Canvas:
    """The part of the image that the map covers."""

    field: ProbabilityField
    rows: int
    columns: int

    def visible_cells(self) -> NDArray[np.bool_]:
        """Cells that overlap the image; a letterboxed map has others."""
        extent, field = self.field.extent, self.field
        left = extent.left + np.arange(field.values.shape[1], dtype=np.float64) * field.cell_width
        top = extent.top + np.arange(field.values.shape[0], dtype=np.float64) * field.cell_height
        across = _overlaps(left, field.cell_width, self.columns)
        down = _overlaps(top, field.cell_height, self.rows)
        return np.outer(down, across)

    def outline(self, cells: NDArray[np.bool_], hot: NDArray[np.bool_]) -> tuple[Points, bool]:
        """Outline of one region, and whether it had to follow the cells."""
        tolerance = min(self.field.cell_width, self.field.cell_height) / 64
        smooth = self._smooth(cells, hot)
        by_cells = self._by_cells(cells)
        shrunk = smooth is None or area(smooth) < area(by_cells) / 2
        chosen = by_cells if shrunk or smooth is None else smooth
        return self._on_image(simplify(chosen, tolerance, MOST_POINTS)), shrunk

    def _smooth(self, cells: NDArray[np.bool_], hot: NDArray[np.bool_]) -> Points | None:
        threshold = self.field.threshold
        alone = self.field.values.copy()
        alone[hot & ~cells] = np.float32(threshold - 1e-3)
        field = ProbabilityField(alone, self.field.extent, threshold, np.zeros_like(cells))
        x, y = self._grid(cells, np.arange(SAMPLES_PER_CELL) / SAMPLES_PER_CELL, margin=1)
        return _largest_contour(x, y, field.sample(x, y), threshold)

    def _by_cells(self, cells: NDArray[np.bool_]) -> Points:
        # Two samples close to each side of every cell edge put the contour on the edge.
        x, y = self._grid(cells, np.array([1e-4, 1 - 1e-4]), margin=0)
        inside = self.field.sample_cells(cells, x, y).astype(np.float32)
        contour = _largest_contour(x, y, inside, 0.5)
        if contour is None:
            raise ResultBuildError("the extent of the probability map has no area on the image")
        return contour

    def _grid(self, cells: NDArray[np.bool_], steps: Floats, margin: int) -> tuple[Floats, Floats]:
        extent, field = self.field.extent, self.field
        across = _positions(np.any(cells, axis=0), steps, margin)
        down = _positions(np.any(cells, axis=1), steps, margin)
        x = _within(
            extent.left + across * field.cell_width, extent.left, extent.right, self.columns
        )
        y = _within(extent.top + down * field.cell_height, extent.top, extent.bottom, self.rows)
        return x, y

    def _on_image(self, outline: Points) -> Points:
        # 1/64 pixel is exact in the 32-bit floats of Graphic Data for any image size.
        fine = np.round(outline * _SUBPIXEL) / _SUBPIXEL
        return np.clip(fine, 0, [self.columns, self.rows])


def _overlaps(start: Floats, size: float, length: int) -> NDArray[np.bool_]:
    # A sliver of a cell has no outline that 32-bit coordinates could hold.
    sliver = 0.01 * size
    return (start < length - sliver) & (start + size > sliver)


def _positions(used: ArrayLike, steps: Floats, margin: int) -> Floats:
    """Sample positions, in cells, over the used span and ``margin`` cells around it."""
    index = np.flatnonzero(used)
    cells = np.arange(index[0] - margin, index[-1] + 1 + margin, dtype=float)
    inner = (cells[:, None] + steps).ravel()
    return np.append(inner, cells[-1] + 1)


def _within(position: Floats, start: float, end: float, size: int) -> Floats:
    return np.unique(np.clip(position, max(0.0, start), min(float(size), end)))


def _largest_contour(
    x: Floats, y: Floats, values: NDArray[np.float32], level: float
) -> Points | None:
    """The longest way round at ``level``; what touches the border is closed along the border."""
    ringed = np.pad(values.astype(float), 1, constant_values=level - 1)
    lines = contour_generator(x=_ends_twice(x), y=_ends_twice(y), z=ringed).lines(level)
    closed = [_closed(np.asarray(line, np.float64)) for line in lines if len(line) > 2]
    best = max(closed, key=area, default=None)
    return best if best is not None and area(best) > 0 else None


def _ends_twice(position: Floats) -> Floats:
    return np.concatenate([position[:1], position, position[-1:]])


def _closed(line: Points) -> Points:
    return np.vstack([line, line[:1]])
