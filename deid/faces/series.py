# SPDX-License-Identifier: Apache-2.0
"""The volumes that the instances of a series make up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from deid.errors import FaceMaskError
from deid.faces.grid import Floats, Volume

_SAME_MM, _SAME_DIRECTION = 0.05, 1e-3
_UNEVEN, _UPRIGHT = 0.12, 0.05


class Frame(NamedTuple):
    """One frame of one instance.

    Attributes
    ----------
    instance, number:
        Which frame of which instance it is, from 0.
    orientation:
        ``(2, 3)``, the directions of a row and of a column.
    position:
        ``(3,)``, of its first voxel in mm.
    spacing:
        mm between rows and between columns.
    rescale:
        Slope and intercept.
    """

    instance: int
    number: int
    orientation: Floats
    position: Floats
    spacing: Floats
    rescale: tuple[float, float]


class Stack(NamedTuple):
    """Frames that make up one volume, in the order of its slices."""

    frames: tuple[Frame, ...]
    axes: Floats

    def volume(self, pixels: Sequence[NDArray[np.generic]]) -> Volume:
        """The volume, of the stored values ``(frames, rows, columns)`` of each instance."""
        values = np.stack([_rescaled(pixels[f.instance][f.number], f) for f in self.frames])
        return Volume(values, self.axes, self.frames[0].position)


def _rescaled(stored: NDArray[np.generic], frame: Frame) -> NDArray[np.float32]:
    slope, intercept = frame.rescale
    return np.asarray(stored.astype(np.float32) * np.float32(slope) + np.float32(intercept))


def frames_of(header: Dataset, instance: int) -> list[Frame]:
    """The frames of a CT or MR instance, single or enhanced (PS3.3 section C.7.6.16).

    Raises
    ------
    FaceMaskError
        If it doesn't say where a frame lies.
    """
    count = int(header.get("NumberOfFrames") or 1)
    shared = _item(header, "SharedFunctionalGroupsSequence", 0)
    try:
        return [
            _frame(
                [_item(header, "PerFrameFunctionalGroupsSequence", at), shared, header],
                (instance, at),
            )
            for at in range(count)
        ]
    except (AttributeError, IndexError, TypeError, ValueError):
        raise FaceMaskError(
            "the image doesn't say where its pixels lie in the patient, so no face can be "
            "looked for: leave such images out, or let them pass by policy"
        ) from None


def _item(holder: Dataset, keyword: str, at: int) -> Dataset:
    items = holder.get(keyword) or []
    return items[at] if at < len(items) else Dataset()


def _value(groups: Sequence[Dataset], sequence: str, keyword: str) -> object:
    """The attribute's value where it comes first: in the frame's groups, the shared, the header."""
    for group in groups:
        item = _item(group, sequence, 0)
        for holder in (item, group):
            if holder.get(keyword) is not None:
                return holder.get(keyword)
    return None


def _frame(groups: Sequence[Dataset], which: tuple[int, int]) -> Frame:
    orientation = _value(groups, "PlaneOrientationSequence", "ImageOrientationPatient")
    position = _value(groups, "PlanePositionSequence", "ImagePositionPatient")
    spacing = _value(groups, "PixelMeasuresSequence", "PixelSpacing")
    slope = _value(groups, "PixelValueTransformationSequence", "RescaleSlope")
    intercept = _value(groups, "PixelValueTransformationSequence", "RescaleIntercept")
    directions = np.array(orientation, np.float64).reshape(2, 3)
    place = np.array(position, np.float64).reshape(3)
    between = np.array(spacing, np.float64).reshape(2)
    upright = abs(np.linalg.norm(np.cross(*directions)) - 1.0) < _UPRIGHT
    if not (upright and (between > 0).all() and np.isfinite([*place, *between]).all()):
        raise ValueError("the plane of the image is none")
    return Frame(
        *which,
        directions,
        place,
        between,
        (1.0 if slope is None else float(str(slope)), float(str(intercept or 0.0))),
    )


def stacks_of(frames: Sequence[Frame]) -> list[Stack]:
    """Frames as volumes: those at equal places belong to volumes after one another.

    Raises
    ------
    FaceMaskError
        If they don't lie in even distances and one direction.
    """
    first = frames[0]
    if any(not _alike(frame, first) for frame in frames):
        raise FaceMaskError(
            "the slices of the series don't lie in one direction, so no face can be looked for: "
            "leave them out, or let them pass by policy"
        )
    normal = np.cross(*first.orientation)
    along = np.array([frame.position @ normal for frame in frames])
    places: dict[int, list[Frame]] = defaultdict(list)
    last, at = -np.inf, -1
    for index in np.argsort(along, kind="stable"):
        if along[index] - last > _SAME_MM:
            at, last = at + 1, along[index]
        places[at].append(frames[index])
    depth = max(map(len, places.values()))
    if any(len(same) != depth for same in places.values()):
        raise FaceMaskError("slices of the series are missing: send it again")
    return [_stack([same[turn] for same in places.values()]) for turn in range(depth)]


def _alike(frame: Frame, first: Frame) -> bool:
    return bool(
        np.abs(frame.orientation - first.orientation).max() < _SAME_DIRECTION
        and np.abs(frame.spacing - first.spacing).max() < _SAME_DIRECTION
    )


def _stack(frames: list[Frame]) -> Stack:
    first = frames[0]
    along_row, along_column = first.orientation
    steps = np.diff([frame.position for frame in frames], axis=0)
    if len(steps):
        step = np.mean(steps, axis=0)
        if np.linalg.norm(steps - step, axis=1).max() > _UNEVEN * np.linalg.norm(step):
            raise FaceMaskError("slices of the series are missing or doubled: send it again")
    else:
        step = np.cross(along_row, along_column)
    between_rows, between_columns = first.spacing
    axes = np.stack([step, along_column * between_rows, along_row * between_columns], axis=1)
    return Stack(tuple(frames), axes)
