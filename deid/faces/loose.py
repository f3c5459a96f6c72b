# SPDX-License-Identifier: Apache-2.0
"""Pictures that make up no volume: each is looked at by itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydicom import Dataset

from deid.errors import FaceMaskError
from deid.faces.grid import Floats
from deid.faces.series import frames_of
from deid.faces.shape import Plane, has_ring, upward_in
from deid.pixels.frames import dataset_of, decoded
from deid.stages import Instance

_MOST, _WIDE_MM = 40, 240.0
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")


def any_ring(instances: Sequence[Instance], modality: str) -> bool:
    """Whether pictures, some of them evenly chosen where they are many, show a head's section."""
    chosen = _spread(len(instances))
    return any(has_ring(plane, modality) for at in chosen for plane in _planes(instances[at]))


def _spread(count: int) -> list[int]:
    return sorted({round(at) for at in np.linspace(0, count - 1, min(count, _MOST))})


def _planes(instance: Instance) -> list[Plane]:
    header = dataset_of(instance)
    shown = decoded(instance).shown
    grey = (shown if shown.ndim == 3 else shown.mean(axis=-1)).astype(np.float32)
    try:
        # Where only other slices of the series are missing, this one says where it lies.
        frame = frames_of(header, 0)[0]
        up = upward_in(frame.orientation[1, 2], frame.orientation[0, 2])
        spacing = frame.spacing
    except FaceMaskError:
        up, spacing = np.zeros(2), _spacing(header, grey.shape[2])
    return [Plane(grey[at], spacing, up) for at in _spread(len(grey))]


def _spacing(header: Dataset, columns: int) -> Floats:
    """mm between rows and columns; where it is not said, as if a head filled the picture."""
    for keyword in _SPACINGS:
        try:
            found = np.array(header.get(keyword), np.float64).reshape(2)
        except (TypeError, ValueError):
            continue
        if (found > 0).all() and np.isfinite(found).all():
            return found
    return np.full(2, _WIDE_MM / columns)
