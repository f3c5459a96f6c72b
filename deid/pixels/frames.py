# SPDX-License-Identifier: Apache-2.0
"""Pixel data as frames, and back: bit by bit where it is native, decoded where it is compressed."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.pixels.utils import pixel_array

from deid.elements import Element
from deid.errors import PixelsNotReadableError
from deid.pixels.coded_frames import coded_frames
from deid.pixels.compression import write_frames
from deid.pixels.fiducials import NOTE, Reserved, reserved_values
from deid.pixels.fills import (
    FLOATS,
    GREY,
    PADDING,
    PADDING_LIMIT,
    bounds,
    darkest,
    fill_of,
    number,
    padding_value,
    tell_extremes,
)  # fmt: skip
from deid.pixels.native_frames import native_frames
from deid.pixels.palettes import PALETTE, Palette, palette_of
from deid.pixels.unused_bits import Stored, bits_with_text, without_bits
from deid.policy import Recompression
from deid.reading import PIXELS
from deid.stages import Instance
from deid.writing import part_10

_SOP_UIDS = (0x00080016, 0x00080018)
_DECODER_FAILURES = (
    ArithmeticError, AttributeError, LookupError, MemoryError, NotImplementedError, OSError,
    RuntimeError, TypeError, ValueError, zlib.error,
)  # fmt: skip
_SUBSAMPLED = frozenset(
    {"YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT"}
)
_SAMPLED, _LOW, _HIGH, _FARTHEST = 262144, 0.1, 99.9, 10.0
_HEAD = 8
"""Bytes of an item's tag and length (PS3.5 section A.4)."""


class Picture(NamedTuple):
    """The frames of an instance.

    Attributes
    ----------
    shown:
        ``(frames, rows, columns)`` or ``(frames, rows, columns, 3)``, the values.
    photometric:
        Photometric Interpretation (0028,0004) of ``shown``.
    palette:
        Of a PALETTE COLOR image, whose values are no brightness.
    """

    shown: NDArray[Any]
    photometric: str
    palette: Palette | None = None

    @property
    def visible(self) -> NDArray[Any]:
        """The frames as a viewer shows them: of an image with a palette its colours."""
        return self.shown if self.palette is None else self.palette.displayed(self.shown)


def decoded(instance: Instance) -> Picture:
    """Decode all frames; they are not to be written to.

    Raises
    ------
    PixelsNotReadableError
        If they can't be.
    """
    plain = native_frames(instance)
    if plain is not None:
        return Picture(plain, _text(instance, 0x00280004))
    dataset = dataset_of(instance)
    try:
        coded = coded_frames(dataset)
        array = pixel_array(dataset) if coded is None else coded
    except _DECODER_FAILURES as error:
        raise PixelsNotReadableError(
            "the pixels can't be decoded, so text or faces in them can't be looked for: convert "
            "the file, or leave pixels alone by policy where none show any"
        ) from error
    samples = int(dataset.get("SamplesPerPixel") or 1)
    depth = 4 if samples == 3 else 3
    photometric = str(dataset.get("PhotometricInterpretation") or "MONOCHROME2")
    if samples == 3 and photometric.startswith("YBR"):
        photometric = "RGB"
    if array.dtype.kind == "f":
        array = _within_sight(array)
    palette = palette_of(dataset) if photometric == PALETTE else None
    return Picture(array if array.ndim == depth else array[np.newaxis], photometric, palette)


def _within_sight(values: NDArray[Any]) -> NDArray[np.float32]:
    """Floats to look at: most of them from 0 to 1, none beyond ten of that, and no gaps.

    What is no number is no ink, and one outlier among doubles must not make all others one.
    """
    low = darkest(values)
    finite = np.where(np.isfinite(values), values, low)
    inner = np.percentile(finite.ravel()[:: max(1, finite.size // _SAMPLED)], (_LOW, _HIGH))
    start, width = float(inner[0]), float(inner[1] - inner[0])
    if not width > 0:
        start, width = low, float(finite.max() / 2 - low / 2) * 2 or 1.0
    with np.errstate(over="ignore"):
        scaled = (finite / width) - start / width
    return np.asarray(np.clip(scaled, -_FARTHEST, _FARTHEST), np.float32)


def dataset_of(instance: Instance) -> Dataset:
    """The instance on its way as a pydicom data set, pixel data included."""
    elements = dict(instance.elements)
    for tag in _SOP_UIDS:
        # The file meta information repeats them; which they are decodes nothing.
        elements.setdefault(tag, Element(tag, "UI", b"2.25.0"))
    chunks = instance.encoding.encode([*_sorted(elements), *instance.pixels])
    file = part_10(elements, chunks, instance.transfer_syntax)
    return dcmread(BytesIO(file), force=True)


def _sorted(elements: dict[int, Element]) -> list[Element]:
    return [elements[tag] for tag in sorted(elements)]


def masked(
    instance: Instance,
    mask: NDArray[np.bool_],
    picture: Picture,
    how: Recompression = Recompression.RLE,
    kinds: NDArray[np.uint8] | None = None,
) -> None:
    """Put the fill into the masked pixels of every frame of the instance.

    Native pixel data keeps every other bit. Compressed is written anew: the mask is on all of its
    frames.

    Parameters
    ----------
    instance:
        What is changed.
    mask:
        ``(rows, columns)``, which pixels.
    picture:
        The frames as they are.
    how:
        How compressed frames are written.
    kinds:
        ``(rows, columns)``, the fiducial of each masked pixel; the image has them where it is grey
        and has stored values to spare, else the fill.
    """
    at = next(i for i, element in enumerate(instance.pixels) if element.tag in PIXELS)
    element = instance.pixels[at]
    named = _text(instance, 0x00280004)
    anew = element.encapsulated or named in _SUBSAMPLED
    written = picture.photometric if anew or not named else named
    fill: Any = fill_of(instance, written, picture.shown.dtype, picture.palette)
    reserved = None if kinds is None else _reserved(instance, mask, picture)
    if reserved is None and picture.shown.ndim == 3 and picture.shown.dtype.kind in "iu":
        tell_extremes(instance, picture.shown, mask, fill)
    if kinds is not None and reserved is not None:
        fill = reserved.values(kinds[mask]).astype(picture.shown.dtype)
    if anew:
        frames = picture.shown.copy()
        frames[:, mask] = fill
        write_frames(instance, frames, picture.photometric, how)
    else:
        write = _native_bits if number(instance, 0x00280100) == 1 else _native
        instance.pixels[at] = element._replace(value=write(instance, element, mask, fill))
    if reserved is not None:
        _declare(instance, reserved, picture.shown.dtype)


def _reserved(instance: Instance, mask: NDArray[np.bool_], picture: Picture) -> Reserved | None:
    if picture.photometric not in GREY or picture.shown.dtype.kind not in "iu":
        return None
    told = [padding_value(instance, tag, picture.shown.dtype) for tag in (PADDING, PADDING_LIMIT)]
    before = [value for value in told if value is not None]
    return reserved_values(
        picture.shown, mask, bounds(instance, picture.shown.dtype), tuple(before),
        inverted=picture.photometric == "MONOCHROME1",
    )  # fmt: skip


def _declare(instance: Instance, reserved: Reserved, dtype: np.dtype[Any]) -> None:
    order: Literal["little", "big"] = "little" if instance.encoding.little_endian else "big"
    signed = dtype.kind == "i"
    for tag, value in ((PADDING, reserved.first), (PADDING_LIMIT, reserved.limit)):
        written = value.to_bytes(2, order, signed=signed)
        instance.elements[tag] = Element(tag, "SS" if signed else "US", written)
    instance.notes.append(NOTE)


def replaced(
    instance: Instance,
    changed: NDArray[np.bool_],
    values: NDArray[Any],
    picture: Picture,
    how: Recompression = Recompression.RLE,
) -> None:
    """Put new stored values into some pixels of a grey instance, as ``masked`` does its fill.

    Parameters
    ----------
    instance:
        What is changed.
    changed:
        ``(frames, rows, columns)``, which pixels.
    values:
        ``(frames, rows, columns)``, their stored values.
    picture:
        The frames as they are.
    how:
        How compressed frames are written.

    Raises
    ------
    PixelsNotReadableError
        If the pixels are not of 8, 16 or 32 bits.
    """
    at = next(i for i, element in enumerate(instance.pixels) if element.tag in PIXELS)
    element = instance.pixels[at]
    if element.encapsulated:
        frames = picture.shown.copy()
        frames[changed] = values[changed]
        write_frames(instance, frames, picture.photometric, how)
        return
    whole = _whole(instance, element)
    whole[: changed.size].reshape(changed.shape)[changed] = values[changed]
    instance.pixels[at] = element._replace(value=whole.tobytes())


def without_hidden_text(
    instance: Instance,
    picture: Picture,
    has_text: Callable[[NDArray[np.uint8]], bool],
    how: Recompression = Recompression.RLE,
) -> bool:
    """Clear the unused bits of an instance in which text is found; says whether there were any.

    Parameters
    ----------
    instance:
        What is changed.
    picture:
        The frames as they are.
    has_text:
        Whether an image ``(rows, columns)`` shows text.
    how:
        How compressed frames are written.
    """
    at = next(i for i, element in enumerate(instance.pixels) if element.tag in PIXELS)
    element = instance.pixels[at]
    bits, stored, high = (number(instance, tag) for tag in (0x00280100, 0x00280101, 0x00280102))
    if element.tag in FLOATS or bits not in (8, 16, 32) or not 0 < stored < bits:
        return False
    words = picture.shown if element.encapsulated else _words(instance, element, picture)
    kept = Stored(bits, stored, high, bool(number(instance, 0x00280103)))
    hidden = bits_with_text(words, kept, has_text)
    if not hidden:
        return False
    clear = without_bits(words, hidden)
    if element.encapsulated:
        write_frames(instance, clear, picture.photometric, how)
    else:
        whole = _whole(instance, element)
        whole[: clear.size] = clear.ravel()
        instance.pixels[at] = element._replace(value=whole.tobytes())
    return True


def _words(instance: Instance, element: Element, picture: Picture) -> NDArray[Any]:
    """Native pixels as whole words: ``(frames, rows, columns)``, samples in the last axis."""
    whole = _whole(instance, element)
    samples = max(1, number(instance, 0x00280002))
    rows, columns = picture.shown.shape[1:3]
    size = rows * columns * samples
    frames = len(whole) // size
    if samples == 1:
        return whole[: frames * size].reshape(frames, rows, columns)
    by_plane = number(instance, 0x00280006)
    shape = (frames, samples, rows, columns) if by_plane else (frames, rows, columns, samples)
    words = whole[: frames * size].reshape(shape)
    return words.reshape(-1, rows, columns) if by_plane else words


def _whole(instance: Instance, element: Element) -> NDArray[Any]:
    """All stored values of native pixel data, one after the other, to write into."""
    order = "<" if instance.encoding.little_endian else ">"
    if element.tag in FLOATS:
        return np.frombuffer(bytearray(element.value), f"{order}f{FLOATS[element.tag]}")
    bits = number(instance, 0x00280100)
    if bits not in (8, 16, 32):
        raise PixelsNotReadableError(f"pixels of {bits} bits can't be masked")
    signed = "i" if number(instance, 0x00280103) else "u"
    return np.frombuffer(bytearray(element.value), f"{order}{signed}{bits // 8}")


def _native(instance: Instance, element: Element, mask: NDArray[np.bool_], fill: Any) -> memoryview:
    samples = max(1, number(instance, 0x00280002))
    values = _whole(instance, element)
    rows, columns = mask.shape
    frames = len(values) // (rows * columns * samples)
    whole = values[: frames * rows * columns * samples]
    if samples == 1:
        whole.reshape(frames, rows, columns)[:, mask] = fill
    elif number(instance, 0x00280006):
        planes = whole.reshape(frames, samples, rows, columns)
        for plane in range(samples):
            planes[:, plane][:, mask] = np.broadcast_to(fill, samples)[plane]
    else:
        whole.reshape(frames, rows, columns, samples)[:, mask] = fill
    # Bytes as they are in memory: a long cine loop need not be there once more.
    return values.view(np.uint8).data.toreadonly()


def _native_bits(
    instance: Instance, element: Element, mask: NDArray[np.bool_], fill: Any
) -> memoryview:
    """As ``_native``, of pixels of one bit: eight in a byte, the first lowest."""
    if not instance.encoding.little_endian:
        raise PixelsNotReadableError(
            "pixels of one bit can't be masked in big endian: send the object in little endian"
        )
    packed = np.frombuffer(element.value, np.uint8)
    bits = np.unpackbits(packed, bitorder="little")
    frames = len(bits) // mask.size
    bits[: frames * mask.size].reshape(frames, *mask.shape)[:, mask] = fill
    return np.packbits(bits, bitorder="little").data.toreadonly()


def _text(instance: Instance, tag: int) -> str:
    element = instance.elements.get(tag)
    return "" if element is None else bytes(element.value).decode("latin-1").strip(" \0")
