# SPDX-License-Identifier: Apache-2.0
"""Where the skull is, seen along rays from its middle: nothing inside it may change."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, map_coordinates, median_filter

from deid.faces.grid import Floats, Mask, Volume

_AZIMUTHS, _ELEVATIONS = 72, 31
_LOWEST = np.radians(-30.0)
_BRAINCASE, _FRONT = np.radians(-9.0), np.radians(38.0)
_AHEAD = np.radians(50.0)
"""Above the one, and below it outside the other to both sides, rays meet the skull and no face."""
STEP_MM = 0.75
"""Between samples of a ray."""
_LONGEST_MM = 150.0
_BONE_HU = 220.0
_DARK, _BRIGHT = 0.72, 0.4
"""Share of the signal on both sides that the skull's must fall below in MR; share of the brightest
that a scalp has."""
_DEEPEST_SCALP_MM, _VALLEY_MM = 12.0, 15.0
_SCALP_MM, _SKULL_MM = (1.0, 22.0), (2.0, 18.0)
_INNER_MARGIN_MM, _TABLE_MM = 5.0, 1.5
_SPREAD_MM = 7.0


class Cranium(NamedTuple):
    """The skull.

    Attributes
    ----------
    centre:
        ``(3,)``, patient coordinates in mm.
    matrix:
        ``(3, 3)``; the ellipsoid around all that the skull encloses, with its margin, has
        ``|matrix @ (place - centre_of_it)| <= 1``.
    middle:
        ``(3,)``, the centre of that ellipsoid.
    outer:
        ``(elevations, azimuths)``, mm from ``centre`` to the outside of the skull.
    seen:
        Share of rays on which scalp, skull and inside could be told apart: of all rays, or of
        those to the front, whichever is less.
    spread:
        How far the inner tables lie off the ellipsoid, standard deviation in mm.
    length:
        Length of the head in mm, from front to back.
    """

    centre: Floats
    matrix: Floats
    middle: Floats
    outer: Floats
    seen: float
    spread: float
    length: float

    @property
    def confident(self) -> bool:
        """Whether the skull was seen all around and has the form of one."""
        return self.seen >= 0.8 and self.spread <= _SPREAD_MM

    def holds(self, places: Floats) -> Mask:
        """Whether places ``(..., 3)`` lie inside: within the ellipsoid or the outer table."""
        off = (places - self.middle) @ self.matrix.T
        inside = np.einsum("...i,...i->...", off, off) <= 1.0
        ray = places - self.centre
        far = np.linalg.norm(ray, axis=-1)
        elevation = np.arcsin(np.clip(ray[..., 2] / np.maximum(far, 1e-6), -1.0, 1.0))
        azimuth = np.arctan2(ray[..., 0], -ray[..., 1])
        at = [
            (elevation - _LOWEST) / (np.pi / 2 - _LOWEST) * (_ELEVATIONS - 1),
            azimuth / (2 * np.pi) * _AZIMUTHS,
        ]
        table = map_coordinates(self.outer, at, order=1, mode="grid-wrap")
        return np.asarray(inside | ((elevation >= _LOWEST) & (far <= table - _TABLE_MM)))


def cranium_of(volume: Volume, body: Volume, centre: Floats, modality: str) -> Cranium:
    """Find the skull.

    Parameters
    ----------
    volume:
        What to look at, about 2 mm between voxels.
    body:
        The same grid; above 0.5 where the patient is.
    centre:
        A place well inside the skull, patient coordinates in mm.
    modality:
        ``CT`` or ``MR``.
    """
    directions = _directions()
    steps = np.arange(0.0, _LONGEST_MM, STEP_MM)
    places = centre + directions[:, :, None, :] * steps[:, None]
    profiles = gaussian_filter1d(volume.sampled(places, 0.0), 1.0, axis=-1)
    skin = _last(body.sampled(places, 0.0) > 0.5)
    outer, inner = _tables(profiles, skin, modality)
    elevation, azimuth = _angles()
    case = np.broadcast_to(elevation >= _BRAINCASE, skin.shape)
    found = ~np.isnan(outer) & ~np.isnan(inner) & case
    ahead = case & (np.minimum(azimuth, 2 * np.pi - azimuth) < _AHEAD)
    seen = float(min(found.sum() / case.sum(), (found & ahead).sum() / ahead.sum()))
    if seen < 0.3:
        return _unseen(centre, seen)
    matrix, middle, spread = _ellipsoid(centre + directions[found] * inner[found][:, None])
    faceward = (elevation < _BRAINCASE) & (np.minimum(azimuth, 2 * np.pi - azimuth) < _FRONT)
    outer = np.where(faceward, 0.0, _smooth(outer))
    return Cranium(centre, matrix, middle, outer, seen, spread, _length(skin))


def _unseen(centre: Floats, seen: float) -> Cranium:
    return Cranium(centre, np.eye(3), centre, np.zeros((_ELEVATIONS, _AZIMUTHS)), seen, np.inf, 0.0)


def _angles() -> tuple[Floats, Floats]:
    elevation = np.linspace(_LOWEST, np.pi / 2, _ELEVATIONS)[:, None]
    azimuth = np.arange(_AZIMUTHS)[None, :] * (2 * np.pi / _AZIMUTHS)
    return np.asarray(elevation, np.float64), np.asarray(azimuth, np.float64)


def _directions() -> Floats:
    """``(elevations, azimuths, 3)``; azimuth 0 looks to the front."""
    elevation, azimuth = _angles()
    return np.stack(
        [
            np.cos(elevation) * np.sin(azimuth),
            -np.cos(elevation) * np.cos(azimuth),
            np.broadcast_to(np.sin(elevation), (_ELEVATIONS, _AZIMUTHS)),
        ],
        axis=-1,
    )


def _last(inside: Mask) -> NDArray[np.intp]:
    """Index of the last true sample of each ray, -1 where there is none."""
    count = inside.shape[-1]
    found = count - 1 - np.argmax(inside[..., ::-1], axis=-1)
    return np.where(inside.any(axis=-1), found, -1)


def _length(skin: NDArray[np.intp]) -> float:
    level = skin[round(-_LOWEST / (np.pi / 2 - _LOWEST) * (_ELEVATIONS - 1))]
    return float(level[0] + level[_AZIMUTHS // 2]) * STEP_MM


def _tables(profiles: Floats, skin: NDArray[np.intp], modality: str) -> tuple[Floats, Floats]:
    """Outer and inner table in mm from the centre, nan where a ray doesn't show them."""
    outer = np.full(skin.shape, np.nan)
    inner = np.full(skin.shape, np.nan)
    for at in np.ndindex(*skin.shape):
        if skin[at] > 0:
            found = table_along(profiles[at], int(skin[at]), modality)
            if found is not None:
                outer[at], inner[at] = found
    return outer, inner


def table_along(profile: Floats, skin: int, modality: str) -> tuple[float, float] | None:
    """Outer and inner table in mm from where a ray begins; ``None`` where it shows none.

    Parameters
    ----------
    profile:
        Values along the ray, ``STEP_MM`` between them.
    skin:
        Index of the outermost that lies in the patient.
    modality:
        ``CT`` or ``MR``.
    """
    deepest = max(0, skin - round((_SCALP_MM[1] + _SKULL_MM[1]) / STEP_MM))
    # From the skin inwards.
    values = profile[deepest : skin + 1][::-1]
    skull = values > _BONE_HU if modality == "CT" else _dark_band(values)
    if not skull.any():
        return None
    first = int(np.argmax(skull))
    last = _end_of_run(skull, first)
    scalp, thick = first * STEP_MM, (last - first) * STEP_MM
    if not _SCALP_MM[0] <= scalp <= _SCALP_MM[1] or not _SKULL_MM[0] <= thick <= _SKULL_MM[1]:
        return None
    return (skin - first) * STEP_MM, (skin - last) * STEP_MM


def _dark_band(values: Floats) -> Mask:
    """Where MR shows the skull: the valley between the scalp and what is inside, half way down.

    A thin skull is blurred by what is bright on both of its sides, so its own signal tells little.
    """
    # A thin piece of a head ends before.
    reach = min(round(_DEEPEST_SCALP_MM / STEP_MM), len(values) - 1)
    if reach < 1:
        return np.zeros(values.shape, np.bool_)
    bright = values[:reach] >= _BRIGHT * values[:reach].max()
    peaks = np.flatnonzero(bright & (values[:reach] > values[1 : reach + 1]))
    none = np.zeros(values.shape, np.bool_)
    if not peaks.size:
        return none
    peak = int(peaks[0])
    valley = peak + int(np.argmin(values[peak : peak + round(_VALLEY_MM / STEP_MM)]))
    inside = float(values[valley : valley + round(_VALLEY_MM / STEP_MM)].max())
    rim, least = min(float(values[peak]), inside), float(values[valley])
    if least > _DARK * rim:
        return none
    dark = values < (least + rim) / 2
    dark[: peak + 1] = False
    return np.asarray(dark)


def _end_of_run(run: Mask, first: int) -> int:
    """Where it ends; gaps of up to 3 mm (marrow, a sinus) don't end it."""
    gap, end = round(3.0 / STEP_MM), first
    for at in range(first, len(run)):
        if run[at]:
            end = at
        elif at - end > gap:
            break
    return end


def _ellipsoid(points: Floats) -> tuple[Floats, Floats, float]:
    """The ellipsoid of the inner tables, grown until it holds them all and a margin.

    Its axes are free in length and stand along those of the points' spread; least squares on the
    quadric, twice, the second time without points far off the first.
    """
    kept = points
    for _ in range(2):
        matrix, middle = _quadric(kept)
        off = (np.linalg.norm((points - middle) @ matrix.T, axis=1) - 1.0) / _mean_scale(matrix)
        kept = points[np.abs(off) <= max(3.0, 2.5 * float(np.std(off)))]
    spread = float(np.std(off))
    grown = float(np.quantile(off, 0.98)) + _INNER_MARGIN_MM
    axes = 1.0 / np.linalg.norm(matrix, axis=1)
    scale = axes / (axes + max(grown, _INNER_MARGIN_MM))
    return matrix * scale[:, None], middle, spread


def _mean_scale(matrix: Floats) -> float:
    return float(np.cbrt(abs(np.linalg.det(matrix))))


def _quadric(points: Floats) -> tuple[Floats, Floats]:
    offset = points.mean(axis=0)
    x, y, z = ((points - offset) / 100.0).T
    design = np.stack([x * x, y * y, z * z, 2 * x * y, 2 * x * z, 2 * y * z, x, y, z], axis=1)
    a, b, c, d, e, f, g, h, i = np.linalg.lstsq(design, np.ones(len(x)), rcond=None)[0]
    form = np.array([[a, d, e], [d, b, f], [e, f, c]])
    lengths, turned = np.linalg.eigh(form)
    # Points of a bowl alone can leave an axis open; such a fit is told by its spread.
    lengths = np.maximum(lengths, 0.2)
    form = turned @ np.diag(lengths) @ turned.T
    middle = -0.5 * np.linalg.solve(form, np.array([g, h, i]))
    level = 1.0 + middle @ form @ middle
    matrix = np.diag(np.sqrt(lengths / level)) @ turned.T / 100.0
    return matrix, middle * 100.0 + offset


def _smooth(outer: Floats) -> Floats:
    """Rays without a skull get their neighbours'; single rays that saw something else too."""
    known = outer.copy()
    overall = float(np.nanmedian(outer))
    for level in known:
        lost = np.isnan(level)
        level[lost] = overall if lost.all() else float(np.median(level[~lost]))
    around = np.pad(known, ((0, 0), (1, 1)), mode="wrap")
    return np.asarray(median_filter(around, size=3, mode="nearest")[:, 1:-1])
