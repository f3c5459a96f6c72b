# SPDX-License-Identifier: Apache-2.0
"""Closed lists of words: what is not on them does not pass.

Only words of the lists leave, so no text can carry a name, a number or a date that a list does not
have; which words of the lists stand together says no more than the description itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from functools import cache, lru_cache

from deid.profile import read_table

# NFKD takes marks off letters, but these carry theirs through the middle.
_LETTERS = str.maketrans(
    {"ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ß": "ss", "æ": "ae", "œ": "oe"}
)
_WORD = re.compile(r"[^\W_]+")
_PART = re.compile(r"[^\W\d_]+|\d+")
_CAPITAL_INSIDE = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})")
_NUMBERED = re.compile(r"(?:([^\W\d_]+)\d{1,3}|\d{1,3}([^\W\d_]+))")
_SHORTEST_IN_COMPOUND = 3
_REGION_LETTERS = frozenset("ntcapw")
_LONGEST_NUMBER = 4
_LONGEST_UNLISTED = 4


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
    """The folded words of which defined terms and enumerated values are made."""
    words = (line["words"] for line in read_table("code_words.csv"))
    return frozenset(word for text in words for word in folded(text).split()) | descriptor_words()


def _inflected(words: str) -> Iterator[str]:
    for word in words.split():
        stem, *endings = word.split("|")
        for ending in ("", *endings):
            yield from _WORD.findall(folded(stem + ending))


def words_of(text: str) -> list[str]:
    """The runs of letters and digits of a text."""
    return _WORD.findall(text)


@lru_cache(maxsize=4096)
def _candidates(text: str, admitted: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """The words of a description that a list has, each with its folded form."""
    found: list[tuple[str, str]] = []
    for word in _WORD.findall(text):
        whole = folded(word)
        for part in [word] if whole in admitted else _split(word):
            fold = folded(part)
            if fold in admitted or _is_listed(fold):
                found.append((part, fold))
    return tuple(found)


def _split(word: str) -> list[str]:
    """Take a word apart where its whole is not listed: ``ThoraxRoutine``, ``chest2``."""
    if _is_listed(folded(word)):
        return [word]
    return [
        piece
        for part in _CAPITAL_INSIDE.split(word)
        for piece in ([part] if _is_listed(folded(part)) else _PART.findall(part))
    ]


@lru_cache(maxsize=16384)
def _is_listed(word: str) -> bool:
    """Whether the list has the word, or all parts of which it is put together."""
    words = descriptor_words()
    if word in words:
        return True
    ends = [True] + [False] * len(word)
    for end in range(_SHORTEST_IN_COMPOUND, len(word) + 1):
        ends[end] = any(
            ends[start] and word[start:end] in words
            for start in range(end - _SHORTEST_IN_COMPOUND + 1)
        )
    return ends[-1] and len(word) > 0


def cleaned(text: str, denied: Collection[str], admitted: frozenset[str] = frozenset()) -> str:
    """The words of a description that may stay, joined by single spaces.

    Parameters
    ----------
    text:
        One value.
    denied:
        Folded words that may not pass although listed: parts of names and identifiers of the same
        header.
    admitted:
        Folded words that may pass beside those of the list.
    """
    kept = [pair for pair in _candidates(text, admitted) if pair[1] not in denied]
    # Single letters alone say nothing, and could be initials: but for "T/A/P" and its like.
    says = any(len(fold) > 1 for _, fold in kept) or (
        len(kept) > 1 and all(fold in _REGION_LETTERS for _, fold in kept)
    )
    return " ".join(word for word, _ in kept) if says else ""


def is_fully_listed(
    text: str, denied: Collection[str], admitted: frozenset[str] = frozenset()
) -> bool:
    """Whether the text consists of listed and admitted words alone, none of them denied."""
    words = list(map(folded, _WORD.findall(text)))
    return bool(words) and all(
        word not in denied and (word in admitted or _is_listed(word)) for word in words
    )


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
    if len(word) <= 2 or word in code_words() or _is_listed(word):
        return True
    match = _NUMBERED.fullmatch(word)
    if match is None:
        return False
    letters = match[1] or match[2]
    return letters in code_words() or len(word) <= _LONGEST_UNLISTED
