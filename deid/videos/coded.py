# SPDX-License-Identifier: Apache-2.0
"""A video whose text was masked, as frames of JPEG (PS3.5 section 8.2.1).

Any viewer shows them, and the IODs of video admit every transfer syntax. The build of FFmpeg that
comes with OpenCV has no encoder of H.264 or HEVC, which are under patents.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit

from deid.elements import Element, Encoding
from deid.stages import Instance
from deid.videos.errors import StreamError
from deid.videos.syntaxes import Codec

_PIXEL_DATA = 0x7FE00010
_QUALITY = 95
_LARGEST = 1 << 31
"""Bytes of all frames; more can't be held in memory."""
_METHOD = "ISO_10918_1"
_RATIO, _METHODS, _LOSSY = 0x00282112, 0x00282114, 0x00282110
_NUMBERS = {
    0x00280002: 3, 0x00280006: 0, 0x00280100: 8, 0x00280101: 8, 0x00280102: 7, 0x00280103: 0,
}  # fmt: skip
"""Samples per Pixel, Planar Configuration, bits, Pixel Representation."""
_SOUND = 0x003A0300
"""Multiplexed Audio Channels Description Code Sequence."""


class Frames(NamedTuple):
    """Masked frames.

    Attributes
    ----------
    coded:
        Each as a JPEG stream.
    shape:
        Rows and columns.
    """

    coded: list[bytes]
    shape: tuple[int, int]


def masked_frames(pictures: Iterable[NDArray[np.uint8]], mask: NDArray[np.bool_]) -> Frames:
    """Blacken the mask, ``(rows, columns)``, in each picture and code it as JPEG.

    Raises
    ------
    StreamError
        If all of them together are longer than 2 GiB.
    """
    import cv2  # noqa: PLC0415 - only videos need it

    options = [
        cv2.IMWRITE_JPEG_QUALITY, _QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    ]  # fmt: skip
    coded: list[bytes] = []
    total = 0
    for picture in pictures:
        shown = np.ascontiguousarray(picture[:, :, ::-1])
        shown[mask] = 0
        made, frame = cv2.imencode(".jpg", shown, options)
        if not made:
            raise StreamError("a picture can't be coded as JPEG")
        coded.append(frame.tobytes())
        total += len(coded[-1])
        if total > _LARGEST:
            raise StreamError("the video is too long to be masked: cut it")
    return Frames(coded, (mask.shape[0], mask.shape[1]))


def put_frames(instance: Instance, frames: Frames, codec: Codec, stream_size: int) -> None:
    """Make JPEG frames the pixel data of the instance, and say so in its header.

    Parameters
    ----------
    instance:
        What is changed.
    frames:
        What it gets.
    codec, stream_size:
        How its pictures were coded before, in so many bytes.
    """
    rows, columns = frames.shape
    for tag, number in (_NUMBERS | {0x00280010: rows, 0x00280011: columns}).items():
        _put(instance, tag, "US", number.to_bytes(2, "little"))
    _put(instance, 0x00280004, "CS", b"YBR_FULL_422")
    _put(instance, 0x00280008, "IS", str(len(frames.coded)).encode("ascii"))
    raw = rows * columns * 3 * len(frames.coded)
    sizes = (stream_size, sum(map(len, frames.coded)))
    methods, ratios = _values(instance, _METHODS), _values(instance, _RATIO)
    if not methods or len(methods) != len(ratios):
        methods, ratios = [codec.value], [f"{raw / max(1, sizes[0]):.2f}"]
    _put(instance, _LOSSY, "CS", b"01")
    _put(instance, _METHODS, "CS", "\\".join([*methods, _METHOD]).encode("ascii"))
    _put(instance, _RATIO, "DS", "\\".join([*ratios, f"{raw / sizes[1]:.2f}"]).encode("ascii"))
    instance.elements.pop(_SOUND, None)
    instance.transfer_syntax = str(JPEGBaseline8Bit)
    instance.encoding = Encoding(implicit=False, little_endian=True)
    value = encapsulate(frames.coded, has_bot=sum(map(len, frames.coded)) < _LARGEST)
    instance.pixels = [Element(_PIXEL_DATA, "OB", value, encapsulated=True)]


def _put(instance: Instance, tag: int, vr: str, value: bytes) -> None:
    instance.elements[tag] = Element(tag, vr, value)


def _values(instance: Instance, tag: int) -> list[str]:
    element = instance.elements.get(tag)
    text = "" if element is None else bytes(element.value).decode("latin-1").strip(" \0")
    return text.split("\\") if text else []
