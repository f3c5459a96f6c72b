# SPDX-License-Identifier: AGPL-3.0-or-later
"""The convex hull of an area of pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.spatial import ConvexHull, QhullError


def convex_hull(area: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels inside the convex hull of the marked pixels' centres; a line stays as it is."""
    points = np.argwhere(area)
    try:
        corners = points[ConvexHull(points).vertices]
    except (QhullError, ValueError):
        return area.copy()
    picture = Image.new("1", (area.shape[1], area.shape[0]))
    ImageDraw.Draw(picture).polygon([(int(x), int(y)) for y, x in corners], fill=1, outline=1)
    return np.asarray(picture, bool) | area
