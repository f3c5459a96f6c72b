# SPDX-License-Identifier: Apache-2.0
"""Palettes: the values of PALETTE COLOR images are places in a table, no brightness.

Writing is looked for in the colours that the table gives (PS3.3 section C.7.9), and a mask is the
place of its darkest colour.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.processing import apply_color_lut

from deid.errors import PixelsNotReadableError

PALETTE = "PALETTE COLOR"
_CHANNELS = ("Red", "Green", "Blue")
_TABLE = "PaletteColorLookupTable"
_MOST_ENTRIES = 65536
_BYTE = 256
_LUMA = (0.299, 0.587, 0.114)
_FAILURES = (AttributeError, IndexError, KeyError, TypeError, ValueError)


class Palette(NamedTuple):
    """A table of colours.

    Attributes
    ----------
    first:
        The stored value of the first colour; those below it have it too.
    colours:
        ``(entries, 3)``; values beyond the table have the last one.
    """

    first: int
    colours: NDArray[np.uint8]

    def displayed(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """Stored values as colours, ``(..., 3)``."""
        places = np.clip(values.astype(np.int32) - self.first, 0, len(self.colours) - 1)
        return np.asarray(self.colours[places], np.uint8)

    def darkest(self, low: int, high: int) -> int:
        """The stored value of the darkest colour, of those from ``low`` to ``high``."""
        values = np.clip(np.arange(self.first, self.first + len(self.colours)), low, high)
        return int(values[int((self.displayed(values) @ np.array(_LUMA)).argmin())])


def palette_of(dataset: Dataset) -> Palette:
    """The palette of an image.

    Parameters
    ----------
    dataset:
        As read from a file, with the Palette Color Lookup Table module, segmented or not.

    Raises
    ------
    PixelsNotReadableError
        If it has no palette that can be read.
    """
    try:
        entries, first, _ = (int(value) for value in dataset[f"Red{_TABLE}Descriptor"].value)
        entries = entries or _MOST_ENTRIES
        if f"Red{_TABLE}Data" in dataset:
            tables = [_table(dataset, channel, entries) for channel in _CHANNELS]
            colours = np.stack(tables, axis=1)
        else:
            colours = _segmented(dataset, first, entries)
    except _FAILURES as error:
        raise PixelsNotReadableError(
            "the image has no palette that can be read, so text in its colours can't be looked for"
        ) from error
    # Tables of 16 bits may hold 8, whatever they say.
    return Palette(first, np.asarray(colours >> (8 if colours.max() >= _BYTE else 0), np.uint8))


def _table(dataset: Dataset, channel: str, entries: int) -> NDArray[np.int64]:
    """One channel: a byte or a word for each entry, in the byte order of the file."""
    little = dataset.original_encoding[1] is not False
    words = np.frombuffer(
        bytes(dataset[f"{channel}{_TABLE}Data"].value), "<u2" if little else ">u2"
    )
    if len(words) >= entries:
        return words[:entries].astype(np.int64)
    values = words.astype("<u2").view(np.uint8)
    if len(values) < entries:
        raise ValueError("fewer colours than entries")
    return values[:entries].astype(np.int64)


def _segmented(dataset: Dataset, first: int, entries: int) -> NDArray[np.int64]:
    colours = apply_color_lut(np.arange(first, first + entries, dtype=np.int32), dataset)
    if colours.dtype.itemsize == 1 and entries > _BYTE:
        raise ValueError("more entries than are reached")  # places are bytes there
    return colours[:, :3].astype(np.int64)
