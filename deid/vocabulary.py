# SPDX-License-Identifier: Apache-2.0
"""Closed lists of words: what is not on them does not pass.

Which words of the lists may stay where, and which numbers, is decided in ``deid.descriptions``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache

from deid.profile import read_table

# NFKD takes marks off letters, but these carry theirs through the middle.
_LETTERS = str.maketrans(
    {"ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ß": "ss", "æ": "ae", "œ": "oe"}
)
_WORD = re.compile(r"[^\W_]+")
_NUMBERED = re.compile(r"(?:([^\W\d_]+)\d{1,3}|\d{1,3}([^\W\d_]+))")
_SHORTEST_HALF = 4
_LONGEST_NUMBER = 4
_LONGEST_UNLISTED = 3
_TOPICS_OF_BODY = frozenset({"region", "anatomy", "body"})


def folded(text: str) -> str:
    """Without case, accents and ligatures: ``"Kręgosłup"`` is ``"kregoslup"``."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()


@cache
def descriptor_words(*languages: str) -> frozenset[str]:
    """The folded words that may stay in descriptions, of all languages or of some."""
    return frozenset(
        word
        for line in read_table("descriptor_words.csv")
        if not languages or line["language"] in languages
        for word in _inflected(line["words"])
    )


@cache
def code_words() -> frozenset[str]:
    """The folded words of which defined terms and enumerated values are made.

    Of the words of descriptions those are among them that are no name, or a part of the body.
    """
    words = (line["words"] for line in read_table("code_words.csv"))
    terms = frozenset(word for text in words for word in folded(text).split())
    return terms | (descriptor_words() - _names()) | body_words()


@cache
def body_words() -> frozenset[str]:
    """The folded words of descriptions that are parts of the body and stay by themselves."""
    fellows = {line["word"] for line in read_table("listed_names.csv") if line["beside"]}
    return frozenset(
        word
        for line in read_table("descriptor_words.csv")
        if line["topic"] in _TOPICS_OF_BODY
        for word in _inflected(line["words"])
        if word not in fellows
    )


def _inflected(words: str) -> Iterator[str]:
    for word in words.split():
        stem, *endings = word.split("|")
        for ending in ("", *endings):
            yield from _WORD.findall(folded(stem + ending))


def words_of(text: str) -> list[str]:
    """The runs of letters and digits of a text."""
    return _WORD.findall(text)


@lru_cache(maxsize=16384)
def is_listed(word: str) -> bool:
    """Whether the list has a folded word, or both halves that it is put together from.

    Halves are long, and neither is a name of people too: or surnames would be put together.
    """
    words = descriptor_words()
    if word in words or word in _names():
        return word in words
    return any(
        _is_half(word[:at]) and _is_half(word[at:])
        for at in range(_SHORTEST_HALF, len(word) - _SHORTEST_HALF + 1)
    )


def _is_half(word: str) -> bool:
    return word in descriptor_words() and word not in _names()


@cache
def _names() -> frozenset[str]:
    """Words of descriptions and defined terms that are names of people too."""
    return frozenset(line["word"] for line in read_table("listed_names.csv"))


@lru_cache(maxsize=16384)
def is_code_string(value: str) -> bool:
    """Whether a Code String (CS) is made of the words of defined terms.

    Single or paired letters and one number of up to four digits may stand among them, and a word
    may be numbered, as in ``CT_SOM5 SPI``, ``ECHO_00`` or ``SAT2``.
    """
    numbers = 0
    for word in _WORD.findall(value):
        fold = folded(word)
        if fold.isdigit() and len(fold) <= _LONGEST_NUMBER:
            numbers += len(fold) > 2
        elif not _is_code_word(fold):
            return False
    return numbers <= 1


def _is_code_word(word: str) -> bool:
    # Only ASCII: the marks of Thai and other scripts cut a name into pieces as short.
    if (len(word) <= 2 and word.isascii()) or word in code_words():
        return True
    if word not in descriptor_words() and is_listed(word):
        return True
    match = _NUMBERED.fullmatch(word)
    if match is None:
        return False
    letters = match[1] or match[2]
    # A term is not numbered as a name may be: "ANN12", "BLACK7".
    is_term = letters in code_words() and (letters not in _names() or letters in body_words())
    return is_term or (len(word) <= _LONGEST_UNLISTED and word.isascii())
