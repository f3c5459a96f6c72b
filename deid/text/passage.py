# SPDX-License-Identifier: Apache-2.0
"""A text cut into words, with what their surroundings say: the graylist resolved by context.

``Parkinson`` is a name and ``Parkinson's disease`` is not; ``Short`` may be a name, ``short axis``
never is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache, cached_property

from deid.text.folding import aligned
from deid.text.languages import is_english, is_only_of_others, little_words
from deid.text.lexicon import Lexicon, table
from deid.text.tokens import Token, tokens_of

_GRADE = re.compile(r" (?:\d{1,2}[A-Fa-f]?|[IV]{1,3}[ABab]?|[A-E])(?![\w/]|[.-]\d)")
_CASED_SHARE = 0.15
_SHORTEST_STRANGER = 4
_STRONG_HEADS = frozenset(
    str.split(
        "disease syndrome sign classification criteria score procedure phenomenon "
        "fracture lymphoma sarcoma malformation tumor tumour grade palsy thyroiditis "
        "krankheit maladie enfermedad catheter needle stent prosthesis sheath filter "
        "fingers lines method nodes cyst technique maneuver osteotomy fundoplication tube "
        "coil drain view views index scale staging ratio circulation injury wire wires "
        "deformity pin nail screw plate operation anomaly dystrophy dementia syndrom "
        "sindrome nodule lesion catheters stents signs fractures cysts nodes clips "
    )
)
_ALONE = frozenset(
    str.split(
        "parkinson alzheimer crohn hodgkin cushing huntington graves raynaud hashimoto "
        "sjogren paget barrett addison marfan ewing kaposi wegener wilms takayasu "
        "kawasaki "
    )
)
# Nobody is called so who would be written about without first name or title.
_NEVER_NAMES = frozenset(str.split("doppler hounsfield gleason birads pirads "))


@cache
def cues(cue: str) -> frozenset[str]:
    """The phrases of a kind of cue, in small letters without accents."""
    rows = (row for row in table("cues") if row["cue"] == cue)
    return frozenset(aligned(phrase) for row in rows for phrase in row["phrases"].split("|"))


_ENGLISH = frozenset(
    str.split(
        "the of and is with for was were are be this that from on at by to not has have "
        "no there which "
    )
)
# Little words of English and of others.
_SHARED = _ENGLISH | frozenset(str.split("a an in i as so on no me do must am war "))
_BORROWED = frozenset(str.split("no on was is of at that not"))
_LITTLE = frozenset(
    str.split(
        "a an in i as so or if but who whom whose will would may can could should must "
        "do does did had he she they we you it its his her their our your when where why "
        "also then than into over under after before about per via re up out off all any "
        "both each other another same new old first last "
    )
)


def is_little_word(fold: str) -> bool:
    """Whether it is a little word of English or of another language: an article, a preposition."""
    return fold in _ENGLISH or fold in other_little_words() or fold in _LITTLE


@cache
def other_little_words() -> frozenset[str]:
    """Little words of other languages that English does not have."""
    return frozenset(word for words in little_words().values() for word in words) - _SHARED


@cache
def _phrases() -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(re.split(r"[\s-]", phrase)) for phrase in cues("gray phrase"))


@dataclass(frozen=True)
class Passage:
    """One text and its words.

    Attributes
    ----------
    text:
        In Unicode's composed form (NFC).
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
        foreign = sum(word in other_little_words() for word in words)
        return foreign > 1 and foreign > sum(word in _ENGLISH for word in words)

    @cached_property
    def language(self) -> str | None:
        """The language of most of the little words in small letters; ``None`` where there are none.

        Where two have as many, English goes before others.
        """
        tokens = [token for token in self.tokens if token.is_word and not token.is_capital]
        words = [token.fold for token in tokens]
        # "no" and "was" are English too, yet say less.
        own = [token.text.lower() for token in tokens if token.text.lower() in _ENGLISH]
        counts = {"en": sum(0.5 if word in _BORROWED else 1.0 for word in own)}
        for language, little in little_words().items():
            counts[language] = 0.0 + sum(word in little and word not in _SHARED for word in words)
        most = max(counts, key=lambda language: (counts[language], language == "en"))
        return most if counts[most] else None

    def is_stranger(self, at: int) -> bool:
        """Whether a word with a capital is a word in a language only that this text is not in."""
        token = self.tokens[at]
        if len(token.text) < _SHORTEST_STRANGER or not token.text[0].isupper():
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
        found = self._in_phrases()
        for at, token in enumerate(self.tokens):
            if token.fold == "french" and at and self.tokens[at - 1].kind == "number":
                found.add(at)
            elif token.is_word and at not in found and self._is_eponym_here(at):
                found.add(at)
                for side in (self.word_before(at), self.word_after(at)):
                    if side is not None and self._is_joined(at, side):
                        found.add(side)
        return frozenset(found)

    def _in_phrases(self) -> set[int]:
        found: set[int] = set()
        words = [at for at, token in enumerate(self.tokens) if token.is_word]
        for first in range(len(words)):
            for length in (2, 3):
                window = words[first : first + length]
                if len(window) == length and window[-1] - window[0] <= 2 * (length - 1):
                    folds = tuple(self.tokens[at].fold for at in window)
                    if folds in _phrases() and not self._has_break(window[0], window[-1]):
                        found.update(window)
        return found

    def _has_break(self, first: int, last: int) -> bool:
        between = self.tokens[first + 1 : last]
        return any(token.kind in ("line", "number") or token.text in ".,;:" for token in between)

    def _is_joined(self, at: int, side: int) -> bool:
        """Whether a hyphen alone joins another eponym to this one: ``Hill-Sachs``."""
        first, last = sorted((at, side))
        joint = self.text[self.tokens[first].end : self.tokens[last].start]
        return joint == "-" and self._looks_like_eponym(side)

    def _looks_like_eponym(self, at: int) -> bool:
        token = self.tokens[at]
        return token.text[:1].isupper() or self.lexicon.is_eponym(token.fold)

    def _is_eponym_here(self, at: int) -> bool:
        token = self.tokens[at]
        listed = self.lexicon.is_eponym(token.fold)
        if not listed and not token.text[:1].isupper():
            return False
        if token.fold in _NEVER_NAMES or self._is_modal(at):
            return True
        head = self._head_after(at)
        if head is not None and (listed or head in _STRONG_HEADS):
            return not self._follows_title(at) and (listed or not self.starts_sentence(at))
        if not listed:
            return False
        return (
            self._asks(at)
            or self._follows_phrase(at)
            or self._precedes_clinical(at)
            or self._precedes_grade(at)
        )

    def _asks(self, at: int) -> bool:
        """``Parkinson's`` on its own, ``Marfan?``."""
        token = self.tokens[at]
        if token.possessive and token.fold in _ALONE:
            return True
        asked = self.text[token.end : token.end + 1] == "?"
        return asked and not self._follows_title(at)

    def _is_modal(self, at: int) -> bool:
        """``May show``, ``Will need`` at the start of a sentence."""
        after = self.word_after(at)
        if self.tokens[at].fold not in ("may", "will") or after is None:
            return False
        verb = self.tokens[after]
        third = verb.fold.endswith(("ed", "s")) or verb.fold in ("was", "is", "has")
        titled = self._follows_title(at)
        return self.starts_sentence(at) and verb.text.islower() and not (third or titled)

    def _precedes_grade(self, at: int) -> bool:
        """``Bosniak 2F``, ``Modic II``."""
        following = self.text[self.tokens[at].end : self.tokens[at].end + 5]
        grade = _GRADE.match(following)
        if grade is None or self._follows_title(at):
            return False
        return not (len(grade.group()) == 2 and self._is_initial_of(at + 1))

    def _is_initial_of(self, at: int) -> bool:
        """Whether a single letter is a middle initial: ``Garden C. Mayfield``, no grade."""
        following = self.tokens[at + 1 : at + 3]
        if len(following) < 2 or following[0].text != "." or not following[1].is_word:
            return False
        return following[1].is_capital and not self.lexicon.is_known(following[1].fold)

    def _precedes_clinical(self, at: int) -> bool:
        """Whether a word of medicine in small letters follows: ``Simpson biplane``."""
        after = self.word_after(at)
        if after is None or self._follows_title(at) or not self.is_cased:
            return False
        token = self.tokens[after]
        return (
            token.text.islower()
            and len(token.text) > 4
            and self.lexicon.is_own(token.fold)
            and not token.fold.endswith(("ed", "es"))
        )

    def _head_after(self, at: int) -> str | None:
        """The head of an eponym one word on, or behind the second half of a double name."""
        after = self.word_after(at, "-'’")
        if after is None:
            return None
        if self.tokens[after].fold in cues("eponym head"):
            return self.tokens[after].fold
        if after - at == 2 and self.tokens[at + 1].text == "-":
            return self._head_after(after)
        return None

    def _follows_title(self, at: int) -> bool:
        before = self.word_before(at, ".-")
        if before is None:
            return False
        token = self.tokens[before]
        if token.fold in cues("title"):
            return True
        given = self.lexicon.is_given(token.fold) and not self.lexicon.is_known(token.fold)
        return given and token.is_capital

    def _follows_phrase(self, at: int) -> bool:
        before = self.plain[max(0, self.tokens[at].start - 24) : self.tokens[at].start].rstrip(
            " -("
        )
        return any(
            before.endswith(phrase) for phrase in cues("eponym before") if " " in phrase
        ) or before.split(" ")[-1].strip("(") in (
            "morbus",
            "morbo",
            "biplane",
            "choroba",
            "синдром",
            "синдрома",
            "синдромом",
            "болезнь",
            "болезни",
            "болезнью",
            "reverse",
        )
