# SPDX-License-Identifier: Apache-2.0
"""Writes decoded frames as pixel data again, compressed as the policy says."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import (
    Encoder,
    JPEG2000LosslessEncoder,
    JPEGLSLosslessEncoder,
    RLELosslessEncoder,
)
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from deid.elements import Element, Encoding
from deid.errors import PixelsNotReadableError
from deid.pixels.fills import number
from deid.policy import Recompression
from deid.stages import Instance

_PIXEL_DATA = 0x7FE00010
_ALLOCATED = 0x00280100
_OF_FRAMES_BEFORE = (0x7FE00001, 0x7FE00002, 0x7FE00003)
"""Offsets, lengths and size of compressed frames (PS3.5 section A.4); others have others."""
_LOSSY, _LOSSY_RATIO, _LOSSY_METHOD = 0x00282110, 0x00282112, 0x00282114
_QUALITY = 95
"""Of JPEG in libjpeg's measure: what was compressed with loss before loses little more."""
_LOSSLESS: dict[Recompression, tuple[str, Encoder]] = {
    Recompression.RLE: (RLELossless, RLELosslessEncoder),
    Recompression.JPEG_LS: (JPEGLSLossless, JPEGLSLosslessEncoder),
    Recompression.JPEG_2000: (JPEG2000Lossless, JPEG2000LosslessEncoder),
}


def write_frames(
    instance: Instance, frames: NDArray[Any], photometric: str, how: Recompression
) -> None:
    """Make frames the pixel data of an instance, with transfer syntax and attributes to match.

    Parameters
    ----------
    instance:
        Whose Pixel Data is replaced.
    frames:
        ``(frames, rows, columns)`` or ``(frames, rows, columns, 3)``, the stored values.
    photometric:
        Photometric Interpretation (0028,0004) of ``frames``.
    how:
        How to compress. Where a method can't hold such pixels, RLE Lossless (PS3.5 annex G) does.

    Raises
    ------
    PixelsNotReadableError
        If the frames can't be written so.
    """
    at = next(i for i, element in enumerate(instance.pixels) if element.tag == _PIXEL_DATA)
    allocated = frames.dtype.itemsize * 8
    how = how if _holds(how, instance, frames, photometric) else Recompression.RLE
    syntax: str
    if number(instance, _ALLOCATED) == 1:
        # No encoder packs pixels of one bit; as they are they are an eighth of others anyway.
        allocated, syntax, element = 1, ExplicitVRLittleEndian, _bits(frames)
    elif how is Recompression.NATIVE:
        syntax, element = ExplicitVRLittleEndian, _native(frames)
    elif how is Recompression.JPEG:
        syntax, element = JPEGBaseline8Bit, _jpeg(instance, frames)
        photometric = "YBR_FULL_422" if frames.ndim == 4 else photometric
    else:
        syntax, element = _LOSSLESS[how][0], _lossless(instance, frames, photometric, how)
    instance.pixels[at] = element
    instance.pixels[:] = [one for one in instance.pixels if one.tag not in _OF_FRAMES_BEFORE]
    instance.transfer_syntax, instance.encoding = syntax, Encoding(False, True)
    _put(instance, 0x00280004, "CS", photometric.encode("ascii"))
    _put(instance, _ALLOCATED, "US", allocated.to_bytes(2, "little"))
    if frames.ndim == 4:
        _put(instance, 0x00280006, "US", b"\0\0")


def _holds(how: Recompression, instance: Instance, frames: NDArray[Any], photometric: str) -> bool:
    if how is Recompression.JPEG:
        # A changed index into a palette is another colour.
        grey_or_colour = photometric in ("MONOCHROME1", "MONOCHROME2", "RGB")
        return frames.dtype == np.uint8 and _stored(instance, frames) == 8 and grey_or_colour
    return how in (Recompression.RLE, Recompression.NATIVE) or frames.dtype.itemsize <= 2


def _stored(instance: Instance, frames: NDArray[Any]) -> int:
    allocated = frames.dtype.itemsize * 8
    element = instance.elements.get(0x00280101)
    if element is None or len(element.value) != 2:
        return allocated
    order = "little" if instance.encoding.little_endian else "big"
    return min(int.from_bytes(element.value, order) or allocated, allocated)  # type: ignore[arg-type]


def _lossless(
    instance: Instance, frames: NDArray[Any], photometric: str, how: Recompression
) -> Element:
    options: dict[str, Any] = {
        "rows": frames.shape[1],
        "columns": frames.shape[2],
        "samples_per_pixel": frames.shape[3] if frames.ndim == 4 else 1,
        "bits_allocated": frames.dtype.itemsize * 8,
        "bits_stored": _stored(instance, frames),
        "pixel_representation": int(frames.dtype.kind == "i"),
        "number_of_frames": 1,
        "photometric_interpretation": photometric,
    }
    if frames.ndim == 4:
        options["planar_configuration"] = 0
    encoder = _LOSSLESS[how][1]
    try:
        encoded = [encoder.encode(np.ascontiguousarray(one), **options) for one in frames]
    except (RuntimeError, ValueError) as error:
        raise PixelsNotReadableError(
            f"the masked pixels can't be written as {how}: choose another recompression"
        ) from error
    return Element(_PIXEL_DATA, "OB", encapsulate(encoded), encapsulated=True)


def _native(frames: NDArray[Any]) -> Element:
    value = np.ascontiguousarray(frames, frames.dtype.newbyteorder("<")).tobytes()
    vr = "OB" if frames.dtype.itemsize == 1 else "OW"
    return Element(_PIXEL_DATA, vr, value + b"\0" * (len(value) % 2))


def _bits(frames: NDArray[Any]) -> Element:
    value = np.packbits(frames.ravel(), bitorder="little").tobytes()
    return Element(_PIXEL_DATA, "OB", value + b"\0" * (len(value) % 2))


def _jpeg(instance: Instance, frames: NDArray[np.uint8]) -> Element:
    """JPEG Baseline, and what PS3.3 section C.7.6.1.1.5 wants said of loss."""
    encoded = []
    for one in frames:
        buffer = BytesIO()
        Image.fromarray(one).save(buffer, "JPEG", quality=_QUALITY, subsampling="4:2:2")
        encoded.append(buffer.getvalue())
    ratio = frames.nbytes / max(1, sum(map(len, encoded)))
    _put(instance, _LOSSY, "CS", b"01")
    _append(instance, _LOSSY_RATIO, "DS", f"{ratio:.2f}".encode("ascii"))
    _append(instance, _LOSSY_METHOD, "CS", b"ISO_10918_1")
    return Element(_PIXEL_DATA, "OB", encapsulate(encoded), encapsulated=True)


def _append(instance: Instance, tag: int, vr: str, value: bytes) -> None:
    before = instance.elements.get(tag)
    earlier = b"" if before is None else bytes(before.value).strip(b" \0")
    _put(instance, tag, vr, earlier + b"\\" + value if earlier else value)


def _put(instance: Instance, tag: int, vr: str, value: bytes) -> None:
    instance.elements[tag] = Element(tag, vr, value)
