# SPDX-License-Identifier: Apache-2.0
"""The pixels that a line of writing covers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

_LETTER = 0.8


def _lengthened(corners: NDArray[np.float32]) -> NDArray[np.float32]:
    """A box with most of a letter more at both ends of its line.

    Detectors lose first and last letters where the ground below them changes.
    """
    along, across = corners[1] - corners[0], corners[3] - corners[0]
    long, short = float(np.linalg.norm(along)), float(np.linalg.norm(across))
    if short > long:
        corners = np.roll(corners, -1, axis=0)
        along, long, short = across, short, long
    if long <= 0.0:
        return corners
    # From the second corner back to the first, and from the third on to the fourth.
    step = along / long * (-_LETTER * short)
    return np.asarray(corners + np.stack([step, -step, -step, step]), np.float32)


def area_of(corners: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The pixels of a picture of ``shape`` that a line covers, its ends included."""
    return box_of(_lengthened(corners), shape)


def box_of(corners: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The pixels of a picture of ``shape`` inside of a box."""
    picture = Image.new("1", (shape[1], shape[0]))
    ImageDraw.Draw(picture).polygon([(float(x), float(y)) for x, y in corners], fill=1)
    return np.asarray(picture)
