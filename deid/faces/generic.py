# SPDX-License-Identifier: Apache-2.0
"""A face that is nobody's: the mean of many and their principal modes, newly weighted."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
from safetensors.numpy import load
from scipy.ndimage import gaussian_filter, map_coordinates, maximum_filter

from deid.faces.grid import Floats
from deid.faces.surface import ANGLES, Cylinder

MODEL = "generic_face.safetensors"
LEVELS = np.linspace(0.20, 1.56, 69)
"""Levels of the model in lengths of the head below the vertex."""
MODEL_ANGLES = np.radians(np.arange(-96.0, 97.0, 4.0))
_THICKNESS_MM, _UNEVEN_MM, _BLUR = 13.0, 3.0, (5.0, 4.0)
_MOST_LIFT_MM, _NEAREST_MM, _AROUND, _LIFTS = 6.0, 12.0, 7, 4


class GenericFace(NamedTuple):
    """The model.

    Attributes
    ----------
    mean:
        ``(levels, angles)``, distance from the axis in lengths of the head.
    modes:
        ``(modes, levels, angles)``, each with the standard deviation of its weight.
    """

    mean: Floats
    modes: Floats


@cache
def generic_face() -> GenericFace:
    """The model that comes with the package; ``deid.faces.training`` makes it."""
    tensors = load((files("deid.faces") / "data" / MODEL).read_bytes())
    return GenericFace(tensors["mean"].astype(np.float64), tensors["modes"].astype(np.float64))


def drawn(cylinder: Cylinder, skin: Floats, counted: Floats, rng: np.random.Generator) -> Floats:
    """A new face for a head.

    Its form is the model's with random weights. All that it takes from the head are four numbers:
    its girth, how that changes from brow to chin and from front to side, and how far the face
    stands out from what these describe. It lies an uneven layer of about 13 mm above that, and
    where it still came near the old face it is lifted off, with no feature smaller than 3 cm.

    Parameters
    ----------
    cylinder:
        Where the rays start.
    skin:
        ``(levels, angles)``, mm from the axis to the skin, 0 where there is none.
    counted:
        ``(levels, angles)``, how much each ray counts for girth and taper.
    rng:
        Gives the weights; from the key and the patient.

    Returns
    -------
    ndarray
        ``(levels, angles)``, mm from the axis.
    """
    model = generic_face()
    weights = np.clip(rng.standard_normal(len(model.modes)), -2.0, 2.0)
    face = model.mean + np.tensordot(weights, model.modes, axes=1)
    form = _on(cylinder, face) * cylinder.length
    uneven = gaussian_filter(rng.standard_normal(cylinder.shape), _BLUR, mode="nearest")
    layer = _THICKNESS_MM + np.clip(uneven / uneven.std() * _UNEVEN_MM / 2, -_UNEVEN_MM, _UNEVEN_MM)
    new = form + _fitted(skin - form, counted) + layer
    for _ in range(_LIFTS):
        new = new + _lift(new - skin, counted)
    return np.asarray(new)


def _lift(above: Floats, counted: Floats) -> Floats:
    """What must be added where the new face comes near the old, evened out over some 3 cm."""
    short = np.maximum(0.0, _NEAREST_MM - above) * (counted > 0)
    return np.asarray(gaussian_filter(maximum_filter(short, _AROUND), _BLUR, mode="nearest"))


def _on(cylinder: Cylinder, face: Floats) -> Floats:
    levels = (cylinder.levels / cylinder.length - LEVELS[0]) / (LEVELS[1] - LEVELS[0])
    angles = (ANGLES - MODEL_ANGLES[0]) / (MODEL_ANGLES[1] - MODEL_ANGLES[0])
    at = np.meshgrid(levels, angles, indexing="ij")
    return np.asarray(map_coordinates(face, at, order=1, mode="nearest"))


def _fitted(off: Floats, counted: Floats) -> Floats:
    """Girth, taper and breadth that fit the differences, by weighted least squares, and a lift."""
    height = np.broadcast_to(np.linspace(-1.0, 1.0, off.shape[0])[:, None], off.shape)
    aside = np.broadcast_to(1.0 - np.cos(ANGLES), off.shape)
    design = np.stack([np.ones(off.size), height.ravel(), aside.ravel()], axis=1)
    root = np.sqrt(counted.ravel())
    found = np.linalg.lstsq(design * root[:, None], off.ravel() * root, rcond=None)[0]
    fitted = (design @ found).reshape(off.shape)
    above = (off - fitted)[counted > 0.5]
    lift = float(np.clip(np.percentile(above, 80.0), 0.0, _MOST_LIFT_MM)) if above.size else 0.0
    return np.asarray(fitted + lift)
