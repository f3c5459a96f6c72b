# SPDX-License-Identifier: Apache-2.0
"""Whether pixels have the shape of a head, whatever the header and the scale of the values say.

Asked only of what the header calls another part of the body and in which no head was found: a
header may lie, and a table, a cushion, noise or values that are no Hounsfield units hide a head
from whoever looks for its skull.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import (
    binary_fill_holes,
    distance_transform_edt,
    gaussian_filter,
    gaussian_filter1d,
    label,
    map_coordinates,
)

from deid.faces.body import otsu
from deid.faces.cranium import STEP_MM, table_along
from deid.faces.grid import Floats, Mask, Volume

_GRID_MM, _TALLEST_MM = 4.0, 360.0
_PLANE_MM = 2.0
_OPENED_MM = 42.0
"""What is thinner than twice this is a table, a cushion or an arm, and no head."""
_SKULL_MM = 12.0
_CUT_CM2, _FLAT_CM2, _FLAT_MM = 60.0, 120.0, 8.0
"""A head ends above in a dome: cut or flat by more it is a limb, a trunk or a cylinder."""
_FACELESS_MM, _LEVEL_MM = 66.0, 60.0
_HEAD_CM2, _WIDE_MM, _DEEP_MM = (80.0, 330.0), (95.0, 215.0), (105.0, 260.0)
_TOUCHING = 0.2
_WIDENS_MM, _WIDENS_CM2 = 12, 25.0
_RAYS, _RINGED, _EVERY_MM, _RINGS = 72, 0.8, 8.0, 3
_SECTION_CM2, _ARCH_CM2 = (130.0, 330.0), (130.0, 520.0)
_HOLLOW_HU, _HOLLOW = -400.0, 0.1
_ARCH, _ARCH_CENTRE_MM, _ARCHED = np.radians(100.0), 75.0, 0.75
_FEWEST, _UPWARD, _NOISY = 4, 0.5, 0.2
_CORNER, _ALIKE, _PADDING_SHARE, _PADDING_GAP = 0.06, 0.05, 0.02, 0.15


def may_hold_a_head(volume: Volume, modality: str) -> bool:
    """Whether a volume may hold a head with a face.

    It does where what stands out from the air ends above in a dome of the girth of a head, or where
    its sections have the girth of a head and a closed shell close below the skin.
    """
    if any(has_ring(plane, modality) for plane in _own_planes(volume)):
        return True
    if len(volume.values) < _FEWEST:
        return False
    upright, within = _upright(volume)
    worth = np.zeros(len(upright.values), np.bool_)
    for solid in _solids(upright):
        if _is_dome(solid, within):
            return True
        areas = solid.sum(axis=(1, 2)) * _GRID_MM**2 / 100.0
        worth |= (areas > 0.8 * _SECTION_CM2[0]) & (areas < 1.2 * _SECTION_CM2[1])
    if _is_rough_dome(volume, upright, within):
        return True
    every = round(_EVERY_MM / _GRID_MM)
    heights = upright.origin[2] - np.flatnonzero(worth)[::every] * _GRID_MM
    found = 0
    for height in heights:
        found += has_ring(_axial(volume, upright, float(height)), modality)
        if found >= _RINGS:
            return True
    return False


def _own_planes(volume: Volume) -> list[Plane]:
    """Slices that are looked at one by one: where there are few, and some that are not axial."""
    up = upward_in(*(volume.axes[2, 1:] / volume.spacing[1:]))
    count = len(volume.values)
    if count >= _FEWEST and not up.any():
        return []
    chosen = sorted({round(share * (count - 1)) for share in (0.3, 0.4, 0.5, 0.6, 0.7)})
    return [Plane(volume.values[at], volume.spacing[1:], up) for at in chosen]


def upward_in(along_rows: float, along_columns: float) -> Floats:
    """The direction to the vertex in a picture, ``(2,)``: zeros where it is axial.

    Parameters
    ----------
    along_rows, along_columns:
        How much higher in the patient a step to the next row, and to the next column, leads.
    """
    up = np.array([along_rows, along_columns])
    steep = float(np.linalg.norm(up))
    return up / steep if steep > _UPWARD else np.zeros(2)


def _is_rough_dome(volume: Volume, upright: Volume, within: Mask) -> bool:
    """Whether a dome shows by its noise, where that of the air is no less than the contrasts."""
    rough, _ = _upright(_roughness(volume))
    contrast = float(np.ptp(np.percentile(upright.values, (2.0, 98.0))))
    if max(_airs(rough.values)) < _NOISY * contrast:
        return False
    return any(_is_dome(solid, within) for solid in _solids(rough))


def _roughness(volume: Volume) -> Volume:
    """How much the values vary from voxel to voxel: noise may tell air where its mean doesn't."""
    squares = Volume(volume.values**2, volume.axes, volume.origin).coarse(_GRID_MM)
    mean = volume.coarse(_GRID_MM)
    spread = np.sqrt(np.maximum(squares.values - mean.values**2, 0.0))
    return Volume(spread, mean.axes, mean.origin)


class Plane(NamedTuple):
    """One picture.

    Attributes
    ----------
    values:
        ``(rows, columns)``.
    spacing:
        mm between rows and between columns.
    up:
        ``(2,)``, the direction to the vertex along rows and columns; zeros where the plane is axial
        or it is not known.
    """

    values: NDArray[np.float32]
    spacing: Floats
    up: Floats


def has_ring(plane: Plane, modality: str) -> bool:
    """Whether a picture shows a section of the girth of a head with a shell below its skin.

    In planes that are not axial, the upper part of the shell counts.
    """
    even = _evened(plane)
    upward = bool(plane.up.any())
    low, high = _ARCH_CM2 if upward else _SECTION_CM2
    for solid in _solids(even):
        area = float(solid.sum()) * _PLANE_MM**2 / 100.0
        if low <= area <= high and _is_free(solid[0], plane.up):
            section = _Section(even.values[0], solid[0], plane.up if upward else None)
            if _shell(section, modality):
                return True
    return False


def _upright(volume: Volume) -> tuple[Volume, Mask]:
    """The top of the volume along the patient's axes, from above, and what of it was scanned."""
    corners = np.stack(np.meshgrid(*[(0, n - 1) for n in volume.values.shape], indexing="ij"), -1)
    reach = volume.places(corners.reshape(-1, 3))
    low, high = reach.min(axis=0), reach.max(axis=0)
    low[2] = max(low[2], high[2] - _TALLEST_MM)
    counts = np.maximum(np.ceil((high - low) / _GRID_MM).astype(int) + 1, 1)
    x, y, z = (np.arange(n) * _GRID_MM for n in counts)
    places = np.stack(np.meshgrid(high[2] - z, low[1] + y, low[0] + x, indexing="ij"), -1)
    places = places[..., ::-1]
    coarse = volume.coarse(_GRID_MM)
    at = np.moveaxis(coarse.indices(places), -1, 0)
    values = map_coordinates(coarse.values, at, order=1, mode="nearest")
    last = np.array(coarse.values.shape).reshape(3, 1, 1, 1) - 0.5
    within = np.asarray(((at >= -0.5) & (at <= last)).all(axis=0))
    axes = np.array([(0.0, 0.0, -1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)]).T * _GRID_MM
    return Volume(values, axes, np.array([low[0], low[1], high[2]])), within


def _solids(volume: Volume) -> Iterator[Mask]:
    """What stands out from the air, without what is thin: one for each guess at the air."""
    for values in _without_padding(volume.values):
        for air in _airs(values):
            off = np.abs(values - air)
            top = float(np.percentile(off, 98.0))
            if top <= 0.0:
                continue
            solid = off > 0.5 * otsu(np.minimum(off, top).ravel())
            if len(solid) == 1:
                solid = _closed(solid[0], float(volume.spacing[1]))[None]
            yield _opened(_filled(solid), volume.spacing)


def _without_padding(values: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """The values, and those without what pads them, if a value far below all others may be that."""
    yield values
    low, high = float(values.min()), float(np.percentile(values, 98.0))
    padding = values <= low + 0.01 * (high - low)
    rest = values[~padding]
    if padding.mean() > _PADDING_SHARE and rest.size:
        floor = float(np.percentile(rest, 2.0))
        if floor - low > _PADDING_GAP * (high - low):
            yield np.maximum(values, np.float32(floor))


def _airs(values: NDArray[np.float32]) -> list[float]:
    """What the air may measure: the middle of the corners in front, and of those behind."""
    rows, columns = (max(1, round(n * _CORNER)) for n in values.shape[1:])
    ends = [values[:, side, :][..., edge] for side in (slice(rows), slice(-rows, None))
            for edge in (slice(columns), slice(-columns, None))]  # fmt: skip
    front, back = (
        float(np.median(np.concatenate([a.ravel(), b.ravel()]))) for a, b in (ends[:2], ends[2:])
    )
    extent = float(np.ptp(np.percentile(values, (1.0, 99.0))))
    return [front] if abs(front - back) <= _ALIKE * extent else [front, back]


def _closed(section: Mask, spacing: float) -> Mask:
    """With gaps as thin as a skull closed: a dark one, cut at the neck, is no hole to fill."""
    room = round(_SKULL_MM / spacing) + 1
    near = distance_transform_edt(np.pad(~section, room, constant_values=True)) * spacing
    grown = near <= _SKULL_MM / 2
    kept = distance_transform_edt(grown) * spacing > _SKULL_MM / 2
    return np.asarray(kept[room:-room, room:-room] | section)


def _filled(solid: Mask) -> Mask:
    return np.stack([binary_fill_holes(section) for section in solid])


def _opened(solid: Mask, spacing: Floats) -> Mask:
    """The largest part, opened by a ball (a disc, where there is one section)."""
    room = 0 if len(solid) == 1 else round(_OPENED_MM / spacing[0]) + 1
    # What is cut off above and below goes on there.
    padded = np.pad(np.pad(solid, ((room, room), (0, 0), (0, 0)), mode="edge"),
                    ((0, 0), (1, 1), (1, 1)))  # fmt: skip
    if room == 0:
        padded, spacing = padded[0], spacing[1:]
    core = distance_transform_edt(padded, sampling=spacing) > _OPENED_MM
    if not core.any():
        return np.zeros_like(solid)
    opened = distance_transform_edt(~core, sampling=spacing) <= _OPENED_MM
    opened = opened[None, 1:-1, 1:-1] if room == 0 else opened[room:-room, 1:-1, 1:-1]
    parts, _ = label(opened)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray(parts == int(np.argmax(sizes)))


def _is_dome(solid: Mask, within: Mask) -> bool:
    one = _GRID_MM**2 / 100.0
    areas = solid.sum(axis=(1, 2)) * one
    shown = np.flatnonzero(areas > 1.0)
    if not shown.size:
        return False
    top, depth = int(shown[0]), (shown[-1] - shown[0]) * _GRID_MM
    below = min(top + round(_FLAT_MM / _GRID_MM), len(areas) - 1)
    at = top + round(_LEVEL_MM / _GRID_MM)
    cut = areas[0] > _CUT_CM2 if top == 0 else areas[below] > _FLAT_CM2
    if cut or depth <= _FACELESS_MM or at >= len(areas):
        return False
    # A neck that is cut above doesn't widen as a dome does.
    if top == 0 and areas[_WIDENS_MM // int(_GRID_MM)] < areas[0] + _WIDENS_CM2:
        return False
    return _girth(solid[at], within[at])


def _girth(section: Mask, within: Mask) -> bool:
    """Whether a section has a head's, and little of its border is where the picture ends."""
    area = float(section.sum()) * _GRID_MM**2 / 100.0
    # Whichever is which: patients lie on their side too.
    wide, deep = sorted(_GRID_MM * extent for extent in _extents(section))
    fits = (
        _HEAD_CM2[0] <= area <= _HEAD_CM2[1]
        and _WIDE_MM[0] <= wide <= _WIDE_MM[1]
        and _DEEP_MM[0] <= deep <= _DEEP_MM[1]
    )
    return fits and _cut_off(section, within) < _TOUCHING


def _is_free(section: Mask, up: Floats) -> bool:
    """Whether it ends in air and, if axial, is longer than wide: a trunk is wider than deep."""
    whole = np.ones_like(section)
    if up.any():
        along = np.tensordot(up, np.indices(section.shape), axes=1)
        top = along[section].max() if section.any() else 0.0
        return _cut_off(section & (along > top - _ARCH_CENTRE_MM / _PLANE_MM), whole) < _TOUCHING
    deep, wide = _extents(section)
    return deep >= wide and _cut_off(section, whole) < _TOUCHING


def _extents(section: Mask) -> tuple[float, float]:
    """Pixels from front to back and from side to side."""
    rows, columns = np.nonzero(section)
    if not rows.size:
        return 0.0, 0.0
    deep, wide = (float(np.ptp(np.percentile(n, (1.0, 99.0)))) for n in (rows, columns))
    return deep, wide


def _cut_off(section: Mask, within: Mask) -> float:
    """Share of the section's border where the picture ends."""
    border = section & (distance_transform_edt(np.pad(section, 1))[1:-1, 1:-1] < 1.5)
    ends = distance_transform_edt(np.pad(within, 1))[1:-1, 1:-1] < 2.5
    return float((border & ends).sum() / max(1, border.sum()))


def _axial(volume: Volume, upright: Volume, height: float) -> Plane:
    """One axial section of the volume, finer than its grid."""
    _, rows, columns = upright.values.shape
    y = upright.origin[1] + np.arange(0.0, rows * _GRID_MM, _PLANE_MM)
    x = upright.origin[0] + np.arange(0.0, columns * _GRID_MM, _PLANE_MM)
    places = np.stack(np.meshgrid(y, x, [height], indexing="ij"), -1)[:, :, 0, (1, 0, 2)]
    at = np.moveaxis(volume.indices(places), -1, 0)
    values = map_coordinates(volume.values, at, output=np.float32, order=1, mode="nearest")
    return Plane(values, np.full(2, _PLANE_MM), np.zeros(2))


def _evened(plane: Plane) -> Volume:
    """The picture as one slice with ``_PLANE_MM`` between its pixels."""
    steps = _PLANE_MM / plane.spacing
    shape = np.maximum(1, (np.array(plane.values.shape) / steps).astype(int))
    at = np.meshgrid(*(np.arange(n) * step for n, step in zip(shape, steps, strict=True)),
                     indexing="ij")  # fmt: skip
    smooth = gaussian_filter(plane.values.astype(np.float32), np.maximum(0.4, 0.4 * steps))
    values = map_coordinates(smooth, at, order=1, mode="nearest")
    axes = np.diag([_PLANE_MM] * 3)
    return Volume(values[None], axes, np.zeros(3))


class _Section(NamedTuple):
    values: NDArray[np.float32]
    solid: Mask
    up: Floats | None


def _shell(section: _Section, modality: str) -> bool:
    """Whether most rays from the middle meet a thin shell close below the skin."""
    values = _normalized(section)
    middle, angles = _star(section)
    steps = np.arange(0.0, 200.0, STEP_MM) / _PLANE_MM
    out = np.stack([np.sin(angles), np.cos(angles)])
    at = middle[:, None, None] + out[:, :, None] * steps
    profiles = map_coordinates(values, at, output=np.float64, order=1, mode="nearest")
    profiles = gaussian_filter1d(profiles, 1.0, axis=-1)
    inside = map_coordinates(section.solid.astype(np.float32), at, order=1) > 0.5
    last = inside.shape[1] - 1 - np.argmax(inside[:, ::-1], axis=1)
    tables = [
        table_along(profile, int(end), modality) if found else None
        for profile, end, found in zip(profiles, last, inside.any(axis=1), strict=True)
    ]
    seen = [(ray, inner) for ray, table in enumerate(tables) if table for inner in table[1:]]
    if len(seen) < (_RINGED if section.up is None else _ARCHED) * _RAYS:
        return False
    within = [profiles[ray][: round(inner / STEP_MM)] for ray, inner in seen]
    # Not the ribs around lungs.
    return float(np.mean(np.concatenate(within) < _HOLLOW_HU)) < _HOLLOW


def _normalized(section: _Section) -> NDArray[np.float32]:
    """Values with air at -1000 and the inside at 40, as CT has them, whatever their scale is."""
    values, solid = section.values, section.solid
    air = float(np.median(values[~solid])) if not solid.all() else float(values.min())
    inside = float(np.median(values[solid]))
    scale = 1040.0 / (inside - air) if inside != air else 0.0
    return np.asarray((values - inside) * scale + 40.0, np.float32)


def _star(section: _Section) -> tuple[Floats, Floats]:
    """The middle of the section's bounds and the angles of rays from there."""
    rows, columns = np.nonzero(section.solid)
    if section.up is None:
        middle = np.array([(n.min() + n.max()) / 2 for n in (rows, columns)])
        return middle, np.arange(_RAYS, dtype=np.float64) * (2 * np.pi / _RAYS)
    up = section.up
    along = np.stack([rows, columns], axis=-1) @ up
    highest = np.percentile(along, 99.9)
    upper = along > highest - 2 * _ARCH_CENTRE_MM / _PLANE_MM
    middle = np.array([(n[upper].min() + n[upper].max()) / 2 for n in (rows, columns)])
    middle += up * (highest - _ARCH_CENTRE_MM / _PLANE_MM - middle @ up)
    angles = float(np.arctan2(up[0], up[1])) + np.linspace(-_ARCH, _ARCH, _RAYS)
    return np.asarray(middle, np.float64), np.asarray(angles, np.float64)
