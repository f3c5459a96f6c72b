# SPDX-License-Identifier: AGPL-3.0-or-later
"""How far a place on an image is from where the model itself draws the line.

Worked out from the model's map alone, without any code that makes results: the map is bilinear
between its cells' centres, and the line is where it equals the threshold.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from inference.contract import ImageAnalysis

_STEP = 0.25


class ModelMap:
    """The probability map of one class, in DICOM's pixel coordinates (PS3.3 C.18.6.1.1)."""

    def __init__(self, image: ImageAnalysis, class_key: str, threshold: float) -> None:
        (said,) = [one for one in image.classes if one.key == class_key]
        self._values = said.maps[max(said.maps)].array().astype(float)
        self._extent = image.extent
        self._size = np.array([image.columns, image.rows], float)
        self._threshold = threshold

    def distances(self, points: np.ndarray) -> np.ndarray:
        """Pixels between each of the points ``(n, 2)`` (column, row) and the line, to first order.

        Along the border of the image, where an outline must end, inside is near enough.
        """
        over = self._at(points) - self._threshold
        across = self._slope(points, np.array([_STEP, 0.0]))
        down = self._slope(points, np.array([0.0, _STEP]))
        distance = np.abs(over) / np.maximum(np.hypot(across, down), 1e-12)
        at_border = (np.minimum(points, self._size - points) < _STEP).any(axis=1)
        return np.where(at_border & (over > 0), 0.0, distance)

    def inside(self) -> np.ndarray:
        """Whether the centre of each pixel reaches the threshold, ``(rows, columns)``."""
        columns, rows = self._size.astype(int)
        return (self._at(pixel_centres(rows, columns)) >= self._threshold).reshape(rows, columns)

    def _slope(self, points: np.ndarray, step: np.ndarray) -> np.ndarray:
        slope: np.ndarray = (self._at(points + step) - self._at(points - step)) / (2 * _STEP)
        return slope

    def _at(self, points: np.ndarray) -> np.ndarray:
        extent, (height, width) = self._extent, self._values.shape
        x = (points[:, 0] - extent.left) / (extent.right - extent.left) * width - 0.5
        y = (points[:, 1] - extent.top) / (extent.bottom - extent.top) * height - 0.5
        x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
        left, top = np.minimum(x.astype(int), width - 2), np.minimum(y.astype(int), height - 2)
        x, y, v = x - left, y - top, self._values
        upper = v[top, left] * (1 - x) + v[top, left + 1] * x
        lower = v[top + 1, left] * (1 - x) + v[top + 1, left + 1] * x
        blended: np.ndarray = upper * (1 - y) + lower * y
        return blended


def pixel_centres(rows: int, columns: int) -> np.ndarray:
    """Centres of all pixels, row after row, ``(rows * columns, 2)`` of (column, row)."""
    y, x = np.mgrid[:rows, :columns] + 0.5
    return np.column_stack([x.ravel(), y.ravel()])


def mask_error(maps: Iterable[ModelMap], mask: np.ndarray) -> float:
    """Pixels between the line and the farthest pixel that a mask has wrong; 0 if none is.

    Args:
        maps: of all classes that the mask shows together.
        mask: ``(rows, columns)``, whether a pixel is marked.
    """
    known = list(maps)
    wanted = np.any([one.inside() for one in known], axis=0)
    wrong = (wanted != mask).ravel()
    if not wrong.any():
        return 0.0
    centres = pixel_centres(*mask.shape)[wrong]
    return float(np.min([one.distances(centres) for one in known], axis=0).max())
