# SPDX-License-Identifier: AGPL-3.0-or-later
"""Closed polylines: area and simplification."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


def area(closed: Points) -> float:
    """Enclosed area of a closed polyline ``(n, 2)`` whose last point repeats the first."""
    x, y = closed[:, 0], closed[:, 1]
    return abs(float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))) / 2


def simplify(closed: Points, tolerance: float, most: int) -> Points:
    """Leave out points that lie within ``tolerance`` of the line without them.

    The tolerance doubles until at most ``most`` points are left (Douglas and Peucker, Cartographica
    10(2), 1973).

    Returns:
        A closed polyline, ``(4 ... most, 2)``, through points of the input.
    """
    while True:
        kept = _douglas_peucker(closed, tolerance)
        if len(kept) <= most:
            return kept
        tolerance *= 2


def _douglas_peucker(closed: Points, tolerance: float) -> Points:
    # A closed line has no far ends; the point farthest from the first one makes two open halves.
    far = int(np.argmax(np.sum((closed - closed[0]) ** 2, axis=1)))
    last = len(closed) - 1
    keep = np.zeros(len(closed), bool)
    keep[[0, far, last]] = True
    open_spans = [(0, far), (far, last)]
    while open_spans:
        start, end = open_spans.pop()
        if end - start < 2:
            continue
        distance = _distance(closed[start + 1 : end], closed[start], closed[end])
        worst = int(np.argmax(distance))
        if distance[worst] > tolerance:
            middle = start + 1 + worst
            keep[middle] = True
            open_spans += [(start, middle), (middle, end)]
    if keep.sum() < 4:
        keep[_farthest_from_line(closed, far)] = True
    return closed[keep]


def _distance(points: Points, start: Points, end: Points) -> NDArray[np.float64]:
    along: Points = end - start
    length = float(np.hypot(*along))
    offset: Points = points - start
    if length == 0:
        return np.hypot(offset[:, 0], offset[:, 1])
    across: NDArray[np.float64] = np.abs(along[0] * offset[:, 1] - along[1] * offset[:, 0])
    return across / length


def _farthest_from_line(closed: Points, far: int) -> int:
    return int(np.argmax(_distance(closed, closed[0], closed[far])))
