# SPDX-License-Identifier: Apache-2.0
"""Which slices lie around each slice of a label table."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.errors import InvalidDicomError

from inference.heatmap.datasets.labelled import DatasetError, LabelledImage, LabelTable
from inference.heatmap.slices import geometry_of, slice_order, sub_volumes

_ORDERING = ("ImagePositionPatient", "ImageOrientationPatient", "InstanceNumber")


def neighbours_in(table: LabelTable, files: Sequence[Path], slices: int) -> NDArray[np.intp]:
    """``(N, slices)`` indices of images: the sub-volume around each.

    Slices of one series of one patient are put in order by the table's positions, or by the files'
    geometry where the table gives none. An image without a series has itself as its neighbours.

    Raises
    ------
    DatasetError
        Of a series some slices have a position and others not, or files can't be read.
    """
    found = np.repeat(np.arange(len(table.images))[:, np.newaxis], slices, axis=1)
    series: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, image in enumerate(table.images):
        if image.series:
            series[image.patient, image.series].append(index)
    for members in series.values():
        images = [table.images[index] for index in members]
        order = _order(images, [files[index] for index in members])
        ordered = np.array([members[place] for place in order])
        found[ordered] = ordered[sub_volumes(len(ordered), slices)]
    return found


def _order(images: Sequence[LabelledImage], files: Sequence[Path]) -> list[int]:
    given = [not math.isnan(image.position) for image in images]
    if all(given):
        return sorted(range(len(images)), key=lambda index: images[index].position)
    if any(given):
        raise DatasetError("of a series either all slices have a position or none")
    try:
        headers = [
            pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(_ORDERING))
            for file in files
        ]
    except (InvalidDicomError, OSError) as error:
        raise DatasetError(
            "slices that are not DICOM files need a column position beside series"
        ) from error
    return slice_order([geometry_of(header) for header in headers])
