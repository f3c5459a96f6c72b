# SPDX-License-Identifier: Apache-2.0
"""The blacklist: what the header, a report or the other texts of a study are known to identify by.

A name is found in any order and case, with or without accents, with initials, split by hyphens or
spaces, run together, possessive, and with one wrong letter; a number with or without its separators
and leading zeros.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from deid.text.folding import aligned, readable, same_letters
from deid.text.kinds import NAMES, Kind
from deid.text.tokens import is_ideographic

_LETTERS = re.compile(r"[^\W\d_]+")
_ALPHANUMERIC = re.compile(r"[^\W_]+")
_SHORTEST_NUMBER = 4
_SHORTEST_EMBEDDED = 5
_APART = dict.fromkeys(
    [*map(ord, " \t\n\r\x0b\x0c\x85\xa0\u2028\u2029\u3000-.·_*"), *range(0x2000, 0x200B)]
)
_SHORTEST_SPLIT = 5
_PARTICLES = frozenset(
    str.split(
        "de da di do du des del della dos das van von der den ter ten zu la le el al bin "
        "ibn y e und mr mrs ms dr prof md jr sr ii iii iv the of and "
    )
)


@dataclass(frozen=True)
class KnownTerm:
    """One identifier and what it is."""

    value: str
    kind: Kind


@dataclass(frozen=True)
class KnownTerms:
    """Identifiers that may not pass in any text.

    Attributes
    ----------
    terms:
        Names as DICOM or people write them (``Doe^Jane``, ``Jane Doe``), numbers, addresses.
    born:
        The patient's date of birth, where it is known and may not be told.
    """

    terms: frozenset[KnownTerm] = field(default_factory=frozenset)
    born: date | None = None

    @classmethod
    def of(cls, values: Iterable[tuple[str, Kind]]) -> KnownTerms:
        """Terms from values and their kinds; empty values count for nothing."""
        return cls(
            frozenset(
                KnownTerm(readable(value).strip(), kind)
                for value, kind in values
                if value.strip(" \0^=")
            )
        )

    def __or__(self, other: KnownTerms) -> KnownTerms:
        return KnownTerms(self.terms | other.terms, self.born or other.born)

    def __bool__(self) -> bool:
        return bool(self.terms)

    @cached_property
    def name_parts(self) -> dict[str, Kind]:
        """Parts of the names, by ``same_letters``, without particles and single letters."""
        found: dict[str, Kind] = {}
        for term in sorted(self.terms, key=lambda t: (t.kind.value, t.value)):
            if term.kind in NAMES:
                for part in _parts(term.value):
                    found.setdefault(part, term.kind)
        return found

    @cached_property
    def initials(self) -> frozenset[str]:
        """Initials of each person in either order, in small letters."""
        groups = (g for term in self.terms if term.kind in NAMES for g in term.value.split("="))
        return frozenset(letters for group in groups for letters in _initials(group))

    @cached_property
    def ideographic(self) -> tuple[tuple[str, Kind], ...]:
        """Names in scripts without spaces, longest first: the whole and its parts."""
        found: dict[str, Kind] = {}
        for term in self.terms:
            if term.kind not in NAMES or not is_ideographic(term.value):
                continue
            for group in term.value.split("="):
                parts = [part for part in _LETTERS.findall(group) if is_ideographic(part)]
                whole = ["".join(parts), "".join(parts[::-1])]
                for part in (*whole, *(part for part in parts if len(part) > 1)):
                    if part:
                        found.setdefault(part, term.kind)
        return tuple(sorted(found.items(), key=lambda item: -len(item[0])))

    @cached_property
    def joined(self) -> dict[str, Kind]:
        """Names run together, with initials too: ``smithjohn``, ``jsmith``, ``smithj``."""
        found: dict[str, Kind] = {}
        for term in self.terms:
            if term.kind in NAMES:
                for group in term.value.split("="):
                    parts = _parts(group)
                    for joined in _joined(parts):
                        found.setdefault(joined, term.kind)
        return found

    @cached_property
    def embedded(self) -> tuple[tuple[str, Kind], ...]:
        """Parts that are long enough to be told inside a longer word."""
        return tuple(
            (part, kind)
            for part, kind in self.name_parts.items()
            if len(part) >= _SHORTEST_EMBEDDED
        )

    @cached_property
    def number_patterns(self) -> tuple[tuple[re.Pattern[str], Kind], ...]:
        """What finds each number and each other value in an ``aligned`` text."""
        return tuple(_patterns(self.terms))

    def split_pattern(self, plain: str) -> re.Pattern[str] | None:
        """What finds a name whose letters are set apart: ``S M I T H``, ``Fen-\\nwick``.

        Of the names only that the text has more often once spaces and marks are gone: most texts
        have none, and no pattern is needed.
        """
        bare = plain.translate(_APART)
        parts = [
            part
            for part in self.name_parts
            if len(part) >= _SHORTEST_SPLIT and _count(part, bare) > _count(part, plain)
        ]
        if not parts:
            return None
        spelled = (r"[\s\-.·_*]{0,3}".join(map(re.escape, part)) for part in sorted(parts))
        return re.compile(rf"(?<![^\W\d_])(?:{'|'.join(spelled)})(?![^\W\d_])")


def _count(part: str, text: str) -> int:
    """How often it is in the text, overlapping ones too."""
    count, at = 0, text.find(part)
    while at >= 0:
        count, at = count + 1, text.find(part, at + 1)
    return count


def _parts(name: str) -> list[str]:
    parts = [
        same_letters(part) for part in _LETTERS.findall(name.replace("'", "").replace("’", ""))
    ]
    # O'Brien is looked for as "obrien" and as "brien".
    parts += [same_letters(p) for p in _LETTERS.findall(name)] if "'" in name or "’" in name else []
    return [part for part in dict.fromkeys(parts) if len(part) > 1 and part not in _PARTICLES]


def _joined(parts: list[str]) -> Iterator[str]:
    for one in parts:
        for other in parts:
            if one != other and len(one) > 1:
                yield one + other
                if len(one) > 2:
                    yield other[0] + one
                    yield one + other[0]


def _initials(name: str) -> Iterator[str]:
    """Of ``Lee-Ray^Ann^B``: ``al``, ``la``, ``ar``, ``ra``, ``abl``, ``lab``, ``abr``, ``rab``."""
    family, *rest = (_LETTERS.findall(aligned(part)) for part in name.split("^"))
    given = [word for words in rest for word in words]
    if not rest:
        family, given = family[-1:], family[:-1]
    for name_word in family:
        letters = [word[0] for word in given if word not in _PARTICLES]
        for count in {1, len(letters)} if letters else ():
            first = "".join(letters[:count])
            yield first + name_word[0]
            yield name_word[0] + first


def _patterns(terms: Iterable[KnownTerm]) -> Iterator[tuple[re.Pattern[str], Kind]]:
    for term in sorted(terms, key=lambda t: (t.kind.value, t.value)):
        if term.kind in NAMES or term.kind in (Kind.DATE, Kind.AGE):
            continue
        pieces = _ALPHANUMERIC.findall(aligned(term.value))
        if any(letter.isdigit() for piece in pieces for letter in piece) and len(pieces) < 4:
            whole = "".join(pieces).lstrip("0")
            if len(whole) >= _SHORTEST_NUMBER:
                yield _spelled(whole), term.kind
            for piece in pieces:
                if len(piece.lstrip("0")) > _SHORTEST_NUMBER and piece.isdigit():
                    yield _spelled(piece.lstrip("0")), term.kind
        elif len("".join(pieces)) >= _SHORTEST_NUMBER:
            words = r"[\W_]+".join(map(re.escape, pieces))
            yield re.compile(rf"(?<![^\W_]){words}(?![^\W_])"), term.kind


def _spelled(value: str) -> re.Pattern[str]:
    letters = r"[\s\-./_]?".join(map(re.escape, value))
    return re.compile(rf"(?<![1-9])0*{letters}(?!\d)")
