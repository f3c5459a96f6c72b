# SPDX-License-Identifier: Apache-2.0
"""The words on the picture of a page: where each stands, and what it reads as.

Lines are found and read by RapidOCR, then cut into words where the ink of the line has gaps.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deid.pixels.reading import Rapid
from deid.text.folding import readable

Corners = NDArray[np.float32]
"""``(4, 2)`` x and y in pixels, from the first to the second along the upper side."""

_HEIGHT = 48
"""Pixels of a line that is laid straight, with its margin."""
_MARGIN = 0.12
_GAP = 0.2
"""Of a line's height: so wide a gap in its ink parts two words."""
_NARROW_GAP = 0.11
"""The same in a line whose words the reader ran together."""
_LONGEST_WORD = 18
_JUDGED_LINES = 6
_SAME_ROW = 0.6
"""Share of a line's height by which the middles of lines side by side may differ."""
_WIDEST_LETTER = 2.2
"""How much wider or narrower than those of its line the letters of a word may be."""
_SHORTEST_JUDGED = 3
_INK_PIXELS = 1
_GREY = 3
_EDGE = 0.06


class Word(NamedTuple):
    """One word.

    Attributes
    ----------
    corners:
        Around it, in the upright picture.
    text:
        What it reads as, in Unicode's composed form; empty if it can't be read.
    sure:
        Confidence of the reading, 0 to 1.
    """

    corners: Corners
    text: str
    sure: float


class PageWords(NamedTuple):
    """What is written on a page.

    Attributes
    ----------
    picture:
        ``(rows, columns)``, turned so that lines run from left to right.
    rows:
        Words side by side, from left to right; rows from top to bottom.
    """

    picture: NDArray[np.uint8]
    rows: list[list[Word]]


class _Run(NamedTuple):
    """Columns of a straight line: the first, and the one after the last."""

    start: int
    end: int


class _Line(NamedTuple):
    corners: Corners
    words: list[Word]


class WordReader:
    """Finds the words of pages.

    Parameters
    ----------
    threads:
        Of each network, which are loaded with the first page.
    """

    def __init__(self, threads: int = 1) -> None:
        self._rapid = Rapid(threads)

    def read(self, picture: NDArray[np.uint8]) -> PageWords:
        """The words of a page, however it was laid on the scanner."""
        upright, boxes = self._upright(picture)
        return PageWords(upright, self._rows(upright, boxes))

    def read_alone(self, picture: NDArray[np.uint8], words: Sequence[Word]) -> list[str]:
        """What each word of an upright picture reads as, without the line around it."""
        return [
            text for text, _ in self._rapid.rated([_straight(picture, w.corners) for w in words])
        ]

    def _boxes(self, picture: NDArray[np.uint8]) -> list[Corners]:
        return self._rapid.boxes(_coloured(picture))

    def _rows(self, picture: NDArray[np.uint8], boxes: list[Corners]) -> list[list[Word]]:
        lines = [_Line(box, self._words(picture, box)) for box in boxes]
        return _side_by_side([line for line in lines if line.words])

    def _upright(self, picture: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], list[Corners]]:
        boxes = self._boxes(picture)
        if sum(map(_is_tall, boxes)) > len(boxes) / 2:
            picture = np.ascontiguousarray(np.rot90(picture))
            boxes = self._boxes(picture)
        longest = sorted(boxes, key=lambda box: -float(np.ptp(box[:, 0])))[:_JUDGED_LINES]
        crops = [_straight(picture, box) for box in longest]
        standing = self._rapid.rated(crops)
        turned = self._rapid.rated([np.ascontiguousarray(crop[::-1, ::-1]) for crop in crops])
        if sum(sure for _, sure in turned) > sum(sure for _, sure in standing):
            picture = np.ascontiguousarray(picture[::-1, ::-1])
            size = np.array(picture.shape[::-1], np.float32)
            boxes = [np.roll(size - box, -2, axis=0) for box in boxes]
        return picture, boxes

    def _words(self, picture: NDArray[np.uint8], box: Corners) -> list[Word]:
        line = _straight(picture, box)
        runs = _runs(line)
        if not runs:
            return []
        ((text, sure),) = self._rapid.rated([line])
        read = readable(text).split()
        pieces = _parted(runs, len(read))
        close = _parted_at(runs, _NARROW_GAP * _HEIGHT)
        joined = max(map(len, read), default=0) > _LONGEST_WORD and len(close) > len(read)
        if _fits(read, pieces) and not joined:
            told = [(word, sure) for word in read]
        else:
            pieces = close if joined else _parted_at(runs, _GAP * _HEIGHT)
            rated = self._rapid.rated([_cut(line, piece) for piece in pieces])
            told = [(readable("".join(t.split())), s) for t, s in rated]
        grown, width = _grown(box), line.shape[1]
        return [
            Word(_part(grown, piece.start / width, piece.end / width), *one)
            for piece, one in zip(pieces, told, strict=True)
        ]


def _cut(line: NDArray[np.uint8], piece: _Run) -> NDArray[np.uint8]:
    return np.ascontiguousarray(line[:, max(0, piece.start) : piece.end])


def _fits(read: list[str], pieces: list[_Run]) -> bool:
    """Whether the words of a line are those that its gaps part: as many, and as wide."""
    if not read or len(read) != len(pieces):
        return False
    widths = [piece.end - piece.start for piece in pieces]
    letter = sum(widths) / sum(map(len, read))
    for word, width in zip(read, widths, strict=True):
        ratio = width / (len(word) * letter)
        if len(word) >= _SHORTEST_JUDGED and not 1 / _WIDEST_LETTER < ratio < _WIDEST_LETTER:
            return False
    return True


def _runs(line: NDArray[np.uint8]) -> list[_Run]:
    """What blank columns part in the ink of a straight line: letters, and some that touch."""
    import cv2  # noqa: PLC0415 - only documents need it

    _, ink = cv2.threshold(line[:, :, 0], 0, 1, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    edge = round(_EDGE * _HEIGHT)
    # Rules above and below a line are no ink of its letters.
    inked = np.flatnonzero(ink[edge:-edge].sum(axis=0) > _INK_PIXELS)
    if not inked.size:
        return []
    breaks = np.flatnonzero(np.diff(inked) > 1)
    starts = np.concatenate(([inked[0]], inked[breaks + 1]))
    ends = np.concatenate((inked[breaks], [inked[-1]])) + 1
    return [_Run(int(start), int(end)) for start, end in zip(starts, ends, strict=True)]


def _parted(runs: list[_Run], count: int) -> list[_Run]:
    """So many words: the widest gaps of the line part them."""
    gaps = sorted((after.start - before.end for before, after in pairwise(runs)), reverse=True)
    if not 1 <= count <= len(gaps) + 1:
        return []
    # As wide as the narrowest of them, or there is no telling them from the others.
    return _parted_at(runs, gaps[count - 2] - 1 if count > 1 else runs[-1].end)


def _parted_at(runs: list[_Run], gap: float) -> list[_Run]:
    """The words that gaps wider than so many columns part."""
    words = [runs[0]]
    for run in runs[1:]:
        if run.start - words[-1].end > gap:
            words.append(run)
        else:
            words[-1] = _Run(words[-1].start, run.end)
    # Letters end in grey.
    return [_Run(word.start - _GREY, word.end + _GREY) for word in words]


def _straight(picture: NDArray[np.uint8], box: Corners) -> NDArray[np.uint8]:
    """A line with a margin, laid straight: ``(48, columns, 3)``."""
    import cv2  # noqa: PLC0415 - as above

    corners = _grown(box)
    wide = float(np.linalg.norm(corners[1] - corners[0]))
    high = max(1.0, float(np.linalg.norm(corners[3] - corners[0])))
    columns = max(8, round(wide * _HEIGHT / high))
    target = np.array([[0, 0], [columns, 0], [columns, _HEIGHT], [0, _HEIGHT]], np.float32)
    turn = cv2.getPerspectiveTransform(np.asarray(corners, np.float32), target)
    laid = cv2.warpPerspective(
        picture, turn, (columns, _HEIGHT), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )
    return _coloured(np.asarray(laid, np.uint8))


def _grown(box: Corners) -> Corners:
    """A box with a margin around it: detectors cut the first and last letter."""
    along = (box[1] - box[0]) / max(float(np.linalg.norm(box[1] - box[0])), 1e-6)
    across = (box[3] - box[0]) / max(float(np.linalg.norm(box[3] - box[0])), 1e-6)
    room = _MARGIN * float(np.linalg.norm(box[3] - box[0]))
    signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    moves = [room * (x * along + y * across) for x, y in signs]
    return np.asarray(box + np.stack(moves), np.float32)


def _part(box: Corners, start: float, end: float) -> Corners:
    """The part of a box between two shares of its length."""
    upper, lower = box[1] - box[0], box[2] - box[3]
    return np.stack(
        [
            box[0] + start * upper,
            box[0] + end * upper,
            box[3] + end * lower,
            box[3] + start * lower,
        ]
    )


def _side_by_side(lines: list[_Line]) -> list[list[Word]]:
    """Words of lines that stand side by side as one row; rows from top to bottom."""
    ordered = sorted(lines, key=_middle)
    rows: list[list[_Line]] = [[line] for line in ordered[:1]]
    for before, line in pairwise(ordered):
        if _middle(line) - _middle(before) > _SAME_ROW * max(_high(line), _high(before)):
            rows.append([])
        rows[-1].append(line)
    return [[word for line in sorted(row, key=_left) for word in line.words] for row in rows if row]


def _middle(line: _Line) -> float:
    return float(line.corners[:, 1].mean())


def _left(line: _Line) -> float:
    return float(line.corners[:, 0].min())


def _high(line: _Line) -> float:
    return float(np.linalg.norm(line.corners[3] - line.corners[0]))


def _is_tall(box: Corners) -> bool:
    wide, high = np.ptp(box, axis=0)
    return bool(high > 1.5 * wide)


def _coloured(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.repeat(picture[:, :, np.newaxis], 3, axis=2))
