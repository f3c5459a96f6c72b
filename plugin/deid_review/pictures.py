# SPDX-License-Identifier: AGPL-3.0-or-later
"""Original and result as pictures of one size, in one window, so that they can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import pixel_array

from plugin.heatmaps import png

_DECODER_FAILURES = (
    ArithmeticError, AttributeError, LookupError, MemoryError, NotImplementedError, OSError,
    RuntimeError, TypeError, ValueError,
)  # fmt: skip
_TAGS = [
    "PhotometricInterpretation", "WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept",
    "NumberOfFrames", "Rows", "Columns", "SamplesPerPixel",
]  # fmt: skip
_DARKEST, _BRIGHTEST = 0.5, 99.5


class NoPictureError(ValueError):
    """The pixels can't be drawn."""


@dataclass(frozen=True)
class Window:
    """Which stored values are black and white."""

    low: float
    high: float
    inverted: bool


def size_of(dicom: bytes) -> tuple[int, int, int]:
    """Rows, columns and frames of an image; zeros where it has none."""
    header = _header(dicom)
    numbers = [_number(header, name) for name in ("Rows", "Columns", "NumberOfFrames")]
    return numbers[0], numbers[1], max(1, numbers[2])


def window_of(dicom: bytes, frame: int) -> Window:
    """The window of a frame: the header's, else all but the outermost values.

    Raises:
        NoPictureError: the pixels can't be decoded.
    """
    header = _header(dicom)
    inverted = header.get("PhotometricInterpretation") == "MONOCHROME1"
    centre, width = _first(header, "WindowCenter"), _first(header, "WindowWidth")
    if centre is not None and width is not None and width >= 1:
        slope = _first(header, "RescaleSlope") or 1.0
        low, high = (
            (bound - (_first(header, "RescaleIntercept") or 0.0)) / slope
            for bound in (centre - width / 2, centre + width / 2)
        )
        return Window(min(low, high), max(low, high), inverted != (slope < 0))
    values = _values(dicom, header, frame)
    low, high = np.percentile(values[:: 1 + values.shape[0] // 512], (_DARKEST, _BRIGHTEST))
    return Window(float(low), float(max(high, low + 1)), inverted)


def picture(dicom: bytes, frame: int, window: Window, longest: int) -> bytes:
    """A frame as PNG, its longer side at most ``longest`` pixels.

    Args:
        dicom: the file.
        frame: counted from 1.
        window: for grey images.
        longest: in pixels.

    Raises:
        NoPictureError: the pixels can't be decoded.
    """
    header = _header(dicom)
    values = _values(dicom, header, frame)
    image = Image.fromarray(values if values.ndim == 3 else _grey(values, window))
    scale = longest / max(image.size)
    if scale < 1:
        size = tuple(max(1, round(side * scale)) for side in image.size)
        image = image.resize((size[0], size[1]), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return png.encode(np.asarray(image))


def _grey(values: NDArray[Any], window: Window) -> NDArray[np.uint8]:
    kind = values.dtype
    if kind.kind not in "iu" or kind.itemsize > 2:
        return _windowed(values, window)
    # Each value once, not each pixel.
    every = np.arange(1 << (8 * kind.itemsize)).astype(f"u{kind.itemsize}").view(kind)
    return np.asarray(_windowed(every, window)[values.view(f"u{kind.itemsize}")], np.uint8)


def _windowed(values: NDArray[Any], window: Window) -> NDArray[np.uint8]:
    grey = (values.astype(np.float32) - window.low) * (255.0 / (window.high - window.low))
    grey = np.clip(grey, 0, 255)
    return np.asarray(255 - grey if window.inverted else grey, np.uint8)


def _values(dicom: bytes, header: Dataset, frame: int) -> NDArray[Any]:
    """Stored grey values ``(rows, columns)``, or colours ``(rows, columns, 3)`` of 8 bits."""
    try:
        values = pixel_array(BytesIO(dicom), index=frame - 1)
        if header.get("PhotometricInterpretation") == "PALETTE COLOR":
            palette = pydicom.dcmread(BytesIO(dicom), stop_before_pixels=True)
            values = apply_color_lut(values, palette)
    except _DECODER_FAILURES:
        raise NoPictureError("the pixels of this image can't be decoded") from None
    if values.dtype.kind == "f":
        # What is no number is drawn as the darkest that is one.
        finite = values[np.isfinite(values)]
        values = np.where(np.isfinite(values), values, finite.min() if finite.size else 0)
    if values.ndim == 2:
        return np.ascontiguousarray(values)
    shift = 8 * (values.dtype.itemsize - 1)
    return np.asarray(values >> shift if shift else values, np.uint8)


def _header(dicom: bytes) -> Dataset:
    try:
        return pydicom.dcmread(
            BytesIO(dicom), stop_before_pixels=True, specific_tags=_TAGS, force=True
        )
    except _DECODER_FAILURES:
        raise NoPictureError("this file can't be read") from None


def _number(header: Dataset, name: str) -> int:
    value = _first(header, name)
    return int(value) if value is not None else 0


def _first(header: Dataset, name: str) -> float | None:
    try:
        value = header.get(name)
        return float(value[0] if isinstance(value, pydicom.multival.MultiValue) else value)
    except (TypeError, ValueError, IndexError):
        return None
