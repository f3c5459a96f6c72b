# SPDX-License-Identifier: Apache-2.0
"""How a head is turned: a face is drawn only where the orientation says that it is."""

from __future__ import annotations

import numpy as np

from deid.faces.grid import Floats, Volume
from deid.faces.surface import ANGLES, HEIGHT_MM, Cylinder, skin_of

_MOST_TURNED = 40.0
"""Degrees; at 60 a cheek of phantom heads keeps its surface."""
_ROUND = 1.05
_HIGHEST_TIP = 0.54
"""Lengths of the head from the vertex to the tip of the nose: about 0.76, and less the more the
chin is lifted. At 25 degrees the brows lie where no face is drawn."""
_AHEAD, _FOREHEAD, _MOUTH = np.radians(45.0), (0.34, 0.46), (0.70, 0.96)
_UNDERSIDE_MM, _BELOW_TIP_MM, _BEHIND_MM = 8.0, 15.0, 1.0


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
    down, forward = _profile(body, cylinder)
    if _height_of_tip(down, forward) < _HIGHEST_TIP:
        return "the chin is lifted too far"
    if _nods(down, forward):
        return "the head is bent forward too far"
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


def _profile(body: Volume, cylinder: Cylinder) -> tuple[Floats, Floats]:
    """mm from the axis to what stands out most at each level; levels in lengths of the head."""
    ahead = np.abs(ANGLES) < _AHEAD
    return cylinder.levels / cylinder.length, skin_of(body, cylinder)[:, ahead].max(axis=1)


def _height_of_tip(down: Floats, forward: Floats) -> float:
    """Level of the nose: the uppermost below which the face falls back; infinite if none is seen.

    Where the nose doesn't stand out, it is the chin's.
    """
    reach = round(_BELOW_TIP_MM / HEIGHT_MM)
    for at in range(1, len(forward) - reach):
        below = forward[at + 1 : at + reach + 1]
        peak = forward[at] >= max(forward[at - 1], below.max())
        if peak and below.min() > 0 and forward[at] - below.min() >= _UNDERSIDE_MM:
            return float(down[at])
    return np.inf


def _nods(down: Floats, forward: Floats) -> bool:
    """Whether nose and mouth lie behind the forehead."""
    forehead = forward[(down > _FOREHEAD[0]) & (down < _FOREHEAD[1])]
    mouth = forward[(down > _MOUTH[0]) & (down < _MOUTH[1])]
    if not (forehead > 0).all() or not (mouth > 0).all():
        return False
    return bool(mouth.max() < forehead.max() - _BEHIND_MM)
