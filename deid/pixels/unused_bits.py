# SPDX-License-Identifier: Apache-2.0
"""Bits of a pixel that are not of its value, where text can lie unseen (PS3.5 section 8.1.1).

Overlays in unused bits are retired, and those that a header declares are cleared wherever pixels
leave. Planes that nobody declared may be values that are larger than they should be, which some
readers show, so they stay unless text is found in them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_SHOWN = 255


class Stored(NamedTuple):
    """How a pixel is stored.

    Attributes
    ----------
    allocated:
        Bits Allocated (0028,0100).
    stored:
        Bits Stored (0028,0101).
    high:
        High Bit (0028,0102).
    signed:
        Whether Pixel Representation (0028,0103) is 1.
    """

    allocated: int
    stored: int
    high: int
    signed: bool


def unused_planes(values: NDArray[Any], stored: Stored) -> dict[int, NDArray[np.uint8]]:
    """Planes of unused bits in which something is written, each as an image, by bit.

    Bits above a signed value that repeat its sign say nothing more and are left out.

    Parameters
    ----------
    values:
        ``(frames, rows, columns)`` or ``(frames, rows, columns, samples)``, whole words.

    Returns
    -------
    dict
        ``(rows, columns)`` by bit, 255 where any frame or sample has it set.
    """
    if values.dtype.kind not in "iu" or not 0 < stored.stored < stored.allocated:
        return {}
    words = values.view(f"{values.dtype.byteorder}u{values.dtype.itemsize}")
    lowest = stored.high - stored.stored + 1
    found: dict[int, NDArray[np.uint8]] = {}
    sign = (words >> stored.high) & 1 if stored.signed else None
    for bit in range(stored.allocated):
        if lowest <= bit <= stored.high:
            continue
        plane = (words >> bit) & 1
        if not plane.any() or (sign is not None and bit > stored.high and (plane == sign).all()):
            continue
        others = (0, 3) if plane.ndim == 4 else (0,)
        found[bit] = np.where(np.any(plane, axis=others), np.uint8(_SHOWN), np.uint8(0))
    return found


def bits_with_text(
    values: NDArray[Any],
    stored: Stored,
    has_text: Callable[[NDArray[np.uint8]], bool],
) -> int:
    """A mask of the unused bits in whose plane text is found.

    Parameters
    ----------
    has_text:
        Whether an image ``(rows, columns)`` shows text.
    """
    planes = unused_planes(values, stored)
    return sum(1 << bit for bit, plane in planes.items() if has_text(plane))


def without_bits(values: NDArray[Any], bits: int) -> NDArray[Any]:
    """The words with the bits of a mask cleared."""
    words = values.view(f"{values.dtype.byteorder}u{values.dtype.itemsize}")
    every = (1 << (8 * values.dtype.itemsize)) - 1
    cleared: NDArray[Any] = words & words.dtype.type(every ^ bits)
    return cleared.astype(words.dtype).view(values.dtype)
