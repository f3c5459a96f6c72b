# SPDX-License-Identifier: Apache-2.0
"""Finds text in a picture, and reads it: what is no writing at all is not text.

The engine is RapidOCR's packaging of PaddleOCR's detection (differentiable binarization, Liao et
al., arXiv:1911.08947) and reading; its weights lie in its wheel.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

_TILE, _OVERLAP = 1000, 128
"""Pixels. The engine shrinks larger pictures, and small letters are lost."""
_TILED_FROM = 1280
_SURE, _SURE_OF_ONE, _SURE_OF_TALL = 0.4, 0.75, 0.9
"""Confidence of reading from which a line is text, and from which a single letter is: rings,
crosses and strokes read as one. Lines in scripts that the reader lacks had 0.55 at least. Letters
as tall as a fifth of the picture are headlines, or a chest that was once read as "2007"."""
_TALL_SHARE, _TALL_PX = 0.2, 48.0


class Found(NamedTuple):
    """A line of text in a picture.

    Attributes
    ----------
    corners:
        ``(4, 2)`` x and y in pixels, in order around it.
    text:
        What it reads as; letters of scripts that the reader lacks come out as others.
    """

    corners: NDArray[np.float32]
    text: str


class TextDetector(Protocol):
    """Finds text in pictures."""

    def find(self, picture: NDArray[np.uint8]) -> list[Found]:
        """Lines of text in a picture, ``(rows, columns)`` or ``(rows, columns, 3)``."""


class RapidText:
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
            intra_op_num_threads=self._threads, inter_op_num_threads=self._threads, use_cls=False
        )

    def find(self, picture: NDArray[np.uint8]) -> list[Found]:
        """Lines of text, tile by tile where the picture is large."""
        if picture.ndim == 2:
            picture = np.repeat(picture[:, :, np.newaxis], 3, axis=2)
        found: list[Found] = []
        for top, left in _tiles(*picture.shape[:2]):
            tile = np.ascontiguousarray(picture[top : top + _TILE, left : left + _TILE])
            if max(picture.shape) < _TILED_FROM:
                tile = np.ascontiguousarray(picture)
            offset = np.array([left, top], np.float32)
            found += [Found(one.corners + offset, one.text) for one in self._in_tile(tile)]
        return found

    def _in_tile(self, tile: NDArray[np.uint8]) -> Iterator[Found]:
        boxes, _ = self._engine.text_det(tile)
        if boxes is None or len(boxes) == 0:
            return
        crops = self._engine.get_crop_img_list(tile, boxes)
        least = [_SURE_OF_TALL if _is_tall(box, tile.shape) else _SURE for box in boxes]
        texts = self._read(crops, least)
        # Lines may stand on their head: those from top to bottom do after the engine turned them.
        unread = [at for at, text in enumerate(texts) if not text]
        again = self._read(
            [np.ascontiguousarray(crops[at][::-1, ::-1]) for at in unread],
            [least[at] for at in unread],
        )
        for at, text in zip(unread, again, strict=True):
            texts[at] = text
        for box, text in zip(boxes, texts, strict=True):
            if text:
                yield Found(np.asarray(box, np.float32), text)

    def _read(self, crops: list[NDArray[np.uint8]], least: list[float]) -> list[str]:
        """What each crop reads as; empty where that is no text."""
        if not crops:
            return []
        read, _ = self._engine.text_rec(crops)
        return [
            text.strip() if _is_text(text, float(sure), wanted) else ""
            for (text, sure), wanted in zip(read, least, strict=True)
        ]


def _is_text(text: str, sure: float, least: float) -> bool:
    letters = sum(map(str.isalnum, text))
    return sure >= (least if letters > 1 else max(least, _SURE_OF_ONE)) and letters > 0


def _is_tall(box: NDArray[np.float32], shape: tuple[int, ...]) -> bool:
    sides = np.linalg.norm(np.roll(box, -1, axis=0) - box, axis=1)
    return float(sides.min()) > max(_TALL_SHARE * min(shape[:2]), _TALL_PX)


def _tiles(rows: int, columns: int) -> Iterator[tuple[int, int]]:
    if max(rows, columns) < _TILED_FROM:
        return iter([(0, 0)])
    return itertools.product(_starts(rows), _starts(columns))


def _starts(length: int) -> list[int]:
    if length <= _TILE:
        return [0]
    count = -(-(length - _OVERLAP) // (_TILE - _OVERLAP))
    return [round(at) for at in np.linspace(0, length - _TILE, count)]
