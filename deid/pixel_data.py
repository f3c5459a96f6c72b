# SPDX-License-Identifier: Apache-2.0
"""Takes from pixel data what is no image: bytes behind it, overlays in its unused bits, comments.

Nothing is decoded, and nothing is copied where nothing is to be taken.
"""

from __future__ import annotations

import numpy as np

from deid.attribute_types import type_of
from deid.codestreams import Frames, cleaned_fragments
from deid.elements import Element, Encoding
from deid.errors import AmbiguousPixelDataError, PixelsNotReadableError
from deid.fragments import describes
from deid.parsing import RawDataSet
from deid.reading import DOUBLE_FLOAT_PIXEL_DATA, FLOAT_PIXEL_DATA, PIXEL_DATA, PIXELS
from deid.report import Action, ElementRecord
from deid.stages import Instance
from deid.values import is_text

_OFFSET_TABLES = (0x7FE00001, 0x7FE00002)
_OF_COMPRESSED = (*_OFFSET_TABLES, 0x7FE00003)
_FLOAT_BYTES = {FLOAT_PIXEL_DATA: 4, DOUBLE_FLOAT_PIXEL_DATA: 8}
# PS3.3 section C.7.6.3.1.2: samples per pixel that are really there, in halves of a sample.
_HALF_SAMPLES = {"YBR_FULL_422": 4, "YBR_PARTIAL_422": 4, "YBR_PARTIAL_420": 3}
_RULE = "pixel data"
_LONGEST_COUNT = 10
_OTHER_PIXELS = "pixel data that the IOD does not have"


class PixelDataStage:
    """Hands the pixel data on, in its transfer syntax."""

    def apply(self, instance: Instance) -> None:
        """Put the elements of group 7FE0 into the instance.

        Raises
        ------
        AmbiguousPixelDataError
            If there are pixels of several kinds, and not exactly one that the IOD has.
        PixelsNotReadableError
            If it can't be told where the pixels end, or where an image begins in them.
        """
        pixels = instance.original.pixels
        admitted = _admitted(instance)
        moved = False
        for element in sorted(pixels, key=lambda one: one.tag != PIXEL_DATA):
            if element.tag in PIXELS - admitted:
                _record(instance, element.tag, _OTHER_PIXELS, Action.REMOVED)
                continue
            # Tables say where frames were; without them readers look for themselves.
            gone = moved and element.tag in _OFFSET_TABLES
            kept = None if gone else _cleaned(element, instance)
            if kept is None:
                _record(instance, element.tag, _RULE, Action.REMOVED)
                continue
            moved = moved or (element.encapsulated and kept is not element)
            instance.pixels.append(kept._replace(vr=_vr(kept)))
            action = Action.KEPT if kept is element else Action.CLEANED
            _record(instance, element.tag, _RULE, action)
        instance.pixels.sort(key=lambda one: one.tag)


def _record(instance: Instance, tag: int, rule: str, action: Action) -> None:
    instance.records.append(ElementRecord(f"{tag:08X}", rule, action))


def _admitted(instance: Instance) -> frozenset[int]:
    """Which kind of pixels is the image (PS3.3 sections C.7.6.3, C.7.6.24 and C.7.6.25)."""
    found = frozenset(element.tag for element in instance.original.pixels) & PIXELS
    if len(found) < 2:
        return found
    sop_class = instance.original.sop_class
    of_iod = frozenset(tag for tag in found if type_of(tag, sop_class, None) != "3")
    if len(of_iod) != 1:
        raise AmbiguousPixelDataError(
            "the object has Pixel Data and Float or Double Float Pixel Data, of which an image has "
            "one: remove those that are not the image"
        )
    return of_iod


def _cleaned(element: Element, instance: Instance) -> Element | None:
    """An element of group 7FE0 without what is no image; ``None`` where nothing of it is one."""
    header, encoding = instance.original.header, instance.encoding
    if element.tag in _OF_COMPRESSED:
        return _table(element, instance)
    if element.tag in _FLOAT_BYTES:
        return _float(element, header, encoding)
    if element.tag != PIXEL_DATA:
        return None
    if element.encapsulated:
        return _without_comments(element, header, instance)
    return _without_overlays(_without_excess(element, header, encoding), header, encoding)


def _table(element: Element, instance: Instance) -> Element | None:
    """Offsets, lengths and size of compressed frames (PS3.5 section A.4), if they are some."""
    compressed = [one for one in instance.original.pixels if one.tag == PIXEL_DATA]
    if not compressed or not compressed[0].encapsulated or element.encapsulated:
        return None
    return element if describes(element.tag, element.value, compressed[0].value) else None


def _float(element: Element, header: RawDataSet, encoding: Encoding) -> Element | None:
    """Float pixels of the image's size; ``None`` where the header has no image."""
    rows, columns = (_number(header, tag, encoding) for tag in (0x00280010, 0x00280011))
    frames = _frame_count(header)
    if not rows * columns * frames or element.encapsulated:
        return None
    size = rows * columns * frames * _FLOAT_BYTES[element.tag]
    if len(element.value) < size:
        raise PixelsNotReadableError(
            "the float pixels are fewer than the image has: send the object again"
        )
    return element if len(element.value) == size else element._replace(value=element.value[:size])


def _vr(element: Element) -> str:
    if element.encapsulated:
        return "OB"
    by_tag = {
        0x7FE00001: "OV",
        0x7FE00002: "OV",
        0x7FE00003: "UV",
        FLOAT_PIXEL_DATA: "OF",
        DOUBLE_FLOAT_PIXEL_DATA: "OD",
    }
    return by_tag.get(element.tag) or (element.vr if element.vr in ("OB", "OW") else "OW")


def _number(header: RawDataSet, tag: int, encoding: Encoding) -> int:
    element = header.get(tag)
    if element is None or len(element.value) != 2:
        return 0
    return int.from_bytes(element.value, "little" if encoding.little_endian else "big")


def _without_comments(element: Element, header: RawDataSet, instance: Instance) -> Element:
    """Take comments and the like out of compressed frames."""
    size = _frame_bits(header, instance.encoding)
    rows, columns = (_number(header, tag, instance.encoding) for tag in (0x00280010, 0x00280011))
    bits = min(8, _number(header, 0x00280100, instance.encoding))
    plane = (rows * columns * bits + 7) // 8
    frames = Frames(_frame_count(header) or 1, plane, (size + 7) // 8)
    cleaned = cleaned_fragments(element.value, instance.transfer_syntax, frames)
    return element if cleaned is None else element._replace(value=cleaned)


def _frame_count(header: RawDataSet) -> int:
    """Number of Frames; 0 where it is no number."""
    frames = header.text(0x00280008) or "1"
    return int(frames) if frames.isdigit() and len(frames) < _LONGEST_COUNT else 0


def _frame_bits(header: RawDataSet, encoding: Encoding) -> int:
    """Bits of a native frame; 0 where the header has no image."""
    rows, columns = (_number(header, tag, encoding) for tag in (0x00280010, 0x00280011))
    samples, bits = (_number(header, tag, encoding) for tag in (0x00280002, 0x00280100))
    halves = _HALF_SAMPLES.get(header.text(0x00280004), 2 * (samples or 1))
    return (rows * columns * halves * bits + 1) // 2


def _without_excess(element: Element, header: RawDataSet, encoding: Encoding) -> Element:
    """Cut what lies behind the last frame: no viewer shows it."""
    bits = _frame_bits(header, encoding)
    # Frames that nobody counted are as many as there are.
    frames = _frame_count(header) or 8 * len(element.value) // max(bits, 1)
    size = (bits * frames + 7) // 8
    if size == 0:
        if is_text(bytes(element.value)):
            raise PixelsNotReadableError(
                "the object has Pixel Data that spell a text, and doesn't say what image they are "
                "(Rows, Columns, Bits Allocated)"
            )
        return element
    if len(element.value) <= size + (size & 1):
        return element
    return element._replace(value=element.value[:size])


def _without_overlays(element: Element, header: RawDataSet, encoding: Encoding) -> Element:
    """Clear the overlay planes that lie in unused bits (retired, PS3.5 section 8.1.2)."""
    bits, stored, high = (
        _number(header, tag, encoding) for tag in (0x00280100, 0x00280101, 0x00280102)
    )
    positions = {
        _number(header, group << 16 | 0x0102, encoding)
        for group in range(0x6000, 0x6020, 2)
        if _number(header, group << 16 | 0x0100, encoding) == bits
    }
    planes = {at for at in positions if high < at < bits or 0 < at <= high - stored}
    if not planes or bits not in (8, 16, 32) or len(element.value) % (bits // 8):
        return element
    order = "<" if encoding.little_endian else ">"
    words = np.frombuffer(element.value, dtype=f"{order}u{bits // 8}")
    mask = (1 << bits) - 1 - sum(1 << at for at in planes)
    return element._replace(value=(words & words.dtype.type(mask)).astype(words.dtype).tobytes())
