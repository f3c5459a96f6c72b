# SPDX-License-Identifier: Apache-2.0
"""What the lines of an image identify, by the detectors of free text with the header's terms."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, label

from deid.identifiers import told_texts
from deid.parsing import RawDataSet
from deid.pixels.areas import area_of
from deid.pixels.detector import NO_HINTS, Found, TextDetector
from deid.pixels.fiducials import Fiducial
from deid.pixels.hints import Hints
from deid.text import TextDeidentifier, header_terms


class _Line(NamedTuple):
    """Pixels of a line in the image as it is looked at, and its text."""

    corners: NDArray[np.float32]
    text: str


class NotingDetector:
    """Passes on what another detector finds, and notes it.

    Parameters
    ----------
    detector:
        Which reads what it finds.

    Attributes
    ----------
    lines:
        What was found since ``start``.
    """

    def __init__(self, detector: TextDetector) -> None:
        self._detector = detector
        self.lines: list[_Line] = []

    def find(self, picture: NDArray[np.uint8], hints: Hints = NO_HINTS) -> list[Found]:
        """What the other detector finds."""
        found = self._detector.find(picture, hints)
        self.lines += [_Line(one.corners, one.text) for one in found]
        return found


class Kinds:
    """The fiducial of each pixel of an image, as far as lines were read.

    Parameters
    ----------
    header:
        Of the instance as it came.
    encodings:
        Python codecs of its Specific Character Set.
    shape:
        Rows and columns.
    """

    def __init__(
        self, header: RawDataSet, encodings: tuple[str, ...], shape: tuple[int, int]
    ) -> None:
        self._texts = TextDeidentifier(header_terms(told_texts(header, encodings)))
        self._told = np.full(shape, -1, np.int8)

    def add(self, lines: list[_Line], *, turned: bool) -> None:
        """Tell the kinds of lines found in the image, or in the image turned by a right angle."""
        told = np.rot90(self._told) if turned else self._told
        for line in lines:
            kind = Fiducial.of(span.kind for span in self._texts.clean(line.text).spans)
            area = area_of(line.corners, told.shape)
            # A view of the array: turned, it writes into the upright one.
            told[area] = np.maximum(told[area], kind)

    def add_codes(self, covered: NDArray[np.bool_]) -> None:
        """Where bar codes and QR codes are."""
        self._told[covered] = np.maximum(self._told[covered], Fiducial.CODE)

    def of_pixels(self, covered: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """The fiducial of each covered pixel; margins have that of the line next to them."""
        nearest = distance_transform_edt(
            self._told < 0, return_distances=False, return_indices=True
        )
        told = self._told[tuple(nearest)]
        return np.where(covered & (told >= 0), told, 0).astype(np.uint8)


def counted(kinds: NDArray[np.uint8], covered: NDArray[np.bool_]) -> str:
    """How many masks there are of each kind, such as ``2 PATIENT, 1 DATE``."""
    counts = {kind: label(covered & (kinds == kind))[1] for kind in reversed(Fiducial)}
    return ", ".join(f"{count} {kind.name}" for kind, count in counts.items() if count)
