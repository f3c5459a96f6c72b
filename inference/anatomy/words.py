# SPDX-License-Identifier: Apache-2.0
"""From the text of a description to words that can be looked up.

Descriptions are typed by people and by scanners: ``CT_AbdPelvis``, ``06.Chest, Abdomen``,
``T/A/P``, ``KRĘGOSŁUP SZYJNY``. Everything that is neither letter nor digit separates words, and so
does a capital after small letters, of whatever alphabet: ``ГрудьЖивот``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

# NFKD takes marks off letters, but these letters carry theirs through the middle.
_LETTERS = str.maketrans(
    {"ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "æ": "ae", "œ": "oe", "Œ": "OE"}
)
# Letters of the alphabets that have capitals: Latin, Greek, Cyrillic, Armenian, and their accents.
_CASED = [chr(one) for block in ((0x41, 0x588), (0x1E00, 0x2000)) for one in range(*block)]
_CAPITAL = "".join(letter for letter in _CASED if letter.isupper())
_SMALL = "".join(letter for letter in _CASED if letter.islower())
# Text in capitals keeps its "ß", so that a capital after it begins no word: "FUßGELENK".
_CAPITAL_INSIDE = re.compile(
    rf"(?<=[^\W\d_ß{_CAPITAL}])(?=[{_CAPITAL}])|(?<=[{_SMALL}]ß)(?=[{_CAPITAL}])"
    rf"|(?<=[{_CAPITAL}])(?=[{_CAPITAL}][{_SMALL}]{{2}})"
)
_WORD = re.compile(r"[^\W_]+")
_RUN = re.compile(r"[^\W\d_]+|\d+")
_LEVEL = re.compile(r"[a-z]\d{1,2}|mag3")


def fold(text: str) -> str:
    """Take case, accents and ligatures off: ``"Kręgosłup"`` becomes ``"kregoslup"``."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()


def words_of(text: str) -> Iterator[str]:
    """Yield the folded words of a description, letters apart from digits except in ``L4``."""
    for word in _WORD.findall(fold(_CAPITAL_INSIDE.sub(" ", text))):
        if word.isalpha() or _LEVEL.fullmatch(word):
            yield word
        else:
            yield from _RUN.findall(word)


def is_one_slip_apart(one: str, other: str) -> bool:
    """Whether one letter added, left out, replaced or swapped with the next tells them apart."""
    if abs(len(one) - len(other)) > 1 or one == other:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    a, b = one[start:], other[start:]
    swapped = len(a) > 1 and len(b) > 1 and a[0] == b[1] and a[1] == b[0] and a[2:] == b[2:]
    return swapped or a[1:] == b[1:] or a[1:] == b or a == b[1:]


def slips_of(word: str) -> set[str]:
    """The word and what is left when one letter is left out: two words one slip apart share one."""
    return {word} | {word[:i] + word[i + 1 :] for i in range(len(word))}
