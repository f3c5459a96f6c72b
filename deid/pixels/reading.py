# SPDX-License-Identifier: Apache-2.0
"""Reads lines of text: what reads as nothing is not text.

The engine is RapidOCR's packaging of PaddleOCR's detection (differentiable binarization, Liao et
al., arXiv:1911.08947) and reading; its weights lie in its wheel.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_SURE, _SURE_OF_ONE, _SURE_OF_TALL = 0.4, 0.75, 0.9
"""Confidence of reading from which a line is text, and from which a single letter is: rings,
crosses and strokes read as one. Lines in scripts that the reader lacks had 0.55 at least. Letters
as tall as a fifth of the picture are headlines, or a chest that was once read as "2007"."""
_TALL_SHARE, _TALL_PX = 0.2, 48.0
_SHORT = 4
"""Letters up to which what reads as some may be an edge."""
_UPRIGHT = 1.5
"""Height over width from which the engine turns a line by a right angle."""


class Needed(NamedTuple):
    """Confidence of reading from which something is text.

    Attributes
    ----------
    line:
        From which a line is.
    short:
        From which one of up to four letters is, where that is more.
    """

    line: float = _SURE
    short: float = _SURE

    def of(self, letters: int) -> float:
        """The confidence that so many letters need."""
        if letters > _SHORT:
            return self.line
        return max(self.line, self.short, _SURE_OF_ONE if letters == 1 else 0.0)


_NEEDED, _NEEDED_OF_TALL = Needed(), Needed(_SURE_OF_TALL)


def _never(_text: str) -> bool:
    return False


class Rapid:
    """RapidOCR, loaded when it is first asked.

    Parameters
    ----------
    threads:
        Of each of its networks.
    """

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads

    @cached_property
    def _engine(self) -> Any:
        # Looked up here: a run that finds no pixel data loads no network.
        from rapidocr_onnxruntime import RapidOCR  # noqa: PLC0415

        return RapidOCR(
            intra_op_num_threads=self._threads,
            inter_op_num_threads=self._threads,
            use_cls=False,
            # Line by line, each as wide as it is: most of a batch would be padding.
            rec_batch_num=1,
            rec_img_shape=[3, 48, 48],
        )

    def boxes(self, picture: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Corners of what its own detector takes for lines in ``(rows, columns, 3)``."""
        boxes, _ = self._engine.text_det(picture)
        return [] if boxes is None else [np.asarray(box, np.float32) for box in boxes]

    def read(
        self,
        picture: NDArray[np.uint8],
        boxes: list[NDArray[np.float32]],
        needed: Needed = _NEEDED,
        denied: Callable[[str], bool] = _never,
    ) -> list[str]:
        """What each box of ``(rows, columns, 3)`` reads as; empty where that is no text.

        Parameters
        ----------
        boxes:
            Corners around each, from the first to the second along its upper side.
        needed:
            Confidence from which it is text.
        denied:
            Tells what identifies, and is text at any confidence.
        """
        if not boxes:
            return []
        crops = self._engine.get_crop_img_list(picture, boxes)
        least = [_NEEDED_OF_TALL if _is_tall(box, picture.shape) else needed for box in boxes]
        read = self._text(crops, least, denied)
        # Lines may stand on their head: half of those that are upright do after the engine turned
        # them, and some read as something all the same.
        doubted = [at for at, one in enumerate(read) if not one[0] or _is_upright(boxes[at])]
        again = self._text(
            [np.ascontiguousarray(crops[at][::-1, ::-1]) for at in doubted],
            [least[at] for at in doubted],
            denied,
        )
        for at, other in zip(doubted, again, strict=True):
            read[at] = max(read[at], other, key=lambda one: (denied(one[0]), bool(one[0]), one[1]))
        return [text for text, _ in read]

    def rated(self, crops: list[NDArray[np.uint8]]) -> list[tuple[str, float]]:
        """What pictures of single lines read as, ``(rows, columns, 3)``, and how sure that is."""
        if not crops:
            return []
        read, _ = self._engine.text_rec(crops)
        return [(text.strip(), float(sure)) for text, sure in read]

    def _text(
        self,
        crops: list[NDArray[np.uint8]],
        least: list[Needed],
        denied: Callable[[str], bool],
    ) -> list[tuple[str, float]]:
        read = self.rated(crops)
        return [
            (text if _is_text(text, sure, wanted) or denied(text) else "", sure)
            for (text, sure), wanted in zip(read, least, strict=True)
        ]


def _is_text(text: str, sure: float, needed: Needed) -> bool:
    letters = sum(map(str.isalnum, text))
    return letters > 0 and sure >= needed.of(letters)


def _is_upright(box: NDArray[np.float32]) -> bool:
    along, across = box[1] - box[0], box[3] - box[0]
    return float(np.linalg.norm(across)) >= _UPRIGHT * float(np.linalg.norm(along))


def _is_tall(box: NDArray[np.float32], shape: tuple[int, ...]) -> bool:
    sides = np.linalg.norm(np.roll(box, -1, axis=0) - box, axis=1)
    return float(sides.min()) > max(_TALL_SHARE * min(shape[:2]), _TALL_PX)
