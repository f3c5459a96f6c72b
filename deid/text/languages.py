# SPDX-License-Identifier: Apache-2.0
"""Which words English has, and which only other languages have.

A word of another language is no word where it stands with a capital amid English: ``Dr. Kiefer`` is
nobody's jaw. Nor is ``Monday`` a day of the week in a Spanish report.
"""

from __future__ import annotations

from functools import cache, lru_cache

from deid.text.folding import aligned
from deid.text.lexicon import (
    code_meaning_words,
    disease_words,
    drug_words,
    english_words,
    eponyms,
    table,
)
from deid.vocabulary import descriptor_words, folded

_LONGEST_WORD = 7
_SHORTEST_TELLING = 4
_WITH_WORDS = ("de", "es", "fr", "it", "nl", "pt", "ru")
# Of these the lists have what reports are made of, and no dictionary.
_WITHOUT_WORDS = ("cs", "da", "el", "fi", "hr", "hu", "no", "pl", "ro", "sk", "sv", "tr", "uk")
# Latin is the language of anatomy everywhere.
_ENGLISH = ("en", "la")
_EVERYDAY = ("common", "report")


@cache
def _clinical(language: str, *, everyday: bool = True) -> frozenset[str]:
    rows = (
        row for row in table("clinical_words") if row["topic"] not in ("form", "ending", "tail")
    )
    wanted = (
        row
        for row in rows
        if row["language"] == language and (everyday or row["topic"] not in _EVERYDAY)
    )
    whole = {folded(word) for row in wanted for word in row["words"].split()}
    return frozenset(piece for word in whole for piece in (word, *word.split("-")))


@cache
def _english() -> frozenset[str]:
    own = _clinical("en") | code_meaning_words() | descriptor_words(*_ENGLISH)
    return own | drug_words() | disease_words() | english_words() | eponyms()


@cache
def _medicine() -> frozenset[str]:
    """Words that every language's reports have: medicine's own, in English and Latin."""
    own = _clinical("en", everyday=False) | code_meaning_words() | descriptor_words(*_ENGLISH)
    return own | drug_words() | disease_words() | eponyms()


@cache
def _others() -> dict[str, frozenset[str]]:
    languages = {row["language"] for row in table("clinical_words")} - set(_ENGLISH)
    return {
        language: _clinical(language) | descriptor_words(language) | _everyday(language)
        for language in languages
    }


@cache
def _everyday(language: str) -> frozenset[str]:
    rows = (row for row in table("foreign_words") if row["language"] == language)
    return frozenset(word for row in rows for word in row["words"].split())


@cache
def little_words() -> dict[str, frozenset[str]]:
    """Articles, prepositions and their like, by language, folded; English is not among them."""
    rows = [row for row in table("clinical_words") if row["topic"] == "general"]
    return {
        language: frozenset(
            aligned(word)
            for row in rows
            if row["language"] == language
            for word in row["words"].split()
        )
        for language in dict.fromkeys(row["language"] for row in rows)
    }


@lru_cache(maxsize=16384)
def is_english(fold: str) -> bool:
    """Whether English has the word, as the lists have it, or it is a long compound.

    The lists have the inflected words of English: ``Harding`` is not inflected from ``hard``.
    """
    return fold in _english() or len(fold) > _LONGEST_WORD


def is_listed_english(fold: str) -> bool:
    """Whether the lists have it as a word of English or of medicine; long or short."""
    return fold in _english()


@lru_cache(maxsize=16384)
def is_only_of_others(fold: str, language: str) -> bool:
    """Whether the lists have the word for other languages only than one that is not English."""
    if (
        len(fold) > _LONGEST_WORD
        or fold in _medicine()
        or fold in _everyday_words()
        or fold in _others()[language]
    ):
        return False
    return fold in _english() or any(fold in words for words in _others().values())


@lru_cache(maxsize=16384)
def is_medicine(fold: str) -> bool:
    """Whether the word says nothing of the language: medicine's own, in English and Latin."""
    return fold in _medicine()


@lru_cache(maxsize=16384)
def languages_of(fold: str) -> tuple[str, ...]:
    """The languages that alone have a word of everyday; none where more than two have it."""
    if len(fold) < _SHORTEST_TELLING:
        return ()
    found = [language for language in _WITH_WORDS if fold in _everyday(language)]
    found += [language for language in _WITHOUT_WORDS if fold in _clinical(language)]
    if fold in english_words():
        found.append("en")
    return tuple(found) if len(found) == 1 else ()


@cache
def _everyday_words() -> frozenset[str]:
    """Everyday words of ten languages; the list does not say of which."""
    return frozenset(word for row in table("other_words") for word in row["words"].split())
