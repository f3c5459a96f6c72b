# SPDX-License-Identifier: Apache-2.0
"""Where a person should look first: text in the pixels, as boxes."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import find_objects, label

from deid.corrections import Box
from deid.pixels import Keep, RapidText, TextDetector, find_text
from deid.pixels.barcodes import Barcodes
from deid.pixels.frames import decoded
from deid.stages import Instance


class SuggestedBoxesStage:
    """Looks for text and codes, upright and turned, and changes nothing.

    Parameters
    ----------
    keep:
        What text is not worth a box.

    Attributes
    ----------
    boxes:
        What was found in the last instance, top to bottom.
    """

    def __init__(self, detector: TextDetector | None = None, keep: Keep = Keep.NOTHING) -> None:
        self._detector = detector or RapidText()
        self._keep = keep
        self._barcodes = Barcodes()
        self.boxes: tuple[Box, ...] = ()

    def apply(self, instance: Instance) -> None:
        """Find the boxes.

        Raises
        ------
        PixelsNotReadableError
            If the pixels can't be decoded.
        """
        self.boxes = ()
        if instance.image is None:
            return
        shown = decoded(instance).visible
        found = find_text(shown, self._barcodes)
        for turned in (False, True):
            found |= find_text(shown, self._detector, keep=self._keep, covered=found, turned=turned)
        self.boxes = boxes_around(found)


def boxes_around(mask: np.ndarray) -> tuple[Box, ...]:
    """The rectangles around what hangs together in a mask ``(rows, columns)``, top to bottom."""
    areas = find_objects(label(mask)[0])
    return tuple(
        sorted(
            (
                Box(across.start, down.start, across.stop - across.start, down.stop - down.start)
                for down, across in areas
            ),
            key=lambda box: (box.top, box.left),
        )
    )
