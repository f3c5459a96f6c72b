# SPDX-License-Identifier: AGPL-3.0-or-later
"""Plane functional groups of a segmentation (PS3.3 C.7.6.16.2.1 to C.7.6.16.2.4)."""

from __future__ import annotations

from collections.abc import Iterable

from pydicom.dataset import Dataset
from pydicom.valuerep import DSfloat

from plugin.results.image_result import ImageResult
from plugin.results.source import PlaneGeometry, SourceImage

_IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
_ORIGIN = (0.0, 0.0, 0.0)
_UNKNOWN_SPACING = (1.0, 1.0)


def plane_groups(result: ImageResult) -> tuple[Dataset, Dataset]:
    """Groups that all frames share, and those that belong to each frame.

    A slice has its own plane. A projection image has none in the patient; where the viewer profile
    asks for one it gets the identity at the origin, in no frame of reference, with the spacing of
    its header or, lacking that, 1 mm.
    """
    geometry = result.source.geometry
    if geometry is None:
        if not result.profile.plane_groups_for_projections:
            return Dataset(), Dataset()
        geometry = _invented(result.source)
    return _shared(geometry), _position(geometry)


def _invented(source: SourceImage) -> PlaneGeometry:
    return PlaneGeometry(
        frame_of_reference_uid="",
        position=_ORIGIN,
        orientation=_IDENTITY,
        spacing=source.spacing or _UNKNOWN_SPACING,
        thickness=None,
    )


def _shared(geometry: PlaneGeometry) -> Dataset:
    measures = Dataset()
    measures.PixelSpacing = _decimals(geometry.spacing)
    # Type 1C for a volume; OHIF needs a number.
    measures.SliceThickness = _decimals([geometry.thickness or 1.0])[0]
    orientation = Dataset()
    orientation.ImageOrientationPatient = _decimals(geometry.orientation)
    groups = Dataset()
    groups.PixelMeasuresSequence = [measures]
    groups.PlaneOrientationSequence = [orientation]
    return groups


def _position(geometry: PlaneGeometry) -> Dataset:
    position = Dataset()
    position.ImagePositionPatient = _decimals(geometry.position)
    groups = Dataset()
    groups.PlanePositionSequence = [position]
    return groups


def _decimals(values: Iterable[float]) -> list[DSfloat]:
    return [DSfloat(value, auto_format=True) for value in values]
