# SPDX-License-Identifier: AGPL-3.0-or-later
"""Pixel Data of one bit per pixel (PS3.5 section 8.1.1 and D.1): lowest bit first, no padding
between rows or frames, an even number of bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from plugin.results.bands import Band


def pack(bands: Sequence[Band], rows: int, columns: int) -> bytes:
    """One frame of ``rows x columns`` per band, in their order."""
    packed = _pack_bytewise(bands, rows, columns) if columns % 8 == 0 else None
    data = packed if packed is not None else _pack_bitwise(bands, rows, columns)
    return data + b"\0" * (len(data) % 2)


def _pack_bytewise(bands: Sequence[Band], rows: int, columns: int) -> bytes:
    # Rows begin on byte borders, so only the bytes of each band's window need to be packed.
    frames = np.zeros((len(bands), rows, columns // 8), np.uint8)
    for frame, band in zip(frames, bands, strict=True):
        window = band.window
        first, last = window.left // 8, -(-window.right // 8)
        padded = np.pad(band.mask, ((0, 0), (window.left - 8 * first, 8 * last - window.right)))
        frame[window.top : window.bottom, first:last] = np.packbits(
            padded, axis=1, bitorder="little"
        )
    return frames.tobytes()


def _pack_bitwise(bands: Sequence[Band], rows: int, columns: int) -> bytes:
    frames = np.zeros((len(bands), rows, columns), bool)
    for frame, band in zip(frames, bands, strict=True):
        window = band.window
        frame[window.top : window.bottom, window.left : window.right] = band.mask
    return np.packbits(frames.ravel(), bitorder="little").tobytes()
