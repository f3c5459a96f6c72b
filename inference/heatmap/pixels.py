# SPDX-License-Identifier: Apache-2.0
"""From a DICOM instance to the square of grey values that the network sees.

Training and inference share this front end. Grey values are what a display would show before its
own transfer curve: modality LUT or rescale, then the first VOI LUT or window (PS3.3 C.11.1,
C.11.2), else percentiles; bright is dense also for MONOCHROME1; padding is black (PS3.3
C.7.5.1.1.2).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.multival import MultiValue
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.pixels.utils import pixel_array

from inference.contract import MapExtent
from inference.heatmap.letterbox import (
    letterbox,
    letterbox_coverage,
    letterbox_extent,
    letterbox_rows,
)

MAXIMUM_PIXELS = 100_000_000

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
_LOW_PERCENTILE, _HIGH_PERCENTILE = 1.0, 99.0

# What pydicom and its decoders were seen to raise on damaged or unusual files.
_DECODER_FAILURES = (
    ArithmeticError,
    AttributeError,
    BytesLengthException,
    InvalidDicomError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)


class UnsupportedPixelsError(Exception):
    """The instance has no image that can be read; the message says why, without any identity."""


_RAMP_ERROR = 1e-5
"""Grey values may differ by this from the table's; the table itself is rounded to float32."""
_FLOAT32_ERROR = 2.0**-22
"""Of a mean of a few dozen values, relative to the largest."""


@dataclass(frozen=True)
class SquareImage:
    """One frame as the network sees it.

    Attributes
    ----------
    values:
        ``(size, size)`` float32 in 0..1, bright is dense, 0 beyond the image.
    rows, columns:
        Matrix of the stored image.
    extent:
        Where the square lies on the stored image.
    frames:
        Number of frames of the instance.
    """

    values: NDArray[np.float32]
    rows: int
    columns: int
    extent: MapExtent
    frames: int


def read_dataset(source: Dataset | bytes) -> Dataset:
    """Parse the bytes of a DICOM file; a dataset passes unchanged.

    Raises
    ------
    UnsupportedPixelsError
        If the bytes are no DICOM file.
    """
    if isinstance(source, Dataset):
        return source
    try:
        dataset = dcmread(BytesIO(source), force=True)
    except _DECODER_FAILURES as error:
        raise UnsupportedPixelsError("the file is not a readable DICOM file") from error
    except EOFError as error:
        raise UnsupportedPixelsError("the DICOM file ends too early") from error
    # Old files lack the preamble; what lacks a SOP class as well is no DICOM file.
    if "SOPClassUID" not in dataset:
        raise UnsupportedPixelsError("the file is not a readable DICOM file")
    return dataset


def square_image(source: Dataset | bytes, size: int, frame: int = 1) -> SquareImage:
    """Decode, window and letterbox one frame.

    Parameters
    ----------
    source:
        A dataset with file meta information, or the bytes of a DICOM file.
    size:
        Side of the square.
    frame:
        Frame number, from 1.

    Raises
    ------
    UnsupportedPixelsError
        No pixels, an unknown transfer syntax, truncated or corrupt data, or no such frame.
    """
    dataset = read_dataset(source)
    try:
        return _square_image(dataset, size, frame)
    except _DECODER_FAILURES as error:
        raise UnsupportedPixelsError(_cause(dataset)) from error


def _square_image(dataset: Dataset, size: int, frame: int) -> SquareImage:
    frames = int(dataset.get("NumberOfFrames") or 1)
    if not 1 <= frame <= frames:
        raise UnsupportedPixelsError(f"the instance has {frames} frames, not a frame {frame}")
    _require_pixels(dataset)
    stored = pixel_array(dataset, index=frame - 1)
    attributes = _frame_attributes(dataset, frame)
    square, (rows, columns) = _letterboxed(stored, attributes, size)
    return SquareImage(
        values=_stretch(square, letterbox_coverage(rows, columns, size)),
        rows=rows,
        columns=columns,
        extent=letterbox_extent(rows, columns),
        frames=frames,
    )


def square_values(
    stored: NDArray[Any], window: tuple[float, float], size: int
) -> NDArray[np.float32]:
    """The same square from bare MONOCHROME2 values and a window, as phantoms have them.

    Parameters
    ----------
    stored:
        ``(rows, columns)`` unsigned integers.
    window:
        Centre and width.
    size:
        Side of the square.
    """
    attributes = Dataset()
    attributes.PhotometricInterpretation = "MONOCHROME2"
    attributes.WindowCenter, attributes.WindowWidth = window
    attributes.PixelRepresentation = 0
    attributes.BitsStored = attributes.BitsAllocated = stored.dtype.itemsize * 8
    square, (rows, columns) = _letterboxed(stored, attributes, size)
    return _stretch(square, letterbox_coverage(rows, columns, size))


def _require_pixels(dataset: Dataset) -> None:
    if not any(k in dataset for k in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise UnsupportedPixelsError("the instance has no pixel data")
    rows, columns = dataset.get("Rows") or 0, dataset.get("Columns") or 0
    if not 0 < rows * columns <= MAXIMUM_PIXELS:
        raise UnsupportedPixelsError(f"a matrix of {rows} x {columns} pixels is not supported")
    if dataset.get("BitsAllocated") is None:
        raise UnsupportedPixelsError("the instance does not say how its pixels are stored")


def _cause(dataset: Dataset) -> str:
    """A reason in words for a failed decoding; names the transfer syntax and nothing else."""
    meta = getattr(dataset, "file_meta", None)
    syntax = meta.get("TransferSyntaxUID") if meta is not None else None
    if syntax is None:
        return "the pixel data cannot be decoded: the file names no transfer syntax"
    name = syntax.name if syntax.is_transfer_syntax else "an unknown transfer syntax"
    return f"the pixel data cannot be decoded ({name}): truncated, corrupt or not supported"


def _frame_attributes(dataset: Dataset, frame: int) -> Dataset:
    """What is needed to interpret a frame, also from functional groups (PS3.3 C.7.6.16)."""
    found = Dataset()
    found.set_original_encoding(*dataset.original_encoding)
    keywords = (
        "PhotometricInterpretation", "PixelRepresentation", "BitsStored", "BitsAllocated",
        "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence",
        "WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence",
        "PixelPaddingValue", "PixelPaddingRangeLimit",
        "RedPaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData",
        "GreenPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableData",
        "BluePaletteColorLookupTableDescriptor", "BluePaletteColorLookupTableData",
        "SegmentedRedPaletteColorLookupTableData", "SegmentedGreenPaletteColorLookupTableData",
        "SegmentedBluePaletteColorLookupTableData",
    )  # fmt: skip
    for keyword in keywords:
        if keyword in dataset:
            found[keyword] = dataset[keyword]
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence") or []
    groups = [*(dataset.get("SharedFunctionalGroupsSequence") or []), *per_frame[frame - 1 : frame]]
    for group in groups:
        for name in ("PixelValueTransformationSequence", "FrameVOILUTSequence"):
            for item in group.get(name) or []:
                found.update({element.tag: element for element in item})
    return found


def _letterboxed(
    stored: NDArray[Any], attributes: Dataset, size: int
) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """Grey values in the square, bright is dense, and rows and columns of the image."""
    photometric = str(attributes.get("PhotometricInterpretation") or "MONOCHROME2")
    if photometric == "PALETTE COLOR":
        stored = apply_color_lut(stored, attributes)[..., :3]
    if stored.ndim == 3 and stored.shape[2] == 3:
        return letterbox(_luminance(stored), size), (stored.shape[0], stored.shape[1])
    if stored.ndim != 2:
        raise UnsupportedPixelsError("the pixel data is not an image")
    rows, columns = stored.shape
    inverted = photometric == "MONOCHROME1"
    if stored.dtype.kind in "iu" and stored.dtype.itemsize <= 2:
        table, low = _table(stored, attributes, inverted=inverted)
        ramp = _Ramp.of(stored, table, low)
        if ramp is not None:
            return ramp.letterboxed(size), (rows, columns)
        looked = _Looked(stored, table, low)
        return letterbox_rows(looked, stored.shape, size), (rows, columns)
    return letterbox(_displayed(stored, attributes, inverted=inverted), size), (rows, columns)


def _luminance(stored: NDArray[Any]) -> NDArray[np.float32]:
    """Rec. 709 luminance of RGB samples."""
    top = np.float32(np.iinfo(stored.dtype).max if stored.dtype.kind in "iu" else 1.0)
    return np.asarray(stored.astype(np.float32) @ (_LUMINANCE / top), dtype=np.float32)


def _table(
    stored: NDArray[Any], attributes: Dataset, *, inverted: bool
) -> tuple[NDArray[np.float32], int]:
    """The grey value of every stored value from the lowest to the highest, and the lowest."""
    low, high = int(stored.min()), int(stored.max())
    values = np.arange(low, high + 1, dtype=np.int32).astype(stored.dtype)
    return _displayed(values[np.newaxis], attributes, inverted=inverted)[0], low


class _Looked:
    """Rows of an image through a table; the buffer stays in the processor's cache."""

    def __init__(self, stored: NDArray[Any], table: NDArray[np.float32], low: int) -> None:
        self._stored = stored
        self._table = table
        self._low = low
        self._buffer = np.empty((0, stored.shape[1]), np.float32)

    def __call__(self, rows: slice) -> NDArray[np.float32]:
        slab = self._stored[rows]
        index = slab
        if self._low or slab.dtype.kind != "u":
            index = slab.astype(np.int32) - self._low
        if len(self._buffer) != len(slab):
            self._buffer = np.empty(slab.shape, np.float32)
        return np.take(self._table, index, out=self._buffer, mode="clip")


@dataclass
class _Ramp:
    """An image through a table that rises or falls in a straight line between two values.

    That is what most windows are. The mean of a straight line is the line of the mean: only the
    cut at both ends needs every pixel.

    Attributes
    ----------
    ends:
        Stored values at which the line is cut, the lower first.
    slope, offset:
        The line.
    """

    stored: NDArray[Any]
    ends: tuple[np.float32, np.float32]
    slope: float
    offset: float

    @staticmethod
    def of(stored: NDArray[Any], table: NDArray[np.float32], low: int) -> _Ramp | None:
        """The ramp that the table is, if it is one that float32 holds."""
        between = np.flatnonzero((table > 0.0) & (table < 1.0))
        if between.size < 2:
            return None
        first, last = int(between[0]), int(between[-1])
        slope = (float(table[last]) - float(table[first])) / (last - first)
        offset = float(table[first]) - slope * (low + first)
        high = low + len(table) - 1
        if _FLOAT32_ERROR * abs(slope) * max(abs(low), abs(high)) > _RAMP_ERROR:
            return None
        line = np.clip(slope * np.arange(low, high + 1) + offset, 0.0, 1.0)
        if float(np.abs(line - table).max()) > _RAMP_ERROR:
            return None
        bottom, top = sorted((-offset / slope, (1.0 - offset) / slope))
        return _Ramp(stored, (np.float32(bottom), np.float32(top)), slope, offset)

    def letterboxed(self, size: int) -> NDArray[np.float32]:
        """Grey values in the square."""
        rows, columns = self.stored.shape
        buffer = np.empty((0, columns), np.float32)

        def cut(span: slice) -> NDArray[np.float32]:
            nonlocal buffer
            slab = self.stored[span]
            if len(buffer) < len(slab):
                buffer = np.empty(slab.shape, np.float32)
            out = buffer[: len(slab)]
            np.copyto(out, slab)
            return np.clip(out, *self.ends, out=out)

        mean = letterbox_rows(cut, self.stored.shape, size)
        coverage = letterbox_coverage(rows, columns, size)
        return np.asarray(mean * np.float32(self.slope) + coverage * np.float32(self.offset))


def _displayed(stored: NDArray[Any], attributes: Dataset, *, inverted: bool) -> NDArray[np.float32]:
    """Modality and VOI transformation, inversion and padding of stored values."""
    values = np.asarray(apply_modality_lut(stored, attributes))
    shown = _windowed(values, attributes)
    # A window beside all values shows nothing; percentiles of the values still do.
    values = values if shown is None or shown.min() == shown.max() else shown
    grey = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
    image = ~_padding(stored, attributes)
    if not image.any():
        return np.zeros(stored.shape, dtype=np.float32)
    low, high = float(grey[image].min()), float(grey[image].max())
    grey = (grey - low) / (high - low) if high > low else np.zeros_like(grey)
    if inverted:
        grey = 1.0 - grey
    return np.asarray(np.where(image, grey, 0.0), dtype=np.float32)


def _windowed(values: NDArray[Any], attributes: Dataset) -> NDArray[Any] | None:
    """The first VOI LUT or window applied, in any scale; None where there is none."""
    if attributes.get("VOILUTSequence"):
        whole = values if values.dtype.kind in "iu" else np.rint(values).astype(np.int32)
        return np.asarray(apply_voi_lut(whole, attributes))
    centre, width = (_first_number(attributes, key) for key in ("WindowCenter", "WindowWidth"))
    if centre is None or width is None or width <= 0.0:
        return None
    function = str(attributes.get("VOILUTFunction") or "LINEAR")
    if function == "SIGMOID":
        exponent = np.clip(-4.0 * (values - centre) / width, -700.0, 700.0)
        return np.asarray(1.0 / (1.0 + np.exp(exponent)))
    if function == "LINEAR" and width > 1.0:
        # PS3.3 C.11.2.1.2.1: the window's edges belong to the pixel values, not between them.
        centre, width = centre - 0.5, width - 1.0
    return np.asarray(np.clip((values - centre) / width + 0.5, 0.0, 1.0))


def _first_number(attributes: Dataset, keyword: str) -> float | None:
    """The first of one or several values; several windows may be offered."""
    value = attributes.get(keyword)
    if isinstance(value, MultiValue):
        value = next(iter(value), None)
    return None if value is None or value == "" else float(value)


def _padding(stored: NDArray[Any], attributes: Dataset) -> NDArray[np.bool_]:
    """Which stored values are padding."""
    value = attributes.get("PixelPaddingValue")
    if not isinstance(value, int):
        return np.zeros(stored.shape, dtype=np.bool_)
    limit = attributes.get("PixelPaddingRangeLimit")
    bounds = sorted((value, limit if isinstance(limit, int) else value))
    return np.asarray((stored >= bounds[0]) & (stored <= bounds[1]))


def _stretch(square: NDArray[np.float32], coverage: NDArray[np.float32]) -> NDArray[np.float32]:
    """Spread the grey values of the image itself over 0..1; an image of one grey becomes 0."""
    inside = coverage > 0.5
    low, high = np.percentile(square[inside], (_LOW_PERCENTILE, _HIGH_PERCENTILE))
    if not high - low > 1e-6:
        return np.zeros_like(square)
    stretched = np.clip((square - low) / (high - low), 0.0, 1.0)
    return np.asarray(np.where(inside, stretched, 0.0), dtype=np.float32)
