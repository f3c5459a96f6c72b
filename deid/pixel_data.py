# SPDX-License-Identifier: Apache-2.0
"""Takes from pixel data what is no image: bytes behind it, overlays in its unused bits, comments.

Nothing is decoded, and nothing is copied where nothing is to be taken.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from deid.codestreams import cleaned_fragments
from deid.elements import Element, Encoding
from deid.parsing import RawDataSet
from deid.report import Action, ElementRecord
from deid.stages import Instance

_PIXEL_DATA = 0x7FE00010
_OFFSET_TABLES = (0x7FE00001, 0x7FE00002)
_OF_COMPRESSED = (*_OFFSET_TABLES, 0x7FE00003)
_FLOAT_BYTES = {0x7FE00008: 4, 0x7FE00009: 8}
# PS3.3 section C.7.6.3.1.2: samples per pixel that are really there, in halves of a sample.
_HALF_SAMPLES = {"YBR_FULL_422": 4, "YBR_PARTIAL_422": 4, "YBR_PARTIAL_420": 3}


class PixelDataStage:
    """Hands the pixel data on, in its transfer syntax."""

    def apply(self, instance: Instance) -> None:
        """Put the elements of group 7FE0 into the instance."""
        header, encoding = instance.original.header, instance.encoding
        moved = False
        for element in sorted(instance.original.pixels, key=lambda one: one.tag != _PIXEL_DATA):
            if moved and element.tag in _OFFSET_TABLES:
                # They say where frames were; without them readers look for themselves.
                instance.records.append(
                    ElementRecord(f"{element.tag:08X}", "pixel data", Action.REMOVED)
                )
                continue
            if _is_out_of_place(element, instance.original.pixels, header, encoding):
                instance.records.append(
                    ElementRecord(f"{element.tag:08X}", "pixel data", Action.REMOVED)
                )
                continue
            kept = element
            if element.tag == _PIXEL_DATA and not element.encapsulated:
                kept = _without_excess(element, header, encoding)
                kept = _without_overlays(kept, header, encoding)
            elif element.tag == _PIXEL_DATA:
                kept = _without_comments(element, header, instance.transfer_syntax)
                moved = kept is not element
            action = Action.KEPT if kept is element else Action.CLEANED
            instance.pixels.append(kept._replace(vr=_vr(kept)))
            instance.records.append(ElementRecord(f"{element.tag:08X}", "pixel data", action))
        instance.pixels.sort(key=lambda one: one.tag)


def _is_out_of_place(
    element: Element, pixels: Collection[Element], header: RawDataSet, encoding: Encoding
) -> bool:
    """Offsets of frames that are not compressed, and float pixels of another size than the image.

    PS3.5 section A.4, PS3.3 sections C.7.6.24 and C.7.6.25.
    """
    if element.tag in _OF_COMPRESSED:
        return not any(one.tag == _PIXEL_DATA and one.encapsulated for one in pixels)
    size = _FLOAT_BYTES.get(element.tag)
    if size is None:
        return False
    rows, columns = (_number(header, tag, encoding) for tag in (0x00280010, 0x00280011))
    frames = header.text(0x00280008) or "1"
    return not frames.isdigit() or len(element.value) != rows * columns * int(frames) * size


def _vr(element: Element) -> str:
    if element.encapsulated:
        return "OB"
    by_tag = {
        0x7FE00001: "OV",
        0x7FE00002: "OV",
        0x7FE00003: "UV",
        0x7FE00008: "OF",
        0x7FE00009: "OD",
    }
    return by_tag.get(element.tag) or (element.vr if element.vr in ("OB", "OW") else "OW")


def _number(header: RawDataSet, tag: int, encoding: Encoding) -> int:
    element = header.get(tag)
    if element is None or len(element.value) != 2:
        return 0
    return int.from_bytes(element.value, "little" if encoding.little_endian else "big")


def _without_comments(element: Element, header: RawDataSet, syntax: str) -> Element:
    """Take comments and the like out of compressed frames."""
    frames = header.text(0x00280008) or "1"
    count = int(frames) if frames.isdigit() else 1
    cleaned = cleaned_fragments(element.value, syntax, count)
    return element if cleaned is None else element._replace(value=cleaned)


def _without_excess(element: Element, header: RawDataSet, encoding: Encoding) -> Element:
    """Cut what lies behind the last frame: no viewer shows it."""
    rows, columns = (_number(header, tag, encoding) for tag in (0x00280010, 0x00280011))
    samples, bits = (_number(header, tag, encoding) for tag in (0x00280002, 0x00280100))
    frames = header.text(0x00280008) or "1"
    halves = _HALF_SAMPLES.get(header.text(0x00280004), 2 * samples)
    if not frames.isdigit():
        return element
    size = (rows * columns * halves * bits * int(frames) + 15) // 16
    if size == 0 or len(element.value) <= size + (size & 1):
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
