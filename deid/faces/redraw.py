# SPDX-License-Identifier: Apache-2.0
"""Draws the face anew: all between a depth below the skin and a new surface is made up.

Nothing is added to the face, so nothing can be taken off again: what was there is gone. Only where
the old surface lay at large, some 15 mm of it smoothed over, shows as the depth from which the old
tissue stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, gaussian_filter, maximum_filter

from deid.faces.generic import drawn
from deid.faces.grid import Floats, Mask, Volume
from deid.faces.judging import Head
from deid.faces.surface import (
    ANGLES,
    Cylinder,
    border_of,
    looked_up,
    lowest_nearby,
    protected_of,
    skin_of,
)

_DEPTH_MM, _OVER_SKULL_MM, _HALO_MM = 6.0, 5.0, 8.0
_ROOM_MM, _BELOW_MM = 8.5, 9.0
_FACE = (0.22, 0.35, 1.24, 1.44)
"""Lengths of the head below the vertex: where the new face begins, is whole, fades, and ends."""
_SIDE = (np.radians(60.0), np.radians(92.0))
_LEAST = 0.02
_SOFT_HU, _PADDING_HU = 150.0, -1200.0
_NEARBY_MM, _FEW = 20.0, 1e-4


class KeptRegion(NamedTuple):
    """A ball that stays as it is, such as a finding on the skin.

    Attributes
    ----------
    centre:
        Patient coordinates in mm.
    radius:
        In mm.
    """

    centre: tuple[float, float, float]
    radius: float


class Redrawn(NamedTuple):
    """What becomes of a volume.

    Attributes
    ----------
    changed:
        ``(slices, rows, columns)``, the voxels with a new value.
    values:
        Of the same shape, Hounsfield units or the signal of MR; those of other voxels are the old.
    """

    changed: Mask
    values: NDArray[np.float32]


class _Layers(NamedTuple):
    """Maps of mm from the axis: the old skin, the depth it is cut to, the new skin."""

    skin: Floats
    cut: Floats
    new: Floats


def redrawn(
    volume: Volume,
    head: Head,
    seeds: tuple[bytes, bytes],
    kept: Sequence[KeptRegion] = (),
) -> Redrawn:
    """Give a head another face.

    Parameters
    ----------
    volume:
        At full resolution.
    head:
        As it was found in the volume.
    seeds:
        Of the face's form, one for each patient, and of its texture, one for each series.
    kept:
        What must stay.
    """
    layers = _layers(head, _generator(seeds[0]))
    where, radius, maps = _voxels(volume, head, layers)
    changed = np.zeros(volume.values.shape, np.bool_)
    values = volume.values.copy()
    places = volume.places(where)
    stays = head.cranium.holds(places)
    for region in kept:
        stays |= np.linalg.norm(places - np.array(region.centre), axis=1) <= region.radius
    where, radius = where[~stays], radius[~stays]
    paint = _Paint(volume, head, _generator(seeds[1]))
    share = np.clip((maps.new[~stays] - radius) / _edge(volume) + 0.5, 0.0, 1.0)
    at = tuple(where.T)
    values[at] = share * paint.tissue(where) + (1.0 - share) * paint.air(len(where))
    changed[at] = True
    return Redrawn(changed, values)


def _generator(seed: bytes) -> np.random.Generator:
    return np.random.default_rng(np.frombuffer(seed, np.uint32))


def _edge(volume: Volume) -> float:
    return float(np.median(volume.spacing))


def weight_of(cylinder: Cylinder) -> Floats:
    """``(levels, angles)``: 1 on the face, falling to 0 above the brows, at the ears, the neck."""
    height = (cylinder.levels / cylinder.length)[:, None]
    begins, whole, fades, ends = _FACE
    down = np.interp(height, [begins, whole, fades, ends], [0.0, 1.0, 1.0, 0.0])
    return np.asarray(down * np.interp(np.abs(ANGLES), _SIDE, (1.0, 0.0)))


def _layers(head: Head, rng: np.random.Generator) -> _Layers:
    cylinder = head.cylinder
    skin = skin_of(head.body, cylinder)
    weight = weight_of(cylinder) * (skin > 0)
    floor = protected_of(head.cranium, cylinder)
    room = border_of(head.body, cylinder) - skin
    new = _within(drawn(cylinder, skin, weight, rng), skin, room)
    new = np.maximum(new, floor + _OVER_SKULL_MM)
    uneven = gaussian_filter(rng.standard_normal(cylinder.shape), 4.0, mode="nearest")
    depth = _DEPTH_MM + 1.5 * np.clip(uneven / uneven.std(), -1.0, 1.0)
    cut = np.maximum(np.minimum(lowest_nearby(skin), new) - depth, floor)
    return _Layers(
        skin, np.where(weight > 0, weight * cut + (1 - weight) * skin, np.inf),
        weight * new + (1 - weight) * skin,
    )  # fmt: skip


def _within(new: Floats, skin: Floats, room: Floats) -> Floats:
    """The new surface, where the border leaves no room for it below the old: a nose is cut off."""
    tight = maximum_filter(np.clip(_ROOM_MM - room, 0.0, 1.0), 5)
    tight = gaussian_filter(tight, 1.5, mode="nearest")
    return np.asarray((1.0 - tight) * new + tight * (lowest_nearby(skin) - _BELOW_MM))


def _voxels(
    volume: Volume, head: Head, layers: _Layers
) -> tuple[NDArray[np.intp], Floats, _Layers]:
    """Indices of the voxels to draw, their distance from the axis, and the layers there."""
    weight = weight_of(head.cylinder)
    found, radii, maps = [], [], []
    for at in range(len(volume.values)):
        where = _slice(volume, at)
        level, angle, radius = head.cylinder.coordinates(volume.places(where))
        near = looked_up(weight, level, angle) > _LEAST
        where, level, angle, radius = where[near], level[near], angle[near], radius[near]
        here = _Layers(*(looked_up(layer, level, angle) for layer in _finite(layers)))
        drawn_ = (radius > here.cut) & (radius <= np.maximum(here.skin + _HALO_MM, here.new + 1.0))
        found.append(where[drawn_])
        radii.append(radius[drawn_])
        maps.append(np.stack([layer[drawn_] for layer in here]))
    return np.concatenate(found), np.concatenate(radii), _Layers(*np.concatenate(maps, axis=1))


def _finite(layers: _Layers) -> _Layers:
    return layers._replace(cut=np.where(np.isinf(layers.cut), layers.skin, layers.cut))


def _slice(volume: Volume, at: int) -> NDArray[np.intp]:
    rows, columns = np.indices(volume.values.shape[1:]).reshape(2, -1)
    return np.stack([np.full(len(rows), at), rows, columns], axis=1)


class _Paint:
    """Values for what is drawn: soft tissue as it is nearby, air with the air's own noise."""

    def __init__(self, volume: Volume, head: Head, rng: np.random.Generator) -> None:
        self._rng = rng
        self._volume = volume
        self._air = _air_samples(volume, head)
        self._grid, self._mean = head.body, _local_tissue(volume, head)
        self._noise = _noise_of(volume, head)

    def tissue(self, where: NDArray[np.intp]) -> Floats:
        """Values of tissue for voxels given as ``(n, 3)`` indices."""
        at = self._grid.indices(self._volume.places(where))
        near = np.clip(np.rint(at).astype(int), 0, np.array(self._mean.shape) - 1)
        mean = self._mean[tuple(near.T)]
        return np.asarray(mean + self._noise * self._rng.standard_normal(len(where)))

    def air(self, count: int) -> Floats:
        """As many values of air."""
        return np.asarray(self._rng.choice(self._air, count), np.float64)


def _thinned(volume: Volume, head: Head) -> NDArray[np.float32]:
    """The volume's own values, noise included, on the grid of the head's body."""
    ratio = zip(head.body.spacing, volume.spacing, strict=True)
    steps = [max(1, round(coarse / fine)) for coarse, fine in ratio]
    return volume.values[:: steps[0], :: steps[1], :: steps[2]]


def _air_samples(volume: Volume, head: Head) -> NDArray[np.float32]:
    values = _thinned(volume, head)
    outside = binary_erosion(head.body.values < 0.5, iterations=3, border_value=1)
    air = values[outside & (values < head.threshold)]
    if head.modality == "CT":
        # What lies outside of the gantry's circle is padding, not air.
        air = air[air > _PADDING_HU]
    return air if len(air) else np.array([values.min()], np.float32)


def _local_tissue(volume: Volume, head: Head) -> Floats:
    """Mean of the middle half of the shallow soft tissue around each place of the body's grid."""
    values = _thinned(volume, head)
    body = head.body.values > 0.5
    donors = binary_erosion(body, iterations=1) & ~binary_erosion(body, iterations=5)
    donors &= values > head.threshold
    if head.modality == "CT":
        donors &= values < _SOFT_HU
    if not donors.any():
        donors = body
    low, high = np.percentile(values[donors], (25.0, 75.0))
    donors &= (values >= low) & (values <= high)
    sigma = [_NEARBY_MM / space for space in head.body.spacing]
    weight = gaussian_filter(donors.astype(np.float64), sigma)
    mean = gaussian_filter(np.where(donors, values, 0.0).astype(np.float64), sigma)
    # Far from any donor the mean of all counts.
    return np.asarray((mean + _FEW * float(values[donors].mean())) / (weight + _FEW))


def _noise_of(volume: Volume, head: Head) -> float:
    """Standard deviation of the noise, from differences of neighbours in the patient.

    Their median is that of flat places: edges are few.
    """
    some = volume.values[:: max(1, len(volume.values) // 24)]
    flat = np.abs(np.diff(some, axis=2))[some[:, :, 1:] > head.threshold]
    return float(np.median(flat) / 0.6745 / np.sqrt(2.0)) if len(flat) else 0.0
