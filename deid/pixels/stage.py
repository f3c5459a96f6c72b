# SPDX-License-Identifier: Apache-2.0
"""The stage that carries out the Clean Pixel Data Option (PS3.15 section E.3.1)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deid.context import encodings_of
from deid.elements import Element
from deid.errors import TextLeftInPixelsError
from deid.identifiers import denied_words, elements_of
from deid.pixels.barcodes import Barcodes
from deid.pixels.detector import QuickText, TextDetector
from deid.pixels.finding import Keep, find_text, representatives
from deid.pixels.frames import decoded, masked
from deid.report import Action, ElementRecord
from deid.stages import Instance

CODE, MEANING = "113101", "Clean Pixel Data Option"
_BURNED_IN_ANNOTATION = 0x00280301
_CHARACTER_SET = 0x00080005
_MOST_PASSES = 4
_SAMPLED = 262144
_RULE = "text in pixels"


class CleanPixelStage:
    """Masks the text and codes of every image and looks again until none is found.

    Parameters
    ----------
    detector:
        Finds text; the quick one by default.
    keep:
        What text may stay.
    """

    def __init__(self, detector: TextDetector | None = None, keep: Keep = Keep.NOTHING) -> None:
        self._detector = detector or QuickText(reading=keep is not Keep.NOTHING)
        self._keep = keep
        self._barcodes = Barcodes()

    def apply(self, instance: Instance) -> None:
        """Clean the pixels, and say so in the header.

        Every second look is at the image turned by a right angle: it verifies what the one before
        did, and lines that stood upright lie.

        Raises
        ------
        PixelsNotReadableError
            If they can't be decoded, or what has text can't be masked.
        TextLeftInPixelsError
            If text is still found after four looks.
        """
        image = instance.image
        if image is None:
            return
        header = instance.original.header
        encodings = encodings_of(header.text(_CHARACTER_SET))
        denied = denied_words(elements_of(header), encodings)
        picture = decoded(instance)
        seen = representatives(picture.shown)
        covered = find_text(seen, self._barcodes)
        shown = _blacked(seen, covered)
        for look in range(_MOST_PASSES):
            found = find_text(
                shown,
                self._detector,
                keep=self._keep,
                denied=denied,
                covered=covered,
                turned=bool(look % 2),
            )
            if not (found & ~covered).any():
                if look:
                    break
                continue
            covered |= found
            shown = _blacked(seen, covered)
        else:
            raise TextLeftInPixelsError(
                "text is still found in the pixels after they were masked: look at the image"
            )
        if covered.any():
            masked(instance, covered, picture)
        self._mark(instance, image.tag, bool(covered.any()))

    @staticmethod
    def _mark(instance: Instance, tag: int, changed: bool) -> None:
        instance.elements[_BURNED_IN_ANNOTATION] = Element(_BURNED_IN_ANNOTATION, "CS", b"NO")
        instance.methods[CODE] = MEANING
        action = Action.CLEANED if changed else Action.KEPT
        instance.records.append(ElementRecord(f"{tag:08X}", _RULE, action))


def _blacked(frames: NDArray[Any], covered: NDArray[np.bool_]) -> NDArray[Any]:
    """Frames to look at again; a mask must not be a bright bar that hides what is beside it."""
    if not covered.any():
        return frames
    shown = frames.copy()
    shown[:, covered] = np.median(frames.ravel()[:: max(1, frames.size // _SAMPLED)])
    return shown
