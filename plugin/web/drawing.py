# SPDX-License-Identifier: AGPL-3.0-or-later
"""Drawing heat maps for requests: the rendered image, its masks, and the picture over it.

What Orthanc renders and the masks found on it are kept for the images looked at last, so that
another class, level or opacity costs the drawing alone.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from threading import BoundedSemaphore, Lock
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.contract import ClassProbability
from plugin.heatmaps import Layer, Placement, composite, heat_map, probability_layer, saliency
from plugin.heatmaps.masks import RegionMask, RegionName, find_mask
from plugin.web.images import AnalysedImage
from plugin.web.looks import Look
from plugin.web.protocols import Archive
from plugin.web.rendered import read_rendered

_IMAGES_KEPT = 4
_MASKS_KEPT = 256

_Value = TypeVar("_Value")
Colour = tuple[int, int, int]


class Drawn(NamedTuple):
    """A picture, and what had to be done otherwise than asked."""

    png: bytes
    regions: tuple[RegionMask, ...]

    def headers(self) -> dict[str, str]:
        """``Sidelight-Mask`` and, where a mask could not be found, ``Sidelight-Warning``."""
        applied = {mask.region if mask.area is not None else "none" for mask in self.regions}
        headers = {"Sidelight-Mask": ", ".join(sorted(applied)) or "none"}
        warnings = sorted({mask.warning for mask in self.regions if mask.warning})
        if warnings:
            headers["Sidelight-Warning"] = "; ".join(warnings)
        return headers


class Subject(NamedTuple):
    """One finding with the look that is asked for, and its colour where it is not alone."""

    item: ClassProbability
    look: Look
    colour: Colour | None = None


class Artist:
    """Draws for several requests at a time."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._images: _Recent[Image.Image] = _Recent(_IMAGES_KEPT)
        self._masks: _Recent[RegionMask] = _Recent(_MASKS_KEPT)
        # A picture of 2048 x 2048 takes 60 MB while it is drawn.
        self._drawing = BoundedSemaphore(os.cpu_count() or 1)

    def alone(self, found: AnalysedImage, subject: Subject, width: int | None) -> Drawn:
        """One heat map, to be laid over the image."""
        with self._drawing:
            placement = _placement(found, *_size(found, width))
            layer, mask = self._layer(found, subject, placement)
            return Drawn(heat_map(layer, placement), (mask,))

    def over(self, found: AnalysedImage, subjects: Sequence[Subject], width: int | None) -> Drawn:
        """Heat maps blended over the rendered image, the first one topmost."""
        with self._drawing:
            rendered = _resized(self.rendered(found.scan.instance), width)
            placement = _placement(found, rendered.height, rendered.width)
            made = [self._layer(found, subject, placement) for subject in subjects]
            png = composite([layer for layer, _ in made], placement, rendered)
            return Drawn(png, tuple(mask for _, mask in made))

    def rendered(self, instance_id: str) -> Image.Image:
        """The image as Orthanc renders it."""
        return self._images.get(
            instance_id, lambda: read_rendered(self._archive.rendered(instance_id))
        )

    def mask(self, instance_id: str, region: RegionName) -> RegionMask:
        """A region of an image."""
        if region == "none":
            return RegionMask("none", None)
        return self._masks.get(
            (instance_id, region), lambda: find_mask(self.rendered(instance_id), region)
        )

    def _layer(
        self, found: AnalysedImage, subject: Subject, placement: Placement
    ) -> tuple[Layer, RegionMask]:
        look = subject.look
        mask = self.mask(found.scan.instance, look.region)
        layer = layer_of(
            subject.item.maps[look.level].array(),
            look,
            subject.colour,
            mask.at(placement.height, placement.width),
        )
        return layer, mask


def layer_of(
    cells: NDArray[np.float32],
    look: Look,
    colour: Colour | None,
    mask: NDArray[np.bool_] | None,
) -> Layer:
    """The layer that a look asks for."""
    common = {"opacity": look.opacity, "smoothing": look.smoothing}
    if look.style == "saliency":
        chosen = {} if colour is None else {"colour": colour}
        return saliency(cells, look.threshold, mask=mask, **chosen, **common)  # type: ignore[arg-type]
    layer = probability_layer(cells, colour=colour, mask=mask, **common)
    return layer.from_threshold(look.threshold)


class _Recent(Generic[_Value]):
    """The values asked for last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, _Value] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], _Value]) -> _Value:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        with self._lock:
            self._values[key] = value
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        return value


def _placement(found: AnalysedImage, height: int, width: int) -> Placement:
    image = found.image
    return Placement(image.extent, image.rows, image.columns, height, width)


def _size(found: AnalysedImage, width: int | None) -> tuple[int, int]:
    image = found.image
    if width is None:
        return image.rows, image.columns
    return max(1, round(image.rows * width / image.columns)), width


def _resized(rendered: Image.Image, width: int | None) -> Image.Image:
    if width is None or width == rendered.width:
        return rendered
    height = max(1, round(rendered.height * width / rendered.width))
    return rendered.convert("RGB").resize(
        (width, height), Image.Resampling.BILINEAR, reducing_gap=2.0
    )
