# SPDX-License-Identifier: Apache-2.0
"""The slices of a series in the order in which they lie in the patient.

Instance numbers follow acquisition, reconstruction or an exporter's whim; positions don't. Order is
along the normal of the slices (PS3.3 section C.7.6.2.1.1).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

_PARALLEL = 0.99
"""Cosine between normals above which slices are taken for parallel."""


def geometry_of(dataset: Dataset) -> Dataset:
    """The attributes that order slices, without the pixels that would be kept with them."""
    kept = Dataset()
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "InstanceNumber"):
        if keyword in dataset:
            kept[keyword] = dataset[keyword]
    return kept


def slice_order(slices: Sequence[Dataset]) -> list[int]:
    """Indices of the slices from the first along their normal to the last.

    Slices at one place (echoes, phases) stay in the order of their instance numbers. Where one has
    no position, or they are not parallel (a localizer), all are in the order of instance numbers.
    """
    numbers = [_number(one) for one in slices]
    along = _along_normal(slices)
    if along is None:
        return sorted(range(len(slices)), key=lambda at: numbers[at])
    return sorted(range(len(slices)), key=lambda at: (along[at], numbers[at]))


def _along_normal(slices: Sequence[Dataset]) -> list[float] | None:
    """Distance of each slice along the normal in mm, to a tenth of a micrometre."""
    normals = [_normal(one) for one in slices]
    origins = [_values(one, "ImagePositionPatient", 3) for one in slices]
    first = normals[0] if normals else None
    if first is None:
        return None
    found = []
    for normal, origin in zip(normals, origins, strict=True):
        if normal is None or origin is None or float(normal @ first) < _PARALLEL:
            return None
        found.append(round(float(origin @ first), 4))
    return found


def _normal(one: Dataset) -> NDArray[np.float64] | None:
    cosines = _values(one, "ImageOrientationPatient", 6)
    if cosines is None:
        return None
    normal = np.cross(cosines[:3], cosines[3:])
    length = float(np.linalg.norm(normal))
    return normal / length if length > 0.0 else None


def _values(one: Dataset, keyword: str, count: int) -> NDArray[np.float64] | None:
    try:
        values = np.array([float(number) for number in one.get(keyword) or ()])
    except (TypeError, ValueError):
        return None
    return values if len(values) == count and np.isfinite(values).all() else None


def _number(one: Dataset) -> int:
    try:
        return int(one.get("InstanceNumber") or 0)
    except (TypeError, ValueError):
        return 0


def sub_volumes(count: int, slices: int) -> NDArray[np.intp]:
    """``(count, slices)``: each slice of a series in order, between its neighbours.

    Beyond the ends the last slice stands for what is not there.
    """
    offsets = np.arange(slices) - slices // 2
    around = np.arange(count)[:, np.newaxis] + offsets
    return np.asarray(np.clip(around, 0, max(count - 1, 0)), dtype=np.intp)
