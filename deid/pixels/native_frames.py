# SPDX-License-Identifier: Apache-2.0
"""Native pixel data seen as frames where it lies: no copy of a cine loop only to look at it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deid.reading import PIXEL_DATA
from deid.stages import Instance

_ROWS, _COLUMNS, _SAMPLES, _PLANAR = 0x00280010, 0x00280011, 0x00280002, 0x00280006
_ALLOCATED, _STORED, _HIGH, _SIGNED = 0x00280100, 0x00280101, 0x00280102, 0x00280103
_PHOTOMETRIC, _FRAMES = 0x00280004, 0x00280008
_SAMPLES_OF = {"MONOCHROME1": 1, "MONOCHROME2": 1, "RGB": 3}
_LONGEST_COUNT = 9


def native_frames(instance: Instance) -> NDArray[Any] | None:
    """Stored values of the plainest images, as a decoder has them; not to be written to.

    That is: little endian, one kind of pixels, 8 or 16 bits that are all used, grey or RGB by pixel
    (PS3.5 chapter 8). ``None`` for all others, which take a decoder.

    Returns
    -------
    array or None
        ``(frames, rows, columns)`` or ``(frames, rows, columns, 3)``.
    """
    image = instance.image
    if image is None or image.tag != PIXEL_DATA or image.encapsulated:
        return None
    if len(instance.pixels) != 1 or not instance.encoding.little_endian:
        return None
    kind, shape = _kind(instance), _shape(instance)
    if kind is None or shape is None:
        return None
    size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
    if not size or len(image.value) != size + (size & 1):
        return None
    values = np.frombuffer(image.value, kind, count=size // kind.itemsize)
    return values.reshape(shape[:3] if shape[3] == 1 else shape)


def _kind(instance: Instance) -> np.dtype[Any] | None:
    """Of the stored values; ``None`` where not all bits of a pixel are of its value."""
    allocated, stored, high, signed = (
        _number(instance, tag) for tag in (_ALLOCATED, _STORED, _HIGH, _SIGNED)
    )
    if allocated not in (8, 16) or stored != allocated or high != allocated - 1:
        return None
    return np.dtype(f"<{'ui'[signed]}{allocated // 8}") if signed in (0, 1) else None


def _shape(instance: Instance) -> tuple[int, int, int, int] | None:
    samples = _SAMPLES_OF.get(_text(instance, _PHOTOMETRIC))
    rows, columns = _number(instance, _ROWS), _number(instance, _COLUMNS)
    if samples is None or _number(instance, _SAMPLES) != samples or rows is None or columns is None:
        return None
    if samples > 1 and _number(instance, _PLANAR) != 0:
        return None
    frames = _text(instance, _FRAMES) or "1"
    if not frames.isdecimal() or not frames.isascii() or len(frames) > _LONGEST_COUNT:
        return None
    return int(frames), rows, columns, samples


def _number(instance: Instance, tag: int) -> int | None:
    element = instance.elements.get(tag)
    if element is None or element.vr != "US" or len(element.value) != 2:
        return None
    return int.from_bytes(element.value, "little")


def _text(instance: Instance, tag: int) -> str:
    element = instance.elements.get(tag)
    return "" if element is None else bytes(element.value).decode("latin-1").strip(" \0")
