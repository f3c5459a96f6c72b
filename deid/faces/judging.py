# SPDX-License-Identifier: Apache-2.0
"""Whether a volume shows a face, and where: by anatomy and geometry, or an error that says no."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from deid.errors import FaceMaskError
from deid.faces.body import body_of, threshold_of
from deid.faces.cranium import Cranium, cranium_of
from deid.faces.grid import Floats, Mask, Volume
from deid.faces.pose import why_not_treated
from deid.faces.sections import ASIDE, UP, cut_cm2, is_trunk, no_air_seen
from deid.faces.shape import may_hold_a_head
from deid.faces.surface import Cylinder

_COARSE_MM = 2.2
_WIDEST_GAP_MM = 7.5
_FACELESS_MM = 66.0
"""What reaches no further below the vertex shows no brow, let alone a face."""
_NECESSARY_MM = 90.0
"""What reaches less far shows too little of the head to place a face on it."""
_CUT_CAP_CM2, _CUT_SIDE_CM2 = 60.0, 20.0
_HEAD_CM2 = (95.0, 290.0)
_UPRIGHT = 0.8
_LONG_MM, _WHOLE_BODY_MM = 300.0, 850.0
"""Of another part of the body than the head, what is as long and ends at the top in thin air, or
is as long as the second whatever its ends, may have a head beside its arms."""


class Verdict(StrEnum):
    """What is said of a volume without a head to treat."""

    NO_FACE = "it was looked at and shows none"
    NOT_TOLD = "by its header it shows another part of the body, and nothing has a head's shape"


class Region(StrEnum):
    """What the header says was examined."""

    HEAD = "head"
    ELSEWHERE = "elsewhere"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Head:
    """A head whose face can be drawn anew.

    Attributes
    ----------
    body:
        The patient, about 2 mm between voxels: above 0.5 inside.
    cranium:
        The skull.
    cylinder:
        From where the face's surface is looked at.
    threshold:
        Value that parts air from tissue.
    modality:
        ``CT`` or ``MR``.
    """

    body: Volume
    cranium: Cranium
    cylinder: Cylinder
    threshold: float
    modality: str


def head_in(volume: Volume, modality: str, region: Region) -> Head | Verdict:
    """The head in a volume, or why there is none to treat.

    Parameters
    ----------
    volume:
        A stack of slices of CT or MR.
    modality:
        ``CT`` or ``MR``.
    region:
        What the header says.

    Raises
    ------
    FaceMaskError
        If there may be a face and it can't be told well enough where, or where the skull is.
    """
    found = _head_in(volume, modality, region)
    if found is Verdict.NOT_TOLD and may_hold_a_head(volume, modality):
        raise lying_header()
    return found


def lying_header() -> FaceMaskError:
    """The error for what has the shape of a head, whose header names another part of the body."""
    return _refused("its header names another part of the body and its shape may be a head's")


def _head_in(volume: Volume, modality: str, region: Region) -> Head | Verdict:
    if min(volume.values.shape) < 2 or float(volume.spacing.max()) > _WIDEST_GAP_MM:
        return _unsure(region, "too few slices, or too far apart")
    coarse = volume.coarse(_COARSE_MM)
    threshold = threshold_of(coarse, modality)
    inside = body_of(coarse, threshold)
    body = Volume(inside.astype(np.float32), coarse.axes, coarse.origin)
    places = coarse.places(np.argwhere(inside))
    if len(places) < 1000:
        return _unsure(region, "no body is seen")
    if no_air_seen(inside, coarse, modality):
        return _unsure(region, "air and patient can't be told apart")
    if region is not Region.HEAD and is_trunk(inside, coarse):
        return Verdict.NO_FACE
    vertex = _vertex(inside, coarse, places)
    region = _of_long(region, float(np.ptp(places[:, 2])), vertex)
    if vertex is None:
        return _unsure(region, "the top of the head is not seen")
    return _judged(coarse, body, (places, vertex, threshold), (modality, region))


def _of_long(region: Region, long: float, vertex: float | None) -> Region:
    """What a scan of so many mm shows, whose header may name no more than a part of it."""
    longest = _WHOLE_BODY_MM if vertex is None else _LONG_MM
    return Region.UNKNOWN if region is Region.ELSEWHERE and long > longest else region


def _judged(
    coarse: Volume,
    body: Volume,
    seen: tuple[Floats, float, float],
    told: tuple[str, Region],
) -> Head | Verdict:
    (places, vertex, threshold), (modality, region) = seen, told
    depth = vertex - float(np.percentile(places[:, 2], 0.2))
    level = places[np.abs(places[:, 2] - (vertex - 60.0)) < 8.0]
    if region is not Region.HEAD and not _like_a_head(level, coarse):
        return _unsure(region, "it has not the girth of a head")
    if depth <= _FACELESS_MM:
        return _cap(body)
    if depth < _NECESSARY_MM:
        raise _refused("it ends at the brow")
    band = places[(places[:, 2] < vertex - 40.0) & (places[:, 2] > vertex - 95.0)]
    centre = np.array([*_middle(band), vertex - 72.0])
    cranium = cranium_of(coarse, body, centre, modality)
    if not cranium.confident:
        return _unsure(region, "the skull is not seen all around")
    if not 130.0 <= cranium.length <= 240.0:
        raise _refused("the head has not the length of one")
    cylinder = Cylinder(cranium.centre[:2], vertex, cranium.length)
    why = why_not_treated(body, places, cylinder)
    if why:
        raise _refused(why)
    return Head(body, cranium, cylinder, threshold, modality)


def _cap(body: Volume) -> Verdict:
    """What ends above the brows shows no face if it is the whole top of a head, and no slab."""
    inside = body.values > 0.5
    if max(cut_cm2(inside, body, side) for side in ASIDE) > _CUT_SIDE_CM2:
        raise _refused("it is cut off at a side")
    return Verdict.NO_FACE


def _middle(band: Floats) -> Floats:
    """The middle of the head's girth: of its bounds, since a nose weighs nothing in them."""
    low, high = np.percentile(band[:, :2], (1.0, 99.0), axis=0)
    return np.asarray((low + high) / 2)


def _unsure(region: Region, why: str) -> Verdict:
    """No claim, where the header names another part of the body; else the error."""
    if region is not Region.ELSEWHERE:
        raise _refused(why)
    return Verdict.NOT_TOLD


def _refused(why: str) -> FaceMaskError:
    return FaceMaskError(
        f"a face may be seen and can't be masked with confidence ({why}): look at the series, or "
        "let it pass by policy only where faces may be seen"
    )


def _vertex(inside: Mask, coarse: Volume, places: Floats) -> float | None:
    """z of the top of the head; what is cut off of it is told from the area of the cut."""
    axis, _ = coarse.faces_towards(UP)
    upright = abs(coarse.axes[2, axis]) / coarse.spacing[axis]
    if upright < _UPRIGHT:
        return None
    cut = cut_cm2(inside, coarse, UP)
    if cut > _CUT_CAP_CM2:
        return None
    # A cap of a head of 75 by 95 by 90 mm grows by 5 square centimetres with each mm.
    return float(np.percentile(places[:, 2], 99.95)) + cut / 5.0


def _like_a_head(level: Floats, coarse: Volume) -> bool:
    if not len(level):
        return False
    voxel = abs(float(np.linalg.det(coarse.axes)))
    area = len(level) * voxel / 16.0 / 100.0
    wide, deep = np.ptp(np.percentile(level[:, :2], (1.0, 99.0), axis=0), axis=0)
    return bool(
        _HEAD_CM2[0] <= area <= _HEAD_CM2[1] and 105.0 <= wide <= 190.0 and 120.0 <= deep <= 240.0
    )
