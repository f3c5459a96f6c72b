# SPDX-License-Identifier: Apache-2.0
"""Masks that say what they hide: fiducials in values that viewers and models take for padding.

A fiducial has the shape of the text that it stands for and one stored value, by the kind of the
text. The values lie side by side where the image has none, and the header declares all of them as
padding: Pixel Padding Value (0028,0120) and Pixel Padding Range Limit (0028,0121), PS3.3 section
C.7.5.1.1.2. Viewers show them as background, models leave them out, and programs read the kinds.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from deid.text.kinds import Kind

NOTE = "Fiducials in the pixel padding range"
"""A value of De-identification Method (0012,0063)."""
_PERSONS = {Kind.PHYSICIAN_NAME, Kind.NAME}
_NUMBERS = {Kind.PATIENT_ID, Kind.ACCESSION_NUMBER, Kind.UID, Kind.IDENTIFIER}


class Fiducial(IntEnum):
    """What a mask hides, by the value's distance from the outer end of the padding range.

    Where texts overlap the higher one counts.
    """

    TEXT = 0
    """Text that identifies nobody, or that can't be read."""
    CODE = 1
    CONTACT = 2
    """Addresses, places, institutions, phones, e-mails."""
    AGE = 3
    DATE = 4
    PERSON = 5
    NUMBER = 6
    PATIENT = 7

    @classmethod
    def of(cls, kinds: Iterable[Kind]) -> Fiducial:
        """What a line holds, of several kinds the most telling one."""
        return max(map(_of, kinds), default=cls.TEXT)


def _of(kind: Kind) -> Fiducial:
    if kind is Kind.PATIENT_NAME:
        return Fiducial.PATIENT
    if kind in _NUMBERS:
        return Fiducial.NUMBER
    if kind in _PERSONS:
        return Fiducial.PERSON
    return {Kind.DATE: Fiducial.DATE, Kind.AGE: Fiducial.AGE}.get(kind, Fiducial.CONTACT)


class Reserved(NamedTuple):
    """Stored values that stand for nothing in an image.

    Attributes
    ----------
    first:
        Pixel Padding Value, and the value of ``Fiducial.TEXT``.
    step:
        1, or -1 where black is the largest value (MONOCHROME1).
    limit:
        Pixel Padding Range Limit, with what was padding before.
    """

    first: int
    step: int
    limit: int

    def values(self, kinds: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Stored values of fiducials."""
        return np.asarray(self.first + self.step * kinds.astype(np.int64))


def reserved_values(
    frames: NDArray[Any],
    covered: NDArray[np.bool_],
    bounds: tuple[int, int],
    before: tuple[int, ...] = (),
    *,
    inverted: bool = False,
) -> Reserved | None:
    """Values for all kinds that no pixel has, ``None`` where there are none side by side.

    Parameters
    ----------
    frames:
        ``(frames, rows, columns)``, the stored values.
    covered:
        ``(rows, columns)``, what will be masked.
    bounds:
        Least and largest value that the image may store.
    before:
        Pixel Padding Value and Pixel Padding Range Limit as far as the image has them; the new
        values continue their range.
    inverted:
        Whether large values are dark.
    """
    # Turned round, the darkest value is the least of both kinds of image.
    sign = -1 if inverted else 1
    low, high = sorted(sign * bound for bound in bounds)
    used = np.unique(frames[:, ~covered].astype(np.int64) * sign)
    earlier = sorted(sign * value for value in before)
    count = len(Fiducial)
    if earlier:
        first = earlier[0] - count
        if first < low or _any(used, first, earlier[0] - 1):
            return None
        return Reserved(sign * first, sign, sign * earlier[-1])
    free = _first_free(used, low, high)
    return None if free is None else Reserved(sign * free, sign, sign * (free + count - 1))


def _any(used: NDArray[np.int64], least: int, largest: int) -> bool:
    return bool(((used >= least) & (used <= largest)).any())


def _first_free(used: NDArray[np.int64], low: int, high: int) -> int | None:
    """The first value of a range with room for all kinds: next to the image, else the darkest.

    Far from the image's own values it would be what a viewer stretches its contrast to.
    """
    if used.size and used[0] - len(Fiducial) >= low:
        return int(used[0]) - len(Fiducial)
    edges = np.concatenate([[low - 1], used, [high + 1]])
    room = np.flatnonzero(np.diff(edges) > len(Fiducial))
    return int(edges[room[0]]) + 1 if room.size else None


def fiducials_in(dataset: Dataset) -> list[tuple[Fiducial, tuple[int, int, int, int]]]:
    """The fiducials of a de-identified image, as kind and ``(left, top, width, height)``.

    Parameters
    ----------
    dataset:
        With its pixels; without fiducials the list is empty.
    """
    if NOTE not in (dataset.get("DeidentificationMethod") or ()):
        return []
    from scipy.ndimage import find_objects, label  # noqa: PLC0415 - only who asks needs it

    padding = int(dataset.PixelPaddingValue)
    step = -1 if dataset.PhotometricInterpretation == "MONOCHROME1" else 1
    frames = dataset.pixel_array
    frame = frames[0] if frames.ndim == 3 else frames
    found = []
    for kind in Fiducial:
        areas, _ = label(frame == padding + step * kind)
        for down, across in find_objects(areas):
            size = across.stop - across.start, down.stop - down.start
            found.append((kind, (across.start, down.start, *size)))
    return found
