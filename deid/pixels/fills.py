# SPDX-License-Identifier: Apache-2.0
"""What stands where text was, and what the header says of the values then."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from deid.elements import Element
from deid.pixels.palettes import Palette
from deid.reading import DOUBLE_FLOAT_PIXEL_DATA, FLOAT_PIXEL_DATA
from deid.stages import Instance

GREY = ("MONOCHROME1", "MONOCHROME2")
FLOATS = {FLOAT_PIXEL_DATA: 4, DOUBLE_FLOAT_PIXEL_DATA: 8}
PADDING, PADDING_LIMIT = 0x00280120, 0x00280121
# Float and Double Float Pixel Padding Value.
_FLOAT_PADDING = {FLOAT_PIXEL_DATA: 0x00280122, DOUBLE_FLOAT_PIXEL_DATA: 0x00280123}
_SMALLEST, _LARGEST = (0x00280106, 0x00280108), (0x00280107, 0x00280109)
"""Smallest and Largest Image Pixel Value, and those of the series."""


def fill_of(
    instance: Instance, photometric: str, dtype: np.dtype[Any], palette: Palette | None = None
) -> Any:
    """Black as it is displayed, or padding where a grey image has a value for it.

    Models see both as nothing: padding is no image, and black is the outside of one.

    Parameters
    ----------
    photometric:
        Photometric Interpretation (0028,0004) of the values that are written.
    dtype:
        Of these values.
    palette:
        Of a PALETTE COLOR image.
    """
    if dtype.kind == "f":
        return _float_fill(instance)
    if palette is not None:
        return palette.darkest(*bounds(instance, dtype))
    if photometric.startswith("YBR"):
        stored = number(instance, 0x00280101) or dtype.itemsize * 8
        half = 1 << (stored - 1)
        return np.array([0, half, half], dtype)
    if photometric not in GREY:
        return 0
    padding = padding_value(instance, PADDING, dtype)
    if padding is not None:
        return padding
    return bounds(instance, dtype)[photometric == "MONOCHROME1"]


def padding_value(instance: Instance, tag: int, dtype: np.dtype[Any]) -> int | None:
    """A value of padding; ``None`` where there is none that pixels of this type can have."""
    element = instance.elements.get(tag)
    if element is None or len(element.value) != 2:
        return None
    value = int.from_bytes(element.value, _order(instance), signed=dtype.kind == "i")
    limits = np.iinfo(dtype)
    return value if limits.min <= value <= limits.max else None


def bounds(instance: Instance, dtype: np.dtype[Any]) -> tuple[int, int]:
    """Least and largest value that the image may store."""
    stored = number(instance, 0x00280101) or dtype.itemsize * 8
    low = -(1 << (stored - 1)) if dtype.kind == "i" else 0
    return low, low + (1 << stored) - 1


def tell_extremes(
    instance: Instance, frames: NDArray[Any], mask: NDArray[np.bool_], fill: int
) -> None:
    """Keep what the header says of its smallest and largest values true, where it says any.

    Padding is none of them.

    Parameters
    ----------
    frames:
        ``(frames, rows, columns)``, the stored values before.
    mask:
        ``(rows, columns)``, where ``fill`` stands now.
    """
    said = [tag for tag in (*_SMALLEST, *_LARGEST) if tag in instance.elements]
    if not said or padding_value(instance, PADDING, frames.dtype) == fill:
        return
    values = frames[:, ~mask]
    low, high = (int(edge) for edge in (values.min(initial=fill), values.max(initial=fill)))
    for tags, of_image, outer in ((_SMALLEST, low, min), (_LARGEST, high, max)):
        image, series = tags
        if image in said:
            _put(instance, image, of_image, frames.dtype)
        if series in said:
            before = padding_value(instance, series, frames.dtype)
            _put(instance, series, of_image if before is None else outer(before, of_image),
                 frames.dtype)  # fmt: skip


def _put(instance: Instance, tag: int, value: int, dtype: np.dtype[Any]) -> None:
    """Write a value of two bytes; one that does not go into them is left out."""
    signed = dtype.kind == "i"
    if not -(signed << 15) <= value < 1 << (16 - signed):
        del instance.elements[tag]
        return
    written = value.to_bytes(2, _order(instance), signed=signed)
    instance.elements[tag] = Element(tag, "SS" if signed else "US", written)


def _float_fill(instance: Instance) -> Any:
    """Padding, else the darkest number of the image."""
    image = instance.image
    if image is None or image.tag not in FLOATS:
        return 0.0
    kind = np.dtype(f"{'<' if instance.encoding.little_endian else '>'}f{FLOATS[image.tag]}")
    padding = instance.elements.get(_FLOAT_PADDING[image.tag])
    if padding is not None and len(padding.value) == kind.itemsize:
        return np.frombuffer(bytes(padding.value), kind)[0]
    return darkest(np.frombuffer(image.value, kind))


def darkest(values: NDArray[Any]) -> float:
    """The least of the numbers that are finite."""
    finite = values[np.isfinite(values)]
    return float(finite.min()) if finite.size else 0.0


def number(instance: Instance, tag: int) -> int:
    """A value of two bytes; 0 where there is none."""
    element = instance.elements.get(tag)
    if element is None or len(element.value) != 2:
        return 0
    return int.from_bytes(element.value, _order(instance))


def _order(instance: Instance) -> Literal["little", "big"]:
    return "little" if instance.encoding.little_endian else "big"
