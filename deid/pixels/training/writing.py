# SPDX-License-Identifier: Apache-2.0
"""Invented lines of writing in many scripts, drawn with the fonts of this machine."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_LATIN_LIKE = ("", "", "", "", "é", "ü", "ñ", "ç", "ø", "ž")
_CYRILLIC = "абвгдежзийклмнопрстуфхцчшщыьэюя"
_GREEK = "αβγδεζηθικλμνξοπρστυφχψω"
_VOWELS, _CONSONANTS = "aeiouy", "bcdfghjklmnprstvwxz"
_HAN, _HANGUL, _KANA = ("wqy", "arphic"), ("unfonts",), ("ipafont", "fonts-japanese")
_LETTERS = {_HAN: (0x4E00, 0x9FA5), _HANGUL: (0xAC00, 0xD7A3), _KANA: (0x3041, 0x30F6)}


class Fonts:
    """Font files by what they can write.

    Parameters
    ----------
    folder:
        Where they are looked for.
    without:
        Parts of names of those that are left out, such as those of a test set.
    """

    def __init__(self, folder: Path, without: Iterable[str]) -> None:
        left_out = tuple(without)
        paths = sorted(
            str(path)
            for path in folder.rglob("*.[to]t[fc]")
            if not any(part in path.name for part in left_out)
        )
        east = {
            families: [path for path in paths if any(part in path for part in families)]
            for families in _LETTERS
        }
        self.east = [(found, _LETTERS[families]) for families, found in east.items() if found]
        self.west = [path for path in paths if not any(path in found for found in east.values())]
        self.broad = [path for path in self.west if "Free" in path or "Liberation" in path]
        if not (self.west and self.broad and self.east):
            raise FileNotFoundError(
                "training needs fonts of Latin, Cyrillic and East Asian scripts: install "
                "fonts-freefont-ttf, fonts-liberation, fonts-wqy-microhei and fonts-unfonts-core"
            )

    def line(self, rng: np.random.Generator) -> tuple[str, str]:
        """A font and what is written with it."""
        script = float(rng.random())
        if script < 0.68:
            return _one(self.west, rng), _western(rng, _latin_word)
        if script < 0.82:
            return _one(self.broad, rng), _western(rng, _cyrillic_word)
        if script < 0.85:
            return _one(self.broad, rng), _western(rng, _greek_word)
        fonts, letters = self.east[int(rng.integers(len(self.east)))]
        return _one(fonts, rng), _eastern(letters, rng)


@lru_cache(maxsize=4096)
def _face(font: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(font, size)


def drawn(font: str, text: str, size: int, smooth: bool) -> NDArray[np.uint8] | None:
    """The line's coverage, 0 to 255, cut to its ink; nothing if it has none."""
    face = _face(font, size)
    left, top, right, bottom = (round(at) for at in face.getbbox(text))
    if right - left < 2 or bottom - top < 2:
        return None
    image = Image.new("L", (right - left, bottom - top), 0)
    draw = ImageDraw.Draw(image)
    draw.fontmode = "L" if smooth else "1"
    draw.text((-left, -top), text, fill=255, font=face)
    return np.asarray(image)


def _one(choices: list[str], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]


def _letters(alphabet: str, count: int, rng: np.random.Generator) -> str:
    return "".join(alphabet[int(at)] for at in rng.integers(0, len(alphabet), count))


def _cased(word: str, rng: np.random.Generator) -> str:
    style = float(rng.random())
    return word.capitalize() if style < 0.5 else word.upper() if style < 0.8 else word


def _latin_word(rng: np.random.Generator) -> str:
    if rng.random() < 0.1:
        return _letters(string.ascii_letters, int(rng.integers(2, 9)), rng)
    word = ""
    for _ in range(int(rng.integers(1, 4))):
        word += _letters(_CONSONANTS, 1, rng) + _letters(_VOWELS, 1, rng)
        word += _LATIN_LIKE[int(rng.integers(len(_LATIN_LIKE)))]
        if rng.random() < 0.4:
            word += _letters(_CONSONANTS, 1, rng)
    return _cased(word, rng)


def _cyrillic_word(rng: np.random.Generator) -> str:
    return _cased(_letters(_CYRILLIC, int(rng.integers(2, 11)), rng), rng)


def _greek_word(rng: np.random.Generator) -> str:
    return _cased(_letters(_GREEK, int(rng.integers(2, 10)), rng), rng)


def _number(rng: np.random.Generator) -> str:
    digits = [_letters(string.digits, int(rng.integers(1, 9)), rng) for _ in range(3)]
    kind = int(rng.integers(0, 6))
    if kind < 2:
        return digits[0] + digits[1][:2]
    mark = "-/.:,"[kind - 2] if kind < 6 else "."
    return mark.join(part[:4] for part in digits[: int(rng.integers(2, 4))])


def _western(rng: np.random.Generator, word: Callable[[np.random.Generator], str]) -> str:
    if rng.random() < 0.02:
        return _letters("ABCDEFGHKLMNPRSTUVWZ0123456789", 1, rng)
    parts = []
    for _ in range(int(rng.choice([1, 1, 2, 2, 3, 4]))):
        kind = float(rng.random())
        if kind < 0.55:
            parts.append(word(rng))
        elif kind < 0.9:
            parts.append(_number(rng))
        else:
            parts.append(word(rng)[:2] + ".")
    mark = (" ", " ", " ", "^", ", ", ": ", "  ", "-", "=", "_")[int(rng.integers(10))]
    return mark.join(parts)


def _eastern(letters: tuple[int, int], rng: np.random.Generator) -> str:
    count = int(rng.integers(2, 9))
    text = "".join(chr(int(at)) for at in rng.integers(letters[0], letters[1] + 1, count))
    if rng.random() < 0.3:
        text += (" " if rng.random() < 0.5 else "") + _number(rng)
    return text
