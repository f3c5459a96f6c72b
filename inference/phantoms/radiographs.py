# SPDX-License-Identifier: Apache-2.0
"""Schematic radiographs of whole regions, and images that are none, for the single-image model.

Head, chest, abdomen, pelvis and legs are parallel projections of the whole-body phantom; hands,
knees, breasts and lateral spines are drawn with capsules and ovals. They are schematic on purpose:
they teach coarse shape (what is dense, what is airy, what outline), not what patients look like.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, zoom

from inference.contract import RegionName
from inference.phantoms.body import BodyVolume, body_volume
from inference.phantoms.chest import chest_phantom

Picture = npt.NDArray[np.float32]

SHOWN: Final[tuple[RegionName, ...]] = (
    "head",
    "spine",
    "chest",
    "breast",
    "abdomen",
    "pelvis",
    "upper limb",
    "lower limb",
)
"""Regions of which there are radiograph phantoms."""
SIDE: Final = 64
_SPACING_MM = 10.0
_RAYS = np.linspace(-1.0, 1.0, SIDE, dtype=np.float32)
_X, _Y = np.meshgrid(_RAYS, _RAYS)
_FINGERS = ((-0.62, -0.35), (-0.32, 0.05), (-0.05, 0.12), (0.2, 0.06), (0.42, -0.1))


def radiograph(region: RegionName, seed: int) -> Picture:
    """Make one radiograph.

    :param region: one of :data:`SHOWN`.
    :returns: ``(64, 64)``, 0 to 1, bright is dense (MONOCHROME2).
    :raises KeyError: for a region without phantoms.
    """
    rng = np.random.default_rng([seed, SHOWN.index(region)])
    return _scaled(_PAINTERS[region](rng, seed))


def no_radiograph(seed: int) -> Picture:
    """Make an image that shows no region: texture, a fan, a page, stripes, blobs, nearly nothing.

    :returns: ``(64, 64)``, 0 to 1.
    """
    rng = np.random.default_rng([seed, 99])
    kinds = (_texture, _fan, _page, _stripes, _blobs, _plain)
    return _scaled(kinds[int(rng.integers(len(kinds)))](rng))


def _scaled(picture: Picture) -> Picture:
    low, high = float(picture.min()), float(picture.max())
    scaled: Picture = ((picture - low) / max(high - low, 1e-6)).astype(np.float32)
    return scaled


def _fitted(projection: Picture) -> Picture:
    """A projection of whatever shape on the square grid, its proportions kept, air around it."""
    factor = SIDE / max(projection.shape)
    small = zoom(projection, factor, order=1)[:SIDE, :SIDE]
    whole = np.zeros((SIDE, SIDE), np.float32)
    top, left = ((SIDE - n) // 2 for n in small.shape)
    whole[top : top + small.shape[0], left : left + small.shape[1]] = small
    return whole


def _projected(volume: BodyVolume, region: RegionName, lateral: bool) -> Picture:
    """Attenuation along the rays through the slices of one region: rows go down the body."""
    shown = np.array([one == region for one in volume.regions])
    density = np.clip((volume.slices[shown] + 1000.0) / 1000.0, 0.0, 2.2)
    summed: Picture = density.sum(axis=2 if lateral else 1)
    covered = np.flatnonzero(summed.max(axis=0) > 1.0)
    return summed[:, covered[0] : covered[-1] + 1] if covered.size else summed


def _of_body(region: RegionName, laterals: float) -> Callable[[np.random.Generator, int], Picture]:
    def paint(rng: np.random.Generator, seed: int) -> Picture:
        lateral = rng.random() < laterals
        return _fitted(_projected(body_volume(seed, _SPACING_MM), region, lateral))

    return paint


def _chest(rng: np.random.Generator, seed: int) -> Picture:
    if rng.random() < 0.5:
        return _of_body("chest", 0.35)(rng, seed)
    return chest_phantom(seed, SIDE).pixels.astype(np.float32)


def _legs(rng: np.random.Generator, seed: int) -> Picture:
    if rng.random() < 0.45:
        return _knee(rng)
    projection = _projected(body_volume(seed, _SPACING_MM), "lower limb", rng.random() < 0.2)
    length = int(rng.uniform(0.25, 0.6) * len(projection))
    first = int(rng.integers(0, len(projection) - length))
    part = projection[first : first + length]
    if rng.random() < 0.5:
        part = part[:, : part.shape[1] // 2]
    return _fitted(part)


def _capsule(
    start: tuple[float, float], end: tuple[float, float], radius: float, waist: float = 0.0
) -> Picture:
    """Thickness of a rod between two points, thinner in the middle by ``waist``."""
    along = np.array([end[0] - start[0], end[1] - start[1]], np.float32)
    length = float(along @ along) + 1e-6
    at = np.clip(((_X - start[0]) * along[0] + (_Y - start[1]) * along[1]) / length, 0.0, 1.0)
    far = np.hypot(_X - start[0] - at * along[0], _Y - start[1] - at * along[1])
    width = radius * (1.0 - waist * np.sin(np.pi * at))
    thick: Picture = np.sqrt(np.clip(width**2 - far**2, 0.0, None)).astype(np.float32)
    return thick


def _oval(at: tuple[float, float], radii: tuple[float, float]) -> Picture:
    inside = 1.0 - ((_X - at[0]) / radii[0]) ** 2 - ((_Y - at[1]) / radii[1]) ** 2
    thick: Picture = np.sqrt(np.clip(inside, 0.0, None)).astype(np.float32) * min(radii)
    return thick


def _arm(rng: np.random.Generator, _seed: int) -> Picture:
    return _hand(rng) if rng.random() < 0.65 else _elbow(rng)


def _hand(rng: np.random.Generator) -> Picture:
    soft = _oval((0.0, 0.35), (0.48, 0.42)) + _capsule((0.0, 0.6), (0.0, 1.4), 0.26)
    bone = _capsule((-0.12, 0.85), (-0.14, 1.4), 0.1) + _capsule((0.14, 0.85), (0.14, 1.4), 0.09)
    for number, (tip, lift) in enumerate(_FINGERS):
        base = (-0.3 + 0.15 * number, 0.5)
        end = (
            tip + rng.normal(0.0, 0.04),
            -0.75 - lift * rng.uniform(0.8, 1.2) + 0.25 * (not number),
        )
        soft = np.maximum(soft, _capsule((base[0], 0.3), end, 0.11))
        joints = [
            np.asarray(base) + share * (np.asarray(end) - base) for share in (0, 0.4, 0.7, 0.88, 1)
        ]
        for upper, lower in pairwise(joints):
            near, far = upper + 0.08 * (lower - upper), lower - 0.08 * (lower - upper)
            bone = np.maximum(bone, _capsule(tuple(near), tuple(far), 0.055, 0.35))
    for _ in range(8):
        at = (float(rng.uniform(-0.25, 0.25)), float(rng.uniform(0.6, 0.8)))
        bone = np.maximum(bone, _oval(at, (0.07, 0.06)))
    return np.asarray(0.5 * soft + 2.2 * bone, np.float32)


def _elbow(rng: np.random.Generator) -> Picture:
    turn = float(rng.uniform(-0.9, 0.9))
    upper, lower = (float(rng.normal(0, 0.08)), -1.4), (1.2 * np.sin(turn), 1.3 * np.cos(turn))
    soft = _capsule(upper, (0.0, 0.0), 0.36) + _capsule((0.0, 0.0), lower, 0.33)
    bone = _capsule(upper, (0.0, -0.08), 0.15, 0.15) + _oval((0.0, -0.02), (0.24, 0.14))
    for side in (-0.11, 0.11):
        bone = bone + _capsule((side, 0.1), (lower[0] + side, lower[1]), 0.1, 0.2)
    return np.asarray(0.5 * soft + 1.8 * bone, np.float32)


def _knee(rng: np.random.Generator) -> Picture:
    wide = float(rng.uniform(0.85, 1.15))
    soft = _capsule((0.0, -1.4), (0.0, 1.4), 0.62 * wide, 0.12)
    bone = _capsule((0.0, -1.4), (0.0, -0.25), 0.2 * wide) + _capsule(
        (-0.03, 0.3), (-0.05, 1.4), 0.2
    )
    for side in (-0.2, 0.2):
        bone = (
            bone
            + _oval((side * wide, -0.16), (0.22, 0.2))
            + _oval((side * wide, 0.2), (0.22, 0.13))
        )
    bone = bone + _capsule((0.33, 0.35), (0.3, 1.4), 0.08)
    if rng.random() < 0.6:
        bone = bone + 0.6 * _oval((0.0, -0.3), (0.17, 0.17))
    return np.asarray(0.5 * soft + 1.3 * bone, np.float32)


def _breast(rng: np.random.Generator, _seed: int) -> Picture:
    deep, high = float(rng.uniform(0.8, 1.5)), float(rng.uniform(0.6, 0.95))
    inside = _oval((-1.0, float(rng.normal(0.0, 0.1))), (deep, high)) > 0.0
    glands = gaussian_filter(rng.standard_normal((SIDE, SIDE)), 2.5)
    glands = np.clip(glands / glands.std(), -1.5, 2.5)
    towards = np.exp(-(((_X + 1.0 - 0.5 * deep) / (0.4 * deep)) ** 2) - (_Y / (0.6 * high)) ** 2)
    picture = inside * (0.45 + 0.18 * glands * towards + 0.35 * towards * rng.uniform(0.2, 1.0))
    if rng.random() < 0.55:
        muscle = rng.uniform(0.5, 0.9) > (_X + 1.0) + 0.7 * (_Y + 1.0)
        picture = np.where(muscle, 0.85, picture)
    return np.asarray(gaussian_filter(picture, 0.6), np.float32)


def _spine(rng: np.random.Generator, _seed: int) -> Picture:
    count, bend = int(rng.integers(5, 9)), float(rng.normal(0.0, 0.25))
    soft = (
        0.7 - 0.25 * np.abs(_X) + 0.08 * gaussian_filter(rng.standard_normal((SIDE, SIDE)), 6) * 6
    )
    bone = np.zeros_like(_X)
    lateral = rng.random() < 0.7
    for number in range(count):
        down = -1.0 + 2.0 * (number + 0.5) / count
        middle = bend * (1.0 - down**2)
        half = 0.8 / count
        body = (np.abs(_X - middle) < 0.2 + 0.04 * down) & (np.abs(_Y - down) < half)
        bone = np.maximum(bone, body * 0.9)
        if lateral:
            spike = _capsule((middle + 0.25, down), (middle + 0.55, down + 0.12), 0.06)
            bone = np.maximum(bone, 6.0 * spike)
        else:
            for side in (-1.0, 1.0):
                wing = _capsule((middle + 0.2 * side, down), (middle + 0.42 * side, down), 0.05)
                bone = np.maximum(bone, 6.0 * wing)
            bone = np.maximum(bone, 8.0 * _oval((middle, down), (0.05, half * 0.8)))
    return np.asarray(gaussian_filter(soft + bone, 0.7), np.float32)


def _texture(rng: np.random.Generator) -> Picture:
    return np.asarray(
        gaussian_filter(rng.standard_normal((SIDE, SIDE)), rng.uniform(0.3, 9)), np.float32
    )


def _fan(rng: np.random.Generator) -> Picture:
    angle, far = np.arctan2(_X, _Y + 1.1), np.hypot(_X, _Y + 1.1)
    inside = (np.abs(angle) < rng.uniform(0.4, 0.8)) & (far > 0.25) & (far < 2.0)
    speckle = np.abs(gaussian_filter(rng.standard_normal((SIDE, SIDE)), rng.uniform(0.5, 3)))
    return np.asarray(inside * speckle, np.float32)


def _page(rng: np.random.Generator) -> Picture:
    page = np.ones((SIDE, SIDE), np.float32)
    for line in range(4, SIDE - 4, int(rng.integers(3, 7))):
        ink = rng.random(SIDE) < 0.6
        page[line : line + 2, 4 : int(rng.integers(20, 60))] -= 0.8 * ink[4:SIDE][None, :1]
        page[line, :] -= 0.5 * ink
    return page


def _stripes(rng: np.random.Generator) -> Picture:
    turn = rng.uniform(0, np.pi)
    wave = np.sin((_X * np.cos(turn) + _Y * np.sin(turn)) * rng.uniform(4, 40))
    return np.asarray(wave, np.float32)


def _blobs(rng: np.random.Generator) -> Picture:
    picture = np.zeros((SIDE, SIDE), np.float32)
    for _ in range(int(rng.integers(1, 7))):
        at, radii = rng.uniform(-0.9, 0.9, 2), rng.uniform(0.05, 0.7, 2)
        picture += rng.uniform(0.3, 1) * _oval(
            (float(at[0]), float(at[1])), (float(radii[0]), float(radii[1]))
        )
    return picture


def _plain(rng: np.random.Generator) -> Picture:
    slope = _X * rng.normal() + _Y * rng.normal()
    return np.asarray(slope + 0.02 * rng.standard_normal((SIDE, SIDE)), np.float32)


_PAINTERS: Final[dict[RegionName, Callable[[np.random.Generator, int], Picture]]] = {
    "head": _of_body("head", 0.5),
    "spine": _spine,
    "chest": _chest,
    "breast": _breast,
    "abdomen": _of_body("abdomen", 0.1),
    "pelvis": _of_body("pelvis", 0.05),
    "upper limb": _arm,
    "lower limb": _legs,
}
