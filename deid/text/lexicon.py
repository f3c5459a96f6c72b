# SPDX-License-Identifier: Apache-2.0
"""The lists: what is clinical, what is an everyday word, what is a name, and what is both."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path

from deid.site_vocabulary import SiteWords
from deid.vocabulary import descriptor_words, folded

_DATA = Path(__file__).parent / "data"
_SHORTEST_STEM = 3
_SHORTEST_CUT, _LONGEST_CUT = 4, 7
_INFLECTIONS = (
    "s",
    "es",
    "ed",
    "d",
    "ing",
    "ly",
    "al",
    "ally",
    "n",
    "en",
    "e",
    "er",
    "ity",
    "ness",
)
_SHORTEST_PART = 5
_SUFFIXES = (
    "ization", "isation", "ized", "ised", "izing", "ising", "ize", "ise", "like", "less", "wise",
    "able", "ability", "ally", "ically", "ness", "ing", "ed", "ly", "ment", "oid", "genic",
)  # fmt: skip
_PREFIXES = (
    "non",
    "un",
    "re",
    "pre",
    "post",
    "over",
    "under",
    "sub",
    "super",
    "inter",
    "multi",
    "anti",
    "micro",
    "mid",
)
_HELD_OUT_SHARE = 10


@cache
def table(name: str) -> tuple[dict[str, str], ...]:
    """Rows of a list of this package."""
    with (_DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


@cache
def _words(name: str) -> frozenset[str]:
    return frozenset(word for row in table(name) for word in row["words"].split())


@cache
def foreign_words() -> frozenset[str]:
    """Everyday words of other languages, none of them listed as a name."""
    return _words("foreign_words") | _words("other_words")


@cache
def english_words() -> frozenset[str]:
    """Words of everyday and learned English in lower case."""
    return _words("english_words")


@cache
def place_words() -> frozenset[str]:
    """Words that English writes with a capital: places, peoples, brands."""
    return _words("places")


@cache
def names(part: str) -> frozenset[str]:
    """Folded ``given`` or ``family`` names of some sixty languages."""
    rows = (row for row in table("person_names") if row["part"] == part)
    return frozenset(name for row in rows for name in row["names"].split())


def is_held_out(name: str) -> bool:
    """Whether a name is kept from training, for measurements: every tenth, by its hash."""
    return hashlib.blake2b(name.encode(), digest_size=2).digest()[0] % _HELD_OUT_SHARE == 0


@cache
def _topics(*wanted: str) -> frozenset[str]:
    rows = (row for row in table("clinical_words") if row["topic"] in wanted)
    return frozenset(
        piece for row in rows for word in row["words"].split() for piece in folded(word).split("-")
    )


@cache
def eponyms() -> frozenset[str]:
    """Names that diseases, signs, scores and structures are called after."""
    return _topics("eponym") | _words("eponyms")


@cache
def clinical_words() -> frozenset[str]:
    """Words of medicine, in ten languages; eponyms are not among them."""
    rows = (
        row for row in table("clinical_words") if row["topic"] not in ("form", "ending", "tail")
    )
    own = {piece for row in rows for word in row["words"].split() for piece in _pieces(word)}
    listed = _words("code_meanings") | _words("drugs") | disease_words() | descriptor_words()
    return (frozenset(own) | listed) - _topics("eponym")


def _pieces(word: str) -> list[str]:
    fold = folded(word)
    return [fold, *fold.split("-")]


@cache
def code_meaning_words() -> frozenset[str]:
    """Words of code meanings that no other list has."""
    return _words("code_meanings")


@cache
def drug_words() -> frozenset[str]:
    """Names of drugs that no other list has."""
    return _words("drugs")


@cache
def disease_words() -> frozenset[str]:
    """Words of names of diseases that no other list has."""
    return _words("diseases")


@cache
def abbreviations() -> frozenset[str]:
    """Abbreviations that reports are full of."""
    return _topics("abbreviation", "unit", "grade")


@cache
def compound_tails() -> tuple[str, ...]:
    """What ends long words of medicine in languages that write compounds as one, folded."""
    return tuple(sorted(word for word in _topics("tail")))


@cache
def word_beginnings() -> frozenset[str]:
    """What notes cut words of medicine down to: four to seven letters, two or more left away."""
    words = [word for word in clinical_words() if word.isascii()]
    return frozenset(
        word[:length]
        for word in words
        for length in range(_SHORTEST_CUT, min(len(word) - 1, _LONGEST_CUT + 1))
    )


class Lexicon:
    """Answers what a word can be.

    Parameters
    ----------
    without:
        Leaves names out of the list of names, as a measurement does to see how unlisted ones fare.
    site:
        Words that the site knows better.
    """

    def __init__(
        self, without: Callable[[str], bool] | None = None, site: SiteWords | None = None
    ) -> None:
        self._site = site or SiteWords()
        self._given, self._family = names("given"), names("family")
        if without is not None:
            self._given = frozenset(name for name in self._given if not without(name))
            self._family = frozenset(name for name in self._family if not without(name))

    def is_given(self, fold: str) -> bool:
        """Whether the list has it as a given name."""
        return fold in self._given

    def is_family(self, fold: str) -> bool:
        """Whether the list has it as a family name."""
        return fold in self._family or fold in self._site.graylist

    def is_name(self, fold: str) -> bool:
        """Whether the list has it as a name."""
        return fold in self._given or self.is_family(fold)

    def is_place(self, fold: str) -> bool:
        """Whether it is a place, a people or a brand."""
        return fold in place_words()

    def is_clinical(self, fold: str) -> bool:
        """Whether it is a word of medicine, or put together or inflected from such."""
        if self.is_own(fold):
            return True
        # "Wells" and "Keys" are inflected from words, yet names.
        return not self.is_name(fold) and _is_derived(fold)

    def is_own(self, fold: str) -> bool:
        """Whether medicine, or the site, has the word itself, not only parts of it."""
        return fold in clinical_words() or fold in self._site.whitelist

    def is_of_site(self, fold: str) -> bool:
        """Whether the site has it on its list of words that may stay."""
        return fold in self._site.whitelist

    def is_common(self, fold: str) -> bool:
        """Whether it is an everyday word."""
        if fold in english_words() or fold in _topics("general") or fold in foreign_words():
            return True
        return not self.is_name(fold) and _is_derived_english(fold)

    def is_known(self, fold: str) -> bool:
        """Whether it is a word of any list but those of names and places."""
        return self.is_clinical(fold) or self.is_common(fold)

    def is_eponym(self, fold: str) -> bool:
        """Whether a disease, sign, score or structure is called so."""
        inflected = fold.endswith(("s", "a")) and len(fold) > _SHORTEST_PART
        return fold in eponyms() or (inflected and fold[:-1] in eponyms())


@lru_cache(maxsize=65536)
def _is_derived(fold: str) -> bool:
    words = clinical_words()
    if fold.endswith("s") and len(fold) > _SHORTEST_STEM and fold[:-1] in words:
        return True
    if any(fold.endswith(end) and _stems(fold[: -len(end)], words) for end in _INFLECTIONS):
        return True
    if any(fold.endswith(end) and fold[: -len(end)] in eponyms() for end in ("ian", "oid")):
        return True
    return _is_compound(fold)


@lru_cache(maxsize=65536)
def _is_derived_english(fold: str) -> bool:
    """``cancerization``, ``bolused``, ``nonsmoking``: an English word with a prefix or suffix."""
    words = english_words()
    for suffix in _SUFFIXES:
        stem = fold[: -len(suffix)]
        if fold.endswith(suffix) and len(stem) > _SHORTEST_STEM and {stem, stem + "e"} & words:
            return True
    return any(
        fold.startswith(prefix)
        and len(fold) - len(prefix) > _SHORTEST_PART - 1
        and fold[len(prefix) :] in words
        for prefix in _PREFIXES
    )


def _stems(stem: str, words: frozenset[str]) -> bool:
    return len(stem) > _SHORTEST_STEM + 1 and (stem in words or stem + "e" in words)


def _is_compound(fold: str) -> bool:
    """Whether combining forms and an ending make it up: ``cholecysto`` and ``graphy``."""
    if len(fold) < 2 * _SHORTEST_STEM + 1:
        return False
    forms, endings, words = _forms(), _topics("ending"), _long_words()
    starts = {0}
    for at in range(2, len(fold)):
        if any(fold[start:at] in forms for start in starts if at - start > 1):
            starts.add(at)
    starts.discard(0)
    if any(fold[start:] in endings or fold[start:] in words for start in starts):
        return True
    return _is_chain(fold, words)


def _is_chain(fold: str, words: frozenset[str]) -> bool:
    """Whether words stand side by side in it, as in German and Dutch: ``Nierenzellkarzinom``."""
    reached = {0: 0}
    for end in range(_SHORTEST_PART - 1, len(fold) + 1):
        for start, longest in list(reached.items()):
            part = fold[start:end]
            if len(part) >= _SHORTEST_PART - 1 and (part in words or _unlinked(part) in words):
                reached[end] = max(reached.get(end, 0), longest, len(part))
    return reached.get(len(fold), 0) > _SHORTEST_PART


def _unlinked(part: str) -> str:
    """Without the ``s`` or ``n`` that links words: ``kontrolls``, ``nieren``."""
    return part[:-1] if part[-1] in "sn" else part


@cache
def _long_words() -> frozenset[str]:
    return frozenset(word for word in clinical_words() if len(word) >= _SHORTEST_PART - 1)


@cache
def _forms() -> frozenset[str]:
    forms = _topics("form")
    short = {form[:-1] for form in forms if form.endswith("o") and len(form) > _SHORTEST_PART}
    return forms | short
