# SPDX-License-Identifier: AGPL-3.0-or-later
"""Plane functional groups of segmentations and maps (PS3.3 C.7.6.16.2.1 to C.7.6.16.2.4)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from pydicom.dataset import Dataset
from pydicom.valuerep import DSfloat

from plugin.results.source import PlaneGeometry, SourceImage
from plugin.results.viewer_profiles import ViewerProfile

_IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
_ORIGIN = (0.0, 0.0, 0.0)
_UNKNOWN_SPACING = (1.0, 1.0)


def plane_of(source: SourceImage, profile: ViewerProfile) -> PlaneGeometry | None:
    """The plane that a segmentation of this image is given.

    A slice has its own. A projection image has none in the patient; where the viewer profile asks
    for one it gets the identity at the origin, in no frame of reference, with the spacing of its
    header or, lacking that, 1 mm.
    """
    if source.geometry is not None or not profile.plane_groups_for_projections:
        return source.geometry
    return PlaneGeometry(
        frame_of_reference_uid="",
        position=_ORIGIN,
        orientation=_IDENTITY,
        spacing=source.spacing or _UNKNOWN_SPACING,
        thickness=None,
    )


def shared_groups(geometry: PlaneGeometry | None) -> Dataset:
    """Pixel Measures and Plane Orientation; empty without a plane."""
    groups = Dataset()
    if geometry is None:
        return groups
    measures = Dataset()
    measures.PixelSpacing = decimals(geometry.spacing)
    # Type 1C for a volume; OHIF needs a number.
    measures.SliceThickness = decimals([geometry.thickness or 1.0])[0]
    orientation = Dataset()
    orientation.ImageOrientationPatient = decimals(geometry.orientation)
    groups.PixelMeasuresSequence = [measures]
    groups.PlaneOrientationSequence = [orientation]
    return groups


def position_group(geometry: PlaneGeometry | None) -> Dataset:
    """Plane Position; empty without a plane."""
    groups = Dataset()
    if geometry is None:
        return groups
    position = Dataset()
    position.ImagePositionPatient = decimals(geometry.position)
    groups.PlanePositionSequence = [position]
    return groups


def depth(geometry: PlaneGeometry) -> float:
    """Distance of a plane from the origin along its normal, in mm; sorts parallel slices."""
    axes = np.array(geometry.orientation).reshape(2, 3)
    return float(np.dot(np.cross(axes[0], axes[1]), np.array(geometry.position)))


def decimals(values: Iterable[float]) -> list[DSfloat]:
    """Values of VR DS, at most 16 characters each."""
    return [DSfloat(value, auto_format=True) for value in values]
