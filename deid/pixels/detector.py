# SPDX-License-Identifier: Apache-2.0
"""Finds text in a picture, quickly or thoroughly."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from deid.pixels.hints import Hints
from deid.pixels.lines import Line, LineFinder
from deid.pixels.reading import Needed, Rapid

_TILE, _OVERLAP = 1000, 128
"""Pixels. RapidOCR shrinks larger pictures, and small letters are lost."""
_TILED_FROM = 1280
_SURE = 0.985
"""Probability from which a line of up to 30 pixels is one even if nobody can read it."""
_READ, _READ_LARGE = 0.6, 0.7
"""Confidence of reading that other lines need: teeth, noise along a border and folds of a brain
read as something at 0.4 to 0.57. Larger letters read well; rulers, stents and vessels look like
lines in a halved picture."""
_READ_SHORT, _LIKELY = 0.8, 0.95
"""Confidence of reading that few letters need where the line is less probable than this: folds of
a brain and edges of ribs read as two or three letters, not clearly."""
_POSSIBLE, _POSSIBLE_LARGE, _POSSIBLE_ALIKE, _VARIED = 0.5, 0.9, 0.975, 0.35
"""Least probability of lines, of larger ones, and of those that read as one letter, or as the same
again and again: rings, crosses, stents and rulers do. Lines have different ones, by this share."""
_SURE_OUTSIDE = 0.6
"""Probability from which a line is one where the image shows nothing of the patient."""
_KNOWN_LETTERS = 40.0
"""Pixels, of the picture in which it was found; a thicker line is several, or none."""
_THICK, _THICK_UNREAD, _SMALL_PICTURE, _MUCH = 0.15, 0.25, 128, 0.2
"""Shares of the picture's shorter side from which a line is thick, and in a small picture is not
believed unread; pixels of a small one, and the share of it that is too much for a line."""
_DISTINCT = 4
"""Different letters that make a word of what is thicker than lines are."""
_SHORTEST = 12.0
"""Pixels; one or two of the smallest letters, which identify nobody."""
_SAME, _ALIKE, _MORE = 0.7, 0.6, 0.9
"""Share of the smaller of two boxes from which they are of one line; share of a box's thickness
from which another is as thick, and by which it is longer than a part: boxes of halved pictures
reach further by less."""
_LUMA = (0.299, 0.587, 0.114)
NO_HINTS = Hints()


class Found(NamedTuple):
    """A line of text in a picture.

    Attributes
    ----------
    corners:
        ``(4, 2)`` x and y in pixels, in order around it.
    text:
        What it reads as; letters of scripts that the reader lacks come out as others. Empty if it
        can't be read, or was not.
    """

    corners: NDArray[np.float32]
    text: str


class TextDetector(Protocol):
    """Finds text in pictures."""

    def find(self, picture: NDArray[np.uint8], hints: Hints = NO_HINTS) -> list[Found]:
        """Lines of text in a picture, ``(rows, columns)`` or ``(rows, columns, 3)``."""


class QuickText:
    """Our own network finds lines; those of which it isn't sure are read.

    Parameters
    ----------
    threads:
        Of each network.
    reading:
        Whether all are read: what may stay depends on what it says.
    """

    def __init__(self, threads: int = 1, *, reading: bool = False) -> None:
        self._finder, self._rapid = LineFinder(threads), Rapid(threads)
        self._reading = reading

    def find(self, picture: NDArray[np.uint8], hints: Hints = NO_HINTS) -> list[Found]:
        """Lines of text; of coloured pictures in their brightness and their darkest channel."""
        lines = [line for grey in _greys(picture) for line in self._finder.find(grey)]
        lines.sort(key=lambda line: (line.level, -line.sure))
        found: list[Found] = []
        doubted: list[Line] = []
        for line in lines:
            # Seen in another size or colour already.
            sure = _is_sure(line, hints, picture.shape)
            if not sure and _is_in(line, found):
                continue
            if any(_is_again(line, one) for one in doubted):
                continue
            text = self._text(picture, line, hints) if self._reading or not sure else ""
            if text or sure:
                found.append(Found(line.corners, text))
            else:
                doubted.append(line)
        return found

    def _text(self, picture: NDArray[np.uint8], line: Line, hints: Hints) -> str:
        """What a line reads as; empty where it is so improbable that this says nothing."""
        longest = float(np.ptp(line.corners, axis=0).max())
        if line.sure < (_POSSIBLE_LARGE if line.level else _POSSIBLE) or longest < _SHORTEST:
            return ""
        lofty = _is_lofty(line, picture.shape)
        least = _READ_LARGE if line.level or lofty else _READ
        needed = Needed(least, least if line.sure >= _LIKELY else _READ_SHORT)
        (text,) = self._rapid.read(_coloured(picture), [line.corners], needed, hints.is_denied)
        if lofty and len(_letters(text)) < _DISTINCT:
            return ""
        return text if line.sure >= _POSSIBLE_ALIKE or _is_varied(text) else ""


def _is_varied(text: str) -> bool:
    return len(_letters(text)) > max(1.0, _VARIED * _counted(text))


def _counted(text: str) -> int:
    return sum(letter.isalnum() for letter in text)


def _letters(text: str) -> set[str]:
    return {letter for letter in text if letter.isalnum()}


def _is_sure(line: Line, hints: Hints, shape: tuple[int, ...]) -> bool:
    if line.level == 0 and line.sure >= _SURE:
        return not _is_unread_in_small(line, shape)
    if line.level and _thickness(line) > _THICK * min(shape[:2]):
        return False  # a transducer's face, seen small enough, looks like letters
    return line.sure >= _SURE_OUTSIDE and hints.is_outside(line.corners)


def _is_lofty(line: Line, shape: tuple[int, ...]) -> bool:
    """Whether a line is too thick for letters that the network knows, or for its picture."""
    side = min(shape[:2])
    most = _THICK * side if side < _SMALL_PICTURE else _KNOWN_LETTERS * 2**line.level
    return _thickness(line) > most or _is_too_much(line, shape)


def _is_unread_in_small(line: Line, shape: tuple[int, ...]) -> bool:
    """Whether a small picture must not lose so much for what nobody read."""
    side = min(shape[:2])
    thick = side < _SMALL_PICTURE and _thickness(line) > _THICK_UNREAD * side
    return thick or _is_too_much(line, shape)


def _is_too_much(line: Line, shape: tuple[int, ...]) -> bool:
    rows, columns = shape[:2]
    width, height = np.ptp(line.corners, axis=0)
    return min(rows, columns) < _SMALL_PICTURE and width * height > _MUCH * rows * columns


def _thickness(line: Line) -> float:
    return float(_sides(line.corners).min())


def _sides(corners: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1), np.float32)


def _is_in(line: Line, found: list[Found]) -> bool:
    """Whether it was found, and not as a part of which this shows more."""
    return any(
        _is_same(line.corners, one.corners) and not _is_part(one.corners, line.corners)
        for one in found
    )


def _is_part(found: NDArray[np.float32], line: NDArray[np.float32]) -> bool:
    """Whether letters as large as a line's were found, and not all of the line."""
    shown, known = _sides(line), _sides(found)
    alike = known.min() > _ALIKE * shown.min()
    return bool(alike and shown.max() > known.max() + _MORE * shown.min())


def _is_again(line: Line, doubted: Line) -> bool:
    """Whether it was doubted already, not by the stricter measure for large letters."""
    same = bool(line.level) == bool(doubted.level)
    return same and _is_same(line.corners, doubted.corners)


class RapidText:
    """RapidOCR's own detection and reading.

    Parameters
    ----------
    threads:
        Of each of its networks.
    doubting:
        Whether a letter alone, and what reads badly, is none: in images of bodies, where a skull
        reads as "0", not on pages.
    """

    def __init__(self, threads: int = 1, *, doubting: bool = False) -> None:
        self._rapid = Rapid(threads)
        self._needed, self._fewest = (Needed(_READ, _READ_SHORT), 2) if doubting else (Needed(), 1)

    def find(self, picture: NDArray[np.uint8], hints: Hints = NO_HINTS) -> list[Found]:
        """Lines of text, tile by tile where the picture is large."""
        picture = _coloured(picture)
        found: list[Found] = []
        for top, left in _tiles(*picture.shape[:2]):
            tile = np.ascontiguousarray(picture[top : top + _TILE, left : left + _TILE])
            if max(picture.shape) < _TILED_FROM:
                tile = picture
            offset = np.array([left, top], np.float32)
            boxes = self._rapid.boxes(tile)
            texts = self._rapid.read(tile, boxes, self._needed, hints.is_denied)
            read = zip(boxes, texts, strict=True)
            found += [
                Found(box + offset, text) for box, text in read if _counted(text) >= self._fewest
            ]
        return found


class ThoroughText:
    """Both: what either finds is text. It takes several times as long."""

    def __init__(self, threads: int = 1, *, reading: bool = False) -> None:
        quick = QuickText(threads, reading=reading)
        self._both = quick, RapidText(threads, doubting=True)

    def find(self, picture: NDArray[np.uint8], hints: Hints = NO_HINTS) -> list[Found]:
        """Lines of text that one of them found."""
        return [found for one in self._both for found in one.find(picture, hints)]


def _coloured(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if picture.ndim == 2:
        picture = np.repeat(picture[:, :, np.newaxis], 3, axis=2)
    return np.ascontiguousarray(picture)


def _greys(picture: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """The picture, or two of a coloured one: colours that are as bright differ in the darkest."""
    if picture.ndim == 2:
        return [np.ascontiguousarray(picture)]
    luma = np.asarray(picture @ np.array(_LUMA, np.float32), np.uint8)
    return [luma, picture.min(axis=2)]


def _is_same(first: NDArray[np.float32], second: NDArray[np.float32]) -> bool:
    """Whether the first box is the second again: a part of it, or only thicker than it."""
    (low, other_low), (high, other_high) = (
        [edge(corners, axis=0) for corners in (first, second)] for edge in (np.min, np.max)
    )
    shared = np.clip(np.minimum(high, other_high) - np.maximum(low, other_low), 0.0, None)
    sizes = high - low, other_high - other_low
    least = max(min(float(np.prod(size)) for size in sizes), 1e-6)
    core = float(np.ptp(sizes[0]))
    # Masks reach beyond both ends of a line.
    return float(np.prod(shared)) > _SAME * least and core < float(sizes[1].sum())


def _tiles(rows: int, columns: int) -> Iterator[tuple[int, int]]:
    if max(rows, columns) < _TILED_FROM:
        return iter([(0, 0)])
    return itertools.product(_starts(rows), _starts(columns))


def _starts(length: int) -> list[int]:
    if length <= _TILE:
        return [0]
    count = -(-(length - _OVERLAP) // (_TILE - _OVERLAP))
    return [round(at) for at in np.linspace(0, length - _TILE, count)]
