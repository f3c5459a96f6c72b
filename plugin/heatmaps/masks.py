# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where on an image a class of findings can be at all: lungs, heart, breast, whole body.

A mask is found on the windowed image by thresholds and connected components, on a copy of at most
256 pixels. It is drawn generously, because a masked pixel gets no colour: lungs are the convex
hulls of both dark fields, each joined with the mirror image of the other one, so that an opacity
does not cut itself out. The heart is placed by the lungs. This is image processing, not anatomy:
whatever looks implausible is no mask at all, with the reason in words, and the heat map is then
shown whole.

Otsu, "A threshold selection method from gray-level histograms", IEEE SMC-9(1), 1979.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from plugin.heatmaps.hulls import convex_hull

RegionName = Literal["lungs", "heart", "breast", "body", "none"]
REGIONS: tuple[RegionName, ...] = get_args(RegionName)
METHOD = "thresholds and connected components, version 1"

_LONGEST = 256
_MARGIN = 0.02
_PERCENTILES = tuple(range(60, 10, -4))
_LARGEST_RIM = 0.04
_BASES = 0.16

Grey = NDArray[np.float32]
Area = NDArray[np.bool_]


class ImplausibleMaskError(ValueError):
    """What was found can't be the region; says why."""


@dataclass(frozen=True)
class RegionMask:
    """One region of one image.

    Attributes:
        region: which one; ``none`` masks nothing.
        area: true where the region is, of at most 256 x 256 pixels; None where nothing is masked.
        warning: why nothing is masked although a region was asked for.
    """

    region: RegionName
    area: Area | None
    warning: str = ""

    def at(self, height: int, width: int) -> Area | None:
        """The mask in the size of a picture, its edge interpolated."""
        if self.area is None:
            return None
        small = Image.fromarray(self.area.astype(np.uint8) * 255)
        large = small.resize((width, height), Image.Resampling.BILINEAR)
        shown: Area = np.asarray(large) >= 128
        return shown


def find_mask(rendered: Image.Image, region: RegionName) -> RegionMask:
    """Find a region on the windowed image, or say why not."""
    if region == "none":
        return RegionMask(region, None)
    try:
        return RegionMask(region, _FINDERS[region](_small(rendered)))
    except ImplausibleMaskError as error:
        return RegionMask(region, None, f"no mask of the {region}: {error}; shown unmasked")


def run_lengths(area: Area) -> list[int]:
    """Lengths of the runs of pixels, row by row: outside, inside, outside, and so on."""
    flat = area.ravel()
    turns = np.flatnonzero(np.diff(flat.astype(np.int8))) + 1
    lengths = np.diff(np.concatenate([[0], turns, [flat.size]])).tolist()
    return [0, *lengths] if flat[0] else lengths


def _small(rendered: Image.Image) -> Grey:
    grey = rendered.convert("L")
    scale = _LONGEST / max(grey.size)
    if scale < 1.0:
        size = (max(1, round(grey.width * scale)), max(1, round(grey.height * scale)))
        grey = grey.resize(size, Image.Resampling.BOX, reducing_gap=2.0)
    values = np.asarray(grey, np.float32) / np.float32(255.0)
    if min(values.shape) < 32:
        raise ImplausibleMaskError("the image is too small")
    smooth: Grey = ndimage.gaussian_filter(values, 1.5)
    return smooth


def _body(grey: Grey) -> Area:
    bright = grey > 0.5 * _otsu(grey)
    body = ndimage.binary_fill_holes(_largest(bright))
    _demand(body.mean() >= 0.15, "hardly anything stands out from the background")
    return _grown(body)


def _breast(grey: Grey) -> Area:
    breast = ndimage.binary_fill_holes(_largest(grey > 0.6 * _otsu(grey)))
    _demand(0.04 <= breast.mean() <= 0.85, "no breast stands out from the background")
    chest_wall = max(float(breast[:, :2].mean()), float(breast[:, -2:].mean()))
    _demand(chest_wall >= 0.15, "what stands out does not reach the chest wall's side")
    return _grown(breast)


def _lungs(grey: Grey) -> Area:
    sides = _dark_fields(grey)
    middle = _midline(sides)
    hulls = [convex_hull(side) for side in sides]
    mirrored = [_mirrored(hull, middle) for hull in hulls]
    lungs = _lowered(hulls[0] | mirrored[1] | hulls[1] | mirrored[0])
    _demand(lungs.mean() <= 0.80, "the dark fields take most of the image")
    return _grown(lungs)


def _heart(grey: Grey) -> Area:
    lungs = _lungs(grey)
    down, across = np.flatnonzero(lungs.any(axis=1)), np.flatnonzero(lungs.any(axis=0))
    top, bottom = float(down[0]), float(down[-1])
    left, right = float(across[0]), float(across[-1])
    height, width = bottom - top, right - left
    # The heart lies left of the midline, which is right on the image, in the lower two thirds.
    y, x = np.indices(grey.shape, dtype=np.float32)
    centre_x, centre_y = (left + right) / 2 + 0.07 * width, top + 0.66 * height
    ellipse = ((x - centre_x) / (0.37 * width)) ** 2 + ((y - centre_y) / (0.42 * height)) ** 2
    return np.asarray(ellipse <= 1.0, bool)


_FINDERS = {"body": _body, "breast": _breast, "lungs": _lungs, "heart": _heart}


def _dark_fields(grey: Grey) -> tuple[Area, Area]:
    """The dark field on each side of the image that is not the air around the body.

    The threshold goes down from the brighter half of the body until two fields are left that can
    be lungs: the highest one keeps most of them.
    """
    inside = ndimage.binary_erosion(_filled_body(grey), iterations=2)
    _demand(inside.mean() >= 0.2, "hardly anything stands out from the background")
    reason = ""
    for threshold in np.percentile(grey[inside], _PERCENTILES):
        try:
            return _pair(inside & (grey < threshold), inside)
        except ImplausibleMaskError as error:
            reason = str(error)
    raise ImplausibleMaskError(reason)


def _pair(dark: Area, inside: Area) -> tuple[Area, Area]:
    """The largest dark field of either half of the image."""
    labels, count = ndimage.label(ndimage.binary_opening(dark, iterations=2))
    _demand(count > 0, "no dark fields inside the body")
    half = dark.shape[1] / 2
    best: dict[int, tuple[int, int]] = {}
    sizes = np.bincount(labels.ravel())
    centres = ndimage.center_of_mass(labels > 0, labels, range(1, count + 1))
    for label, (_, x) in enumerate(centres, start=1):
        side = int(x >= half)
        best[side] = max(best.get(side, (0, 0)), (int(sizes[label]), label))
    _demand(len(best) == 2, "dark fields on one side only")
    left, right = (labels == best[side][1] for side in (0, 1))
    _plausible_pair(left, right)
    rim = inside & ~ndimage.binary_erosion(inside, iterations=3)
    touching = max(float((side & rim).sum() / side.sum()) for side in (left, right))
    _demand(touching <= _LARGEST_RIM, "the dark fields reach the outside of the body")
    return left, right


def _filled_body(grey: Grey) -> Area:
    """The body with its lungs, without the air around it."""
    bright = grey > 0.35 * _otsu(grey)
    closed = ndimage.binary_closing(np.pad(bright, 12), iterations=8)[12:-12, 12:-12]
    filled: Area = ndimage.binary_fill_holes(_largest(closed))
    return filled


def _plausible_pair(left: Area, right: Area) -> None:
    shares = (float(left.mean()), float(right.mean()))
    _demand(min(shares) >= 0.025, "a dark field is too small for a lung")
    _demand(max(shares) <= 0.35, "a dark field is too large for a lung")
    _demand(max(shares) <= 5.0 * min(shares), "the dark fields differ too much in size")
    both = left.any(axis=1) & right.any(axis=1)
    either = left.any(axis=1) | right.any(axis=1)
    _demand(both.sum() >= 0.3 * either.sum(), "the dark fields do not lie side by side")


def _midline(sides: tuple[Area, Area]) -> float:
    """Half way between the outer borders of both fields."""
    across = np.flatnonzero((sides[0] | sides[1]).any(axis=0))
    return float(across[0] + across[-1]) / 2


def _mirrored(area: Area, middle: float) -> Area:
    columns = np.rint(2 * middle - np.arange(area.shape[1])).astype(np.intp)
    there = (columns >= 0) & (columns < area.shape[1])
    mirrored = np.zeros_like(area)
    mirrored[:, there] = area[:, columns[there]]
    return mirrored


def _lowered(area: Area) -> Area:
    """The area and what lies right below it: fluid on both sides hides both bases."""
    height = int(area.any(axis=1).sum())
    below = np.zeros_like(area)
    for step in range(2, max(3, round(_BASES * height)), 2):
        below[step:] |= area[:-step]
    return area | below


def _largest(area: Area) -> Area:
    labels, count = ndimage.label(area)
    if count == 0:
        return np.zeros_like(area)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    largest: Area = labels == int(np.argmax(sizes))
    return largest


def _grown(area: Area) -> Area:
    pixels = max(1, round(_MARGIN * max(area.shape)))
    grown: Area = ndimage.binary_dilation(area, iterations=pixels)
    return grown


def _otsu(values: NDArray[np.float32]) -> float:
    """The threshold that separates two classes of grey best (Otsu 1979)."""
    counts, edges = np.histogram(values, bins=128, range=(0.0, 1.0))
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    total = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (total / below - (total[-1] - total) / above) ** 2
    return float(centres[int(np.nanargmax(np.nan_to_num(between, nan=-1.0)))])


def _demand(holds: bool | np.bool_, otherwise: str) -> None:
    if not holds:
        raise ImplausibleMaskError(otherwise)
