# SPDX-License-Identifier: Apache-2.0
"""Names of a header where they are no words: run together, encoded, or as bytes among numbers."""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache
from itertools import permutations

from deid.vocabulary import folded, words_of

_SHORTEST, _MOST_PAIRED = 5, 12
# Texts of equipment and technique, which all instances of a series have.
_REMEMBERED, _LONGEST_REMEMBERED = 512, 256
_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be")
# Radicals, kana, ideographs and Hangul come from here on.
_FIRST_SYLLABLE = "\u2e80"
_ENCODED = re.compile(r"[A-Za-z0-9+/_\-]{8,}={0,2}|(?:[0-9A-Fa-f]{2}[ :\-]?){5,}", re.ASCII)
_NO_HEXADECIMAL = re.compile(r"[^0-9A-Fa-f]")


class NameTraces:
    """The names of one header that are long enough to be found in a row of letters.

    Parameters
    ----------
    names:
        Folded parts of person names.
    """

    def __init__(self, names: frozenset[str]) -> None:
        self._whole = frozenset(name.encode() for name in names if name)
        parts = sorted(names, key=lambda name: (-len(name), name))[:_MOST_PAIRED]
        joined = {one + other for one, other in permutations(parts, 2) if _is_short(one, other)}
        found = sorted(n for n in names | joined if n and len(n) >= _shortest(n))
        spelt = [name.encode(form) for name in found for form in _ENCODINGS]
        self._text = re.compile("|".join(map(re.escape, found))) if found else None
        self._bytes = re.compile(b"|".join(map(re.escape, spelt))) if found else None
        self._seen: dict[str, bool] = {}

    def in_text(self, text: str) -> bool:
        """Whether a name is in the letters of a text, spaces apart, or in what it encodes."""
        if self._text is None:
            return False
        seen = self._seen.get(text)
        if seen is None:
            seen = self._is_in(self._text, text)
            if len(self._seen) < _REMEMBERED and len(text) < _LONGEST_REMEMBERED:
                self._seen[text] = seen
        return seen

    def _is_in(self, names: re.Pattern[str], text: str) -> bool:
        if names.search(folded("".join(words_of(text)))):
            return True
        return any(map(self._in_encoded, _ENCODED.findall(text)))

    def in_bytes(self, value: bytes) -> bool:
        """Whether a name is among bytes, in any case, in ASCII, UTF-8 or UTF-16."""
        if not self._whole:
            return False
        lower = value.lower()
        if lower.strip(b" \0") in self._whole:
            return True
        return self._bytes is not None and self._bytes.search(lower) is not None

    def _in_encoded(self, token: str) -> bool:
        """Whether hexadecimal digits or base64 (RFC 4648) spell a name."""
        digits = _NO_HEXADECIMAL.sub("", token)
        even = digits[: len(digits) & ~1]
        if len(even) >= 2 * _SHORTEST and self.in_bytes(bytes.fromhex(even)):
            return True
        plain = token.rstrip("=").translate(_URL_SAFE)
        if len(plain) % 4 == 1:
            plain = plain[:-1]
        try:
            return self.in_bytes(base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True))
        except (binascii.Error, ValueError):
            return False  # what is no base64 encodes nothing


def _is_short(one: str, other: str) -> bool:
    """Whether two parts of a name are found only together, and are more than initials."""
    return min(len(one), len(other)) > 1 and len(one) < _SHORTEST and len(other) < _SHORTEST


def _shortest(name: str) -> int:
    """Letters that are no chance: five, or two of a script that writes a syllable with each."""
    return 2 if min(name) >= _FIRST_SYLLABLE else _SHORTEST


_URL_SAFE = str.maketrans("-_", "+/")


@lru_cache(maxsize=64)
def traces_of(names: frozenset[str]) -> NameTraces:
    """The traces of these names; instances of a series have the same."""
    return NameTraces(names)
