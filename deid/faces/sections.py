# SPDX-License-Identifier: Apache-2.0
"""Areas of the patient: in axial sections, and where the sides of the volume cut him off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy.ndimage import distance_transform_edt

from deid.faces.grid import Floats, Mask, Volume

UP: Final = (0.0, 0.0, 1.0)
ASIDE: Final = ((1.0, 0.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, -1.0, 0.0))
_TRUNK_CM2, _RADIUS_MM, _EVERY_MM = 330.0, 70.0, 10.0
_PADDING_HU, _FULL = -1200.0, 0.95


def cut_cm2(inside: Mask, coarse: Volume, direction: Sequence[float]) -> float:
    """Area of the patient in the side of the volume that looks most in a direction."""
    axis, end = coarse.faces_towards(direction)
    return float(np.take(inside, end, axis=axis).sum()) * _section_cm2(coarse, axis)


def is_trunk(inside: Mask, coarse: Volume) -> bool:
    """Whether all axial sections are larger than a head's, and not by a table or a cushion.

    What is thinner than 14 cm counts for nothing: a table beside a head makes no trunk of it.
    """
    axis, _ = coarse.faces_towards(UP)
    sections = np.moveaxis(inside, axis, 0)
    one = _section_cm2(coarse, axis)
    if float(sections.sum(axis=(1, 2)).min()) * one <= _TRUNK_CM2:
        return False
    spacing = np.delete(coarse.spacing, axis)
    step = max(1, round(_EVERY_MM / float(coarse.spacing[axis])))
    areas = [_thick(section, spacing) for section in sections[::step]]
    return min(areas) * one > _TRUNK_CM2


def no_air_seen(inside: Mask, coarse: Volume, modality: str) -> bool:
    """Whether nearly all is taken for the patient, so that air can't be told from him.

    So it is where values of CT are no Hounsfield units, where MR is inverted or its air is full of
    noise, and where a trunk fills the field of view.
    """
    counted = np.ones_like(inside) if modality == "MR" else coarse.values > _PADDING_HU
    return bool(inside[counted].mean() > _FULL) if counted.any() else True


def _thick(section: Mask, spacing: Floats) -> int:
    """How many pixels the section has when opened by a disc."""
    padded = np.pad(section, 1)
    core = distance_transform_edt(padded, sampling=spacing) > _RADIUS_MM
    if not core.any():
        return 0
    return int((distance_transform_edt(~core, sampling=spacing) <= _RADIUS_MM).sum())


def _section_cm2(coarse: Volume, axis: int) -> float:
    others = [at for at in range(3) if at != axis]
    cross = np.cross(coarse.axes[:, others[0]], coarse.axes[:, others[1]])
    return float(np.linalg.norm(cross)) / 100.0
