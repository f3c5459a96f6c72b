# SPDX-License-Identifier: Apache-2.0
"""Names of a header where they are no words: run together, encoded, or as bytes among numbers."""

from __future__ import annotations

import base64
import binascii
import re

from deid.vocabulary import folded, words_of

_SHORTEST = 5
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
        self._names = tuple(sorted(name for name in names if len(name) >= _SHORTEST))
        self._bytes = tuple(
            spelt
            for name in self._names
            for spelt in (name.encode(), name.encode("utf-16-le"), name.encode("utf-16-be"))
        )

    def in_text(self, text: str) -> bool:
        """Whether a name is in the letters of a text, spaces apart, or in what it encodes."""
        if not self._names:
            return False
        letters = folded("".join(words_of(text)).replace("_", ""))
        if any(name in letters for name in self._names):
            return True
        return any(map(self._in_encoded, _ENCODED.findall(text)))

    def in_bytes(self, value: bytes) -> bool:
        """Whether a name is among bytes, in any case, in ASCII, UTF-8 or UTF-16."""
        if not self._whole:
            return False
        lower = value.lower()
        return lower.strip(b" \0") in self._whole or any(name in lower for name in self._bytes)

    def _in_encoded(self, token: str) -> bool:
        """Whether hexadecimal digits or base64 (RFC 4648) spell a name."""
        digits = _NO_HEXADECIMAL.sub("", token)
        if len(digits) >= 2 * _SHORTEST and self.in_bytes(
            bytes.fromhex(digits[: len(digits) & ~1])
        ):
            return True
        plain = token.rstrip("=").translate(_URL_SAFE)
        if len(plain) % 4 == 1:
            plain = plain[:-1]
        try:
            return self.in_bytes(base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True))
        except (binascii.Error, ValueError):
            return False  # what is no base64 encodes nothing


_URL_SAFE = str.maketrans("-_", "+/")
