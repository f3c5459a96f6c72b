# SPDX-License-Identifier: Apache-2.0
"""Texts without case, accents and foreign digits, character for character."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from deid.vocabulary import folded

_SAME = {"ß": "s", "æ": "a", "œ": "o", "Æ": "a", "Œ": "o", "’": "'", "‘": "'", "`": "'", "´": "'"}
_DASHES = frozenset("‐‑‒–—−﹣－")

_NEED_NONE = "[0-9A-Za-z\u00c0-\u04ff]"
_JOINERS = re.compile(f"(?<={_NEED_NONE})[\u200c\u200d]+|[\u200c\u200d]+(?={_NEED_NONE})")
"""Zero-width (non-)joiners beside digits and Latin, Greek and Cyrillic letters, where no script
needs them."""


def readable(text: str) -> str:
    """The text as it is seen: composed, without what takes no room and parts a word in two.

    Soft hyphens, zero-width spaces, byte order marks, marks of direction and control characters go.
    """
    if text.isascii() and text.isprintable():
        return text
    seen = "".join(letter for letter in text if not _is_unseen(letter))
    return unicodedata.normalize("NFC", _JOINERS.sub("", seen))


@lru_cache(maxsize=8192)
def _is_unseen(letter: str) -> bool:
    if letter in "\u200c\u200d" or letter.isspace():
        return False
    return unicodedata.category(letter) in ("Cc", "Cf")


def aligned(text: str) -> str:
    """The text in small letters, without accents, with ASCII digits, hyphens and spaces.

    It is as long as the text: what is found at a place in the one is at that place in the other.
    """
    return text.lower() if text.isascii() else "".join(map(_plain, text))


@lru_cache(maxsize=8192)
def _plain(letter: str) -> str:
    if letter in _SAME:
        return _SAME[letter]
    if letter in _DASHES:
        return "-"
    if letter.isspace():
        return letter if letter in "\n\r\t" else " "
    digit = unicodedata.digit(letter, None)
    if digit is not None:
        return str(digit)
    plain = folded(letter)
    return plain if len(plain) == 1 else (letter.lower() if len(letter.lower()) == 1 else letter)


def same_letters(text: str) -> str:
    """As ``aligned``, with the ways in which the same name is written taken for one.

    ``Müller``, ``Mueller`` and ``MULLER``; ``Strauß`` and ``Strauss``. Not aligned.
    """
    plain = folded(text.replace("’", "'"))
    for two, one in (("ae", "a"), ("oe", "o"), ("ue", "u"), ("ss", "s")):
        plain = plain.replace(two, one)
    return plain
