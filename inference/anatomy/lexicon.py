# SPDX-License-Identifier: Apache-2.0
"""The multilingual lexicon: which words of a description name which body region.

The words are data (``data/lexicon.toml``, which also explains its kinds) and are checked when they
are read. Reading a text costs microseconds: what a word can begin is remembered.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Literal, NamedTuple, get_args

from inference.anatomy.regions import NOWHERE, AnatomyTableError, Regions, body_parts, parse_regions
from inference.anatomy.words import fold, is_one_slip_apart, slips_of, words_of

Kind = Literal["region", "hint", "level", "pet", "aside", "scout"]
LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "pl", "nl", "ru")
_SETTINGS = ("kind", "regions", "term", "modalities")
_SHORTEST_MISSPELT = 6
_SHORTEST_GLUED = 5
_REMEMBERED = 20_000


class Phrase(NamedTuple):
    """One phrase of the lexicon; a word that ends in ``*`` is the beginning of a word."""

    words: tuple[str, ...]
    kind: Kind
    regions: Regions
    term: str
    modalities: frozenset[str]

    def fits(self, words: list[str], at: int, modality: str) -> bool:
        """Whether the phrase stands in ``words`` from ``at`` on, for this modality."""
        if at + len(self.words) > len(words):
            return False
        if self.modalities and modality not in self.modalities:
            return False
        return all(
            word.startswith(own[:-1]) if own.endswith("*") else word == own
            for own, word in zip(self.words, words[at:], strict=False)
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """What one text says: regions named outright, regions hinted at, and the circumstances."""

    named: Regions = NOWHERE
    hinted: Regions = NOWHERE
    terms: tuple[str, ...] = ()
    general: bool = False
    """Whether a region is named as such, not only by an organ in it."""
    pet: bool = False

    @property
    def speaks(self) -> bool:
        """Whether the text says anything of a region."""
        return bool(self.named or self.hinted)


class Lexicon:
    """All phrases, indexed by the word they begin with.

    :raises AnatomyTableError: if the table is not valid; the message names the entry.
    """

    def __init__(self, table: Mapping[str, Any]) -> None:
        self._literal: dict[str, list[Phrase]] = {}
        self._stems: dict[str, list[Phrase]] = {}
        for phrase in _unambiguous(_phrases(table)):
            first = phrase.words[0]
            index = self._stems if first.endswith("*") else self._literal
            index.setdefault(first.rstrip("*"), []).append(phrase)
        glue = table.get("glue", {})
        self._pieces = frozenset(glue.get("regions", ()))
        self._fillers = frozenset(glue.get("fillers", ()))
        self._spelt: dict[str, list[str]] = {}
        for word in glue.get("spelt", ()):
            for slip in slips_of(fold(word)):
                self._spelt.setdefault(slip, []).append(fold(word))
        self._beginning = lru_cache(maxsize=_REMEMBERED)(self._find_beginning)
        self._looked_into = lru_cache(maxsize=_REMEMBERED)(self._look_into)

    def read(self, text: str, modality: str) -> Reading:
        """Read one description.

        :param modality: the DICOM modality, since ``AP`` is a view on a radiograph and abdomen with
            pelvis on a CT.
        """
        words = [known for word in words_of(text) for known in self._known(word)]
        return _summary(list(self._matches(words, modality)))

    def _matches(self, words: list[str], modality: str) -> Iterator[Phrase]:
        at = 0
        while at < len(words):
            for phrase in self._beginning(words[at]):
                if phrase.fits(words, at, modality):
                    yield phrase
                    at += len(phrase.words)
                    break
            else:
                at += 1

    def _find_beginning(self, word: str) -> tuple[Phrase, ...]:
        found = list(self._literal.get(word, ()))
        for end in range(1, len(word) + 1):
            found += self._stems.get(word[:end], ())
        return tuple(sorted(found, key=_precedence))

    def _known(self, word: str) -> tuple[str, ...]:
        if len(word) < _SHORTEST_GLUED or word in self._literal:
            return (word,)
        return self._looked_into(word)

    def _look_into(self, word: str) -> tuple[str, ...]:
        """Take apart what is run together, and correct one slip in what is unknown."""
        pieces = self._apart(word)
        regions = sum(piece in self._pieces for piece in pieces)
        if regions > 1:
            return pieces
        if self._beginning(word):
            return (word,)
        return pieces if regions else (self._meant(word),)

    def _meant(self, word: str) -> str:
        if len(word) < _SHORTEST_MISSPELT:
            return word
        near = {spelt for slip in slips_of(word) for spelt in self._spelt.get(slip, ())}
        return next((one for one in sorted(near) if is_one_slip_apart(word, one)), word)

    def _apart(self, word: str) -> tuple[str, ...]:
        """Take a word apart into known pieces, longest first; empty if something is left over."""
        if not word:
            return ()
        for end in range(len(word), 1, -1):
            piece = word[:end]
            if piece in self._pieces or piece in self._fillers:
                rest = self._apart(word[end:])
                if rest or end == len(word):
                    return (piece, *rest)
        return ()


def _precedence(phrase: Phrase) -> tuple[int, int, int]:
    """More words first, then whole words before beginnings, then longer beginnings."""
    stems = sum(word.endswith("*") for word in phrase.words)
    return (-len(phrase.words), stems, -sum(map(len, phrase.words)))


def _summary(matches: list[Phrase]) -> Reading:
    if any(phrase.kind == "scout" for phrase in matches):
        # "AP" beside a localizer is how it was exposed.
        matches = [phrase for phrase in matches if phrase.words not in (("ap",), ("a", "p"))]
    outright = [phrase for phrase in matches if phrase.kind == "region"]
    named = frozenset[Any]().union(*(phrase.regions for phrase in outright))
    hints = [phrase.regions for phrase in matches if phrase.kind == "hint"]
    if "spine" not in named:
        hints += [phrase.regions for phrase in matches if phrase.kind == "level"]
    return Reading(
        named=named,
        hinted=frozenset[Any]().union(*hints),
        terms=tuple(phrase.term for phrase in outright if phrase.term),
        general=any(not phrase.term for phrase in outright),
        pet=any(phrase.kind == "pet" for phrase in matches),
    )


def _phrases(table: Mapping[str, Any]) -> Iterator[Phrase]:
    for number, entry in enumerate(table.get("entry", ()), start=1):
        where = f"lexicon.toml, entry {number}"
        unknown = set(entry) - set(_SETTINGS) - set(LANGUAGES)
        if unknown or entry.get("kind") not in get_args(Kind):
            raise AnatomyTableError(f"{where}: unknown key or kind {sorted(unknown)}")
        regions = parse_regions(" ".join(entry.get("regions", ())))
        term = entry.get("term", "")
        if term and (term not in body_parts() or body_parts()[term].regions != regions):
            raise AnatomyTableError(f"{where}: {term} does not lie in exactly these regions")
        for text in dict.fromkeys(p for language in LANGUAGES for p in entry.get(language, ())):
            words = tuple(fold(text).split())
            if not words or any(len(word.rstrip("*")) == 0 for word in words):
                raise AnatomyTableError(f"{where}: {text!r} is no phrase")
            modalities = frozenset(entry.get("modalities", ()))
            yield Phrase(words, entry["kind"], regions, term, modalities)


def _unambiguous(phrases: Iterable[Phrase]) -> Iterator[Phrase]:
    """Pass phrases on; one that two entries claim for the same modality is an error.

    A phrase may be repeated by entries that say the same region, with and without a term.
    """
    seen: dict[tuple[str, ...], list[Phrase]] = {}
    for phrase in phrases:
        for other in seen.get(phrase.words, ()):
            apart = phrase.modalities and other.modalities
            if apart and phrase.modalities.isdisjoint(other.modalities):
                continue
            if (phrase.kind, phrase.regions) != (other.kind, other.regions):
                raise AnatomyTableError(
                    f"lexicon.toml: {' '.join(phrase.words)!r} stands for different regions"
                )
        seen.setdefault(phrase.words, []).append(phrase)
        yield phrase


@cache
def lexicon_table() -> Mapping[str, Any]:
    """The table of this package, as it is written."""
    return tomllib.loads(_lexicon_text())


def lexicon_digest() -> str:
    """SHA-256 of the lexicon file: figures hold for one lexicon."""
    return hashlib.sha256(_lexicon_text().encode("utf-8")).hexdigest()


@cache
def lexicon() -> Lexicon:
    """The lexicon of this package.

    :raises AnatomyTableError: if its table is not valid.
    """
    return Lexicon(lexicon_table())


def _lexicon_text() -> str:
    table = files("inference.anatomy").joinpath("data", "lexicon.toml")
    return table.read_text(encoding="utf-8")
