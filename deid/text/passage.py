# SPDX-License-Identifier: Apache-2.0
"""A text cut into words, its language, and what capitals tell in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from deid.text.cue_words import BORROWED, ENGLISH, SHARED, other_little_words
from deid.text.folding import aligned
from deid.text.graylist import Graylist
from deid.text.languages import (
    is_english,
    is_medicine,
    is_only_of_others,
    languages_of,
    little_words,
)
from deid.text.lexicon import Lexicon
from deid.text.tokens import Token, tokens_of

_CASED_SHARE = 0.15
# What a word that one language has alone says of a text, beside little words.
_CONTENT = 0.4
_SHORTEST_STRANGER = 4


def _weight(word: str, little: frozenset[str]) -> float:
    """What a little word says of the language: a letter alone says less."""
    if word not in little or word in SHARED:
        return 0.0
    return 1.0 if len(word) > 1 else 0.5


@dataclass(frozen=True)
class Passage:
    """One text and its words.

    Attributes
    ----------
    text:
        As ``folding.readable`` makes it.
    lexicon:
        What words can be.
    """

    text: str
    lexicon: Lexicon
    tokens: list[Token] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tokens", tokens_of(self.text))

    @cached_property
    def plain(self) -> str:
        """The text in small letters without accents, of the same length."""
        return aligned(self.text)

    @cached_property
    def places(self) -> dict[int, int]:
        """Which token begins at a place of the text."""
        return {token.start: at for at, token in enumerate(self.tokens)}

    @cached_property
    def is_cased(self) -> bool:
        """Whether capitals tell something: some words have one, and others are in small letters."""
        words = [token for token in self.tokens if token.is_word and len(token.text) > 1]
        lower = sum(token.text.islower() for token in words)
        capital = sum(token.is_capital for token in words)
        return bool(words) and capital > 0 and lower >= _CASED_SHARE * len(words)

    def word_after(self, at: int, skip: str = "-") -> int | None:
        """Index of the next word on the same line, over the marks of ``skip``."""
        for index in range(at + 1, min(at + 4, len(self.tokens))):
            token = self.tokens[index]
            if token.is_word:
                return index
            if token.kind != "mark" or token.text not in skip:
                return None
        return None

    def word_before(self, at: int, skip: str = "-") -> int | None:
        """Index of the word before on the same line, over the marks of ``skip``."""
        for index in range(at - 1, max(at - 4, -1), -1):
            token = self.tokens[index]
            if token.is_word:
                return index
            if token.kind != "mark" or token.text not in skip:
                return None
        return None

    def starts_sentence(self, at: int) -> bool:
        """Whether a capital is due here anyway."""
        if at == 0:
            return True
        before = self.tokens[at - 1]
        if before.kind == "mark":
            return before.text in ".:!?;•*-–()[]\"'/|=>" and not self._is_initial(at - 2)
        if before.kind == "number" and at > 1:
            return self.starts_sentence(at - 1)
        return before.kind == "line"

    def _is_initial(self, at: int) -> bool:
        return at >= 0 and len(self.tokens[at].text) == 1 and self.tokens[at].text.isupper()

    @cached_property
    def is_foreign(self) -> bool:
        """Whether more of the little words are of other languages than English."""
        words = [token.fold for token in self.tokens if token.is_word]
        foreign = sum(word in other_little_words() and not is_medicine(word) for word in words)
        return foreign > 1 and foreign > sum(word in ENGLISH for word in words)

    @cached_property
    def language(self) -> str | None:
        """The language of most of the little words in small letters; ``None`` where there are none.

        Where two have as many, English goes before others.
        """
        tokens = [token for token in self.tokens if token.is_word and not token.is_capital]
        words = [token.fold for token in tokens]
        # "no" and "was" are English too, yet say less.
        own = [token.text.lower() for token in tokens if token.text.lower() in ENGLISH]
        counts = {"en": sum(0.5 if word in BORROWED else 1.0 for word in own)}
        words = [word for word in words if not is_medicine(word)]
        for language, little in little_words().items():
            counts[language] = 0.0 + sum(_weight(word, little) for word in words)
        for word in words:
            for language in languages_of(word):
                counts[language] = counts.get(language, 0.0) + _CONTENT
        most = max(counts, key=lambda language: (counts[language], language == "en"))
        return most if counts[most] else None

    def is_stranger(self, at: int) -> bool:
        """Whether a word with a capital is a word in a language only that this text is not in."""
        token = self.tokens[at]
        shortest = _SHORTEST_STRANGER - (token.is_capital and not self.starts_sentence(at))
        if len(token.text) < shortest or not token.text[0].isupper():
            return False
        if self.lexicon.is_of_site(token.fold):
            return False
        if self.language == "en":
            return not is_english(token.fold)
        if self.language is None or not token.is_capital:
            return False
        return is_only_of_others(token.fold, self.language)

    def is_known(self, at: int) -> bool:
        """Whether a word of the text's language, or of medicine, is spelled like this."""
        return self.lexicon.is_known(self.tokens[at].fold) and not self.is_stranger(at)

    def is_clinical(self, at: int) -> bool:
        """Whether it is a word of medicine in the text's language."""
        return self.lexicon.is_clinical(self.tokens[at].fold) and not self.is_stranger(at)

    @cached_property
    def protected(self) -> frozenset[int]:
        """Indices of the words that are clinical in their phrase, whosoever has such a name."""
        return Graylist(self).words()

    @cached_property
    def protected_starts(self) -> frozenset[int]:
        """Where in the text the protected words begin."""
        return frozenset(self.tokens[at].start for at in self.protected)
