# SPDX-License-Identifier: Apache-2.0
"""How a head is turned: a face is drawn only where the orientation says that it is."""

from __future__ import annotations

import numpy as np

from deid.faces.grid import Floats, Volume
from deid.faces.surface import ANGLES, Cylinder, skin_of

_MOST_TURNED = 40.0
"""Degrees; at 60 a cheek of phantom heads keeps its surface."""
_ROUND = 1.05
_FACE, _AHEAD = (0.30, 1.05), np.radians(45.0)
_HIGHEST_TIP = 0.54
"""Lengths of the head from the vertex to the tip of the nose: about 0.78, and less the more the
chin is lifted. At 30 degrees the brows lie where no face is drawn."""
_NEAR_TIP_MM = 3.0


def why_not_treated(body: Volume, places: Floats, cylinder: Cylinder) -> str:
    """Why the head is in no position in which its face can be drawn; empty if it is in one.

    Parameters
    ----------
    body:
        Above 0.5 where the patient is.
    places:
        ``(n, 3)``, the patient's voxels in patient coordinates.
    cylinder:
        Around the head.
    """
    height = (cylinder.vertex - places[:, 2]) / cylinder.length
    if not _faces_ahead(places[(height > 0.74) & (height < 0.86)], cylinder):
        return "the face is not where the orientation of the image says"
    if _turned(places[(height > 0.25) & (height < 0.50)]) > _MOST_TURNED:
        return "the head is turned aside"
    if _height_of_tip(body, cylinder) < _HIGHEST_TIP:
        return "the chin is lifted too far"
    return ""


def _faces_ahead(mouth: Floats, cylinder: Cylinder) -> bool:
    """A face stands out further in front of the axis than the nape does behind it."""
    if len(mouth) < 50:
        return True
    off = mouth[:, 1] - cylinder.axis[1]
    front, back = -float(np.percentile(off, 0.5)), float(np.percentile(off, 99.5))
    return front >= back - 4.0


def _turned(braincase: Floats) -> float:
    """Degrees between the length of the braincase and the direction to the front; 0 if round."""
    if len(braincase) < 50:
        return 0.0
    sizes, axes = np.linalg.eigh(np.cov(braincase[:, :2].T))
    if np.sqrt(sizes[1] / max(float(sizes[0]), 1e-6)) < _ROUND:
        return 0.0
    return float(np.degrees(np.arctan2(abs(axes[0, 1]), abs(axes[1, 1]))))


def _height_of_tip(body: Volume, cylinder: Cylinder) -> float:
    """Lengths of the head from the vertex to what stands out most in front."""
    skin = skin_of(body, cylinder)
    down = cylinder.levels / cylinder.length
    face = skin[(down > _FACE[0]) & (down < _FACE[1])][:, np.abs(ANGLES) < _AHEAD]
    forward = face * np.cos(ANGLES[np.abs(ANGLES) < _AHEAD])
    tips = forward.max(axis=1)
    near = tips >= tips.max() - _NEAR_TIP_MM
    return float(down[(down > _FACE[0]) & (down < _FACE[1])][near].mean())
