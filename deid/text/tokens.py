# SPDX-License-Identifier: Apache-2.0
"""Words, numbers and marks of a text, with their places."""

from __future__ import annotations

import re
from typing import NamedTuple

from deid.vocabulary import folded

# Combining marks belong to the letters before them (Thai, Arabic, decomposed accents).
_MARKS = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e"
_TOKEN = re.compile(
    rf"(?P<word>[^\W\d_](?:[^\W\d_]|[{_MARKS}])*(?:['’](?:s|S)\b)?)"
    r"|(?P<number>\d+(?:[.,]\d+)*)"
    r"|(?P<line>\s*\n\s*)"
    r"|(?P<mark>[^\w\s]|_)"
)
_POSSESSIVE = re.compile(r"['’][sS]$")
# Scripts without spaces between words, PS3.3 section C.12.1.1.2: Han, kana, Hangul, Thai.
_UNSPACED = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_KATAKANA_HANGUL = re.compile("[\uac00-\ud7a3]")


class Token(NamedTuple):
    """One piece of a text.

    Attributes
    ----------
    start, end:
        Its characters; of a word without a closing ``'s``.
    text:
        As written, without a closing ``'s``.
    fold:
        Without case and accents.
    kind:
        ``word``, ``number``, ``mark`` or ``line`` (a line break).
    possessive:
        Whether ``'s`` follows.
    spaced:
        Whether white space is before it.
    """

    start: int
    end: int
    text: str
    fold: str
    kind: str
    possessive: bool
    spaced: bool

    @property
    def is_word(self) -> bool:
        """Whether it consists of letters."""
        return self.kind == "word"

    @property
    def is_capital(self) -> bool:
        """Whether it begins with a capital and goes on in small letters."""
        return self.text[:1].isupper() and not self.is_upper

    @property
    def is_upper(self) -> bool:
        """Whether it consists of two or more capitals."""
        return len(self.text) > 1 and self.text.isupper()


def tokens_of(text: str) -> list[Token]:
    """All words, numbers, marks and line breaks of a text."""
    found: list[Token] = []
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        written = match.group()
        bare = _POSSESSIVE.sub("", written) if kind == "word" else written
        start = match.start()
        spaced = start == 0 or text[start - 1].isspace()
        found.append(
            Token(
                start,
                start + len(bare),
                bare,
                folded(bare) if kind == "word" else bare,
                kind,
                bare != written,
                spaced,
            )
        )
    return found


def is_unspaced(text: str) -> bool:
    """Whether the text is of a script that puts no spaces between words."""
    return _UNSPACED.search(text) is not None


def is_ideographic(text: str) -> bool:
    """As ``is_unspaced``, or of Hangul, where particles follow a name without a space."""
    return is_unspaced(text) or _KATAKANA_HANGUL.search(text) is not None
