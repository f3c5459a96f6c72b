# SPDX-License-Identifier: Apache-2.0
"""What a person decided about single instances: boxes to mask, values to redact or to keep.

Corrections come after a look at original and result. They reach the pixels and each element of an
instance, in sequences too, by its path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from deid.elements import Element
from deid.errors import CorrectionError
from deid.policy import Recompression
from deid.report import Action, ElementRecord
from deid.stages import Instance, Stage
from deid.tag_paths import TagPath

PIXEL_CODE, PIXEL_MEANING = "113101", "Clean Pixel Data Option"
_BURNED_IN_ANNOTATION = 0x00280301
DECIDED = "a reviewer's decision"


class Box(NamedTuple):
    """A rectangle of an image, in pixels; column and row 0 are its first ones."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Corrections:
    """What is done otherwise with one instance.

    Attributes
    ----------
    boxes:
        What is masked in every frame, and nothing else; ``None``: what the policy finds.
    redacted:
        Paths of elements that lose their value.
    kept:
        Paths of elements that keep their original value.
    """

    boxes: tuple[Box, ...] | None = None
    redacted: frozenset[TagPath] = field(default_factory=frozenset)
    kept: frozenset[TagPath] = field(default_factory=frozenset)


class CorrectedPixelsStage:
    """Masks a person's boxes, and leaves all other instances to the policy's stages.

    Parameters
    ----------
    corrections:
        By original SOP Instance UID.
    otherwise:
        What is done with pixels that nobody looked at.
    recompression:
        How compressed pixels are written.
    """

    def __init__(
        self,
        corrections: Mapping[str, Corrections],
        otherwise: Sequence[Stage] = (),
        recompression: Recompression = Recompression.RLE,
    ) -> None:
        self._corrections = corrections
        self._otherwise = otherwise
        self._recompression = recompression

    def apply(self, instance: Instance) -> None:
        """Mask.

        Raises
        ------
        CorrectionError
            If a box lies outside of the image.
        PixelsNotReadableError
            If pixels have to be masked and can't be.
        """
        correction = self._corrections.get(instance.original.sop_instance)
        if correction is None or correction.boxes is None:
            for stage in self._otherwise:
                stage.apply(instance)
            return
        image = instance.image
        if image is None:
            return
        if correction.boxes:
            self._mask(instance, correction.boxes)
        instance.elements[_BURNED_IN_ANNOTATION] = Element(_BURNED_IN_ANNOTATION, "CS", b"NO")
        instance.methods[PIXEL_CODE] = PIXEL_MEANING
        action = Action.CLEANED if correction.boxes else Action.KEPT
        instance.records.append(ElementRecord(f"{image.tag:08X}", DECIDED, action))

    def _mask(self, instance: Instance, boxes: Sequence[Box]) -> None:
        # Looked up here: most instances have no box.
        from deid.pixels.frames import decoded, masked  # noqa: PLC0415

        picture = decoded(instance)
        rows, columns = int(picture.shown.shape[1]), int(picture.shown.shape[2])
        mask = np.zeros((rows, columns), np.bool_)
        for box in boxes:
            if box.left >= columns or box.top >= rows or min(box) < 0:
                raise CorrectionError("a box lies outside of the image: draw it again")
            mask[box.top : box.top + box.height, box.left : box.left + box.width] = True
        masked(instance, mask, picture, self._recompression)
