# SPDX-License-Identifier: Apache-2.0
"""Which words of a scanned page may stay: those that are sure to be read and to identify nobody.

A reader may mistake a letter of a name and so hide it from the detectors. So a word has to be
known, not only to be unsuspicious, and what is like a name of the header goes too.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import NamedTuple

from deid.documents.form_words import FUNCTION_WORDS, LABELS, TAILS, TITLES
from deid.documents.page_words import Word
from deid.text.cue_words import is_little_word
from deid.text.kinds import Span
from deid.text.lexicon import Lexicon, english_words
from deid.text.passage import Passage
from deid.vocabulary import folded

_SURE = 0.85
_SURE_OF_NUMBER = 0.9
_LETTERS = re.compile(r"[^\W\d_]+(?:'s)?")
_MARKS = re.compile(r"[\s.,;:!?()\[\]\"'/\-–—•*%#+=]*")
_NUMBER = re.compile(r"[(<>=~]{0,2}\d{1,3}(?:[.,]\d{1,2})?(?:mm|cm|ml|mg|%)?[).,;:]{0,2}")
_JOINTS = re.compile(r"[/\-]")
_RARE_AGE = 90
_ABBREVIATION = range(2, 5)
_SENTENCE_END = (".", ":", "!", "?")
_ENDINGS = ("ed", "ly", "tion", "ment", "ous", "ible", "able")
"""Of words that begin sentences, and of hardly any name."""
_ONE_OFF, _TWO_OFF = 4, 8
"""Letters of a word of the header from which one, and two, other letters are the same word."""


class _Place(NamedTuple):
    """A word, and where it stands in the text of all pages."""

    word: Word
    start: int
    end: int


class KeptWords:
    """Decides on the words of a page.

    Parameters
    ----------
    lexicon:
        What words can be.
    denied:
        Folded words of the header that may not pass.
    """

    def __init__(self, lexicon: Lexicon, denied: Collection[str]) -> None:
        self._lexicon = lexicon
        self._is_cased = False
        self._eponyms: frozenset[int] = frozenset()
        self._denied = tuple(word for word in denied if len(word) > 1)

    def of(
        self, rows: Sequence[Sequence[Word]], spans: Collection[Span], start: int
    ) -> list[list[bool]]:
        """Whether each word may stay.

        Parameters
        ----------
        rows:
            The words of a page.
        spans:
            What the detectors found in the text of all pages (``text_of`` of each).
        start:
            Where the text of this page begins in that.
        """
        passage = Passage(text_of(rows), self._lexicon)
        self._is_cased = passage.is_cased
        # "Baker cyst", "Parkinson's disease": the surroundings tell that nobody is called so.
        protected = [passage.tokens[at] for at in passage.protected]
        self._eponyms = frozenset(start + token.start for token in protected)
        found: list[list[bool]] = []
        before: list[_Place] = []
        for row in rows:
            places = _placed(row, start)
            start = (places[-1].end if places else start) + 1
            kept = self._row(places, spans)
            if found and found[-1] and not found[-1][-1] and _continues(before, places):
                kept[0] = False
            found.append(kept)
            before = places
        return found

    def _row(self, places: list[_Place], spans: Collection[Span]) -> list[bool]:
        kept = [
            not _is_touched(place, spans) and self._is_harmless(places, at)
            for at, place in enumerate(places)
        ]
        for at, (one, other) in enumerate(pairwise(places)):
            # A name that a gap in its ink parts.
            if self._is_name(_bare(one.word.text), _bare(other.word.text)):
                kept[at] = kept[at + 1] = False
        for at, place in enumerate(places):
            # A part of a date whose month was misread, or of a number.
            beside = kept[max(0, at - 1) : at + 2]
            if place.word.text.strip(".,;:()").isdigit() and not all(beside):
                kept[at] = False
        for at, place in enumerate(places[1:], 1):
            # The word after a name may be the rest of it.
            before = places[at - 1].word.text
            if kept[at - 1] or before.endswith(_SENTENCE_END) or not before[:1].isupper():
                continue
            if self._is_of_form(places, at):
                continue
            if place.word.text[:1].isupper() or not self._is_word(place.word.text):
                kept[at] = False
        return kept

    def _is_of_form(self, places: list[_Place], at: int) -> bool:
        """Whether it is a title, a label of a field, or a little word where no name has one."""
        text = places[at].word.text
        folds = [folded(part) for part in _LETTERS.findall(text)]
        if not folds or any(map(self._is_denied, folds)):
            return False
        if LABELS.issuperset(folds) and not TITLES.issuperset(folds):
            return _is_labelling(places, at) or not any(map(self._lexicon.is_name, folds))
        little = FUNCTION_WORDS.issuperset(folds) and self._is_cased and text.islower()
        return little or TITLES.issuperset(folds)

    def _is_harmless(self, places: list[_Place], at: int) -> bool:
        word = places[at].word
        if not word.text or _MARKS.fullmatch(word.text):
            return bool(word.text) and word.sure >= _SURE
        if any(letter.isdigit() for letter in word.text):
            sure = word.sure >= _SURE_OF_NUMBER
            return sure and (self._is_measure(places, at) or self._is_compound(word.text))
        parts = _LETTERS.findall(word.text)
        if word.sure < _SURE or not parts or not _is_all_letters(word.text):
            return False
        begins = at == 0 or places[at - 1].word.text.endswith(_SENTENCE_END)
        if not self._eponyms.isdisjoint(range(places[at].start, places[at].end)):
            return not any(self._is_denied(folded(part.removesuffix("'s"))) for part in parts)
        known = all(
            self._is_known(part, begins=begins) or (begins and self._begins_sentence(part))
            for part in parts
        )
        return known or self._is_of_form(places, at)

    def _is_known(self, part: str, *, begins: bool) -> bool:
        fold = folded(part.removesuffix("'s"))
        if self._is_denied(fold):
            return False
        if len(fold) == 1:
            return part.islower() or part in "LR"
        if self._lexicon.is_name(fold) or self._lexicon.is_place(fold):
            return self._is_word_here(part, fold)
        if self._lexicon.is_own(fold) or is_little_word(fold):
            return True
        if part.islower():
            return self._lexicon.is_clinical(fold) or fold in english_words()
        # A capital where none is due, or capitals throughout, are a name's as likely.
        return self._lexicon.is_clinical(fold) and begins and not part.isupper()

    def _begins_sentence(self, part: str) -> bool:
        """Whether a capital is that of a sentence: of a little word, or of one no name is like."""
        fold = folded(part)
        if not self._is_cased or not part[1:].islower() or self._is_denied(fold):
            return False
        if fold in FUNCTION_WORDS:
            return True
        formed = fold.endswith(_ENDINGS) and fold in english_words()
        return formed and not self._lexicon.is_name(fold) and not self._lexicon.is_place(fold)

    def _is_word_here(self, part: str, fold: str) -> bool:
        """Whether what is a name too is a word: in small letters, where names have capitals."""
        own, cased = self._lexicon.is_own(fold), self._is_cased
        if part.isupper():
            return own and cased and len(part) in _ABBREVIATION
        word = own or is_little_word(fold) or (cased and self._lexicon.is_common(fold))
        return part.islower() and word

    def _is_word(self, text: str) -> bool:
        """Whether it is a word in small letters that is no name as well."""
        parts = [folded(part) for part in _LETTERS.findall(text)]
        return all(
            self._lexicon.is_own(part)
            or is_little_word(part)
            or (self._lexicon.is_common(part) and not self._lexicon.is_name(part))
            for part in parts
        )

    def _is_measure(self, places: list[_Place], at: int) -> bool:
        """A short number that stands alone: no part of a date, of a phone or record number."""
        if _NUMBER.fullmatch(places[at].word.text) is None:
            return False
        beside = [places[other].word.text for other in (at - 1, at + 1) if 0 <= other < len(places)]
        return (
            bool(beside)
            and not any(letter.isdigit() for text in beside for letter in text)
            and all(beside)
        )

    def _is_compound(self, text: str) -> bool:
        """``67-year-old``, ``T2/FLAIR``, ``L3``: words of medicine, one short number at most."""
        parts = _JOINTS.split(text.strip(".,;:()"))
        numbers = sum(part.isdigit() for part in parts)
        return numbers < min(2, len(parts)) and all(
            (part.isdigit() and len(part) <= 2 and int(part) < _RARE_AGE)
            or (self._is_plain(part) and not self._is_denied(folded(part)))
            for part in parts
        )

    def _is_plain(self, part: str) -> bool:
        return self._lexicon.is_own(folded(part)) or (part.islower() and part in english_words())

    def _is_denied(self, fold: str) -> bool:
        return any(_is_like(fold, word) for word in self._denied)

    def _is_name(self, one: str, other: str) -> bool:
        fold = folded(one + other)
        if not one or not other or any(self._is_denied(folded(part)) for part in (one, other)):
            return False  # what is a name by itself is gone already
        if len(fold) < _ONE_OFF or self._lexicon.is_known(fold):
            return False
        # "and a" is no Anda, where names have capitals.
        words = self._is_cased and one.islower() and other.islower()
        return self._is_denied(fold) or (self._lexicon.is_name(fold) and not words)


def _is_labelling(places: list[_Place], at: int) -> bool:
    """Whether a colon ends it, or the last of the labels and little words that follow it."""
    for place in places[at:]:
        folds = [folded(part) for part in _LETTERS.findall(place.word.text)]
        if any(fold not in LABELS and fold not in FUNCTION_WORDS for fold in folds):
            return False
        if place.word.text.endswith(":"):
            return True
    return False


def _continues(before: list[_Place], places: list[_Place]) -> bool:
    """Whether a row begins with the last word of an address that the row before it began."""
    if not before or not places or before[-1].word.text.endswith(_SENTENCE_END):
        return False
    return folded(_bare(places[0].word.text)) in TAILS and places[0].word.text[:1].isupper()


def is_other(word: Word, read: str) -> bool:
    """Whether what is shown for a word reads as another: more than a third of its letters."""
    one, other = (folded(_bare_of(text)) for text in (word.text, read))
    return _distance(one, other) > max(1, len(one) // 3)


def text_of(rows: Sequence[Sequence[Word]]) -> str:
    """What is written on a page, row by row."""
    return "\n".join(" ".join(word.text for word in row) for row in rows)


def _placed(row: Sequence[Word], start: int) -> list[_Place]:
    places = []
    for word in row:
        places.append(_Place(word, start, start + len(word.text)))
        start = places[-1].end + 1
    return places


def _is_touched(place: _Place, spans: Collection[Span]) -> bool:
    return any(span.start < place.end and place.start < span.end for span in spans)


def _bare_of(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def _bare(text: str) -> str:
    return "".join(_LETTERS.findall(text))


def _is_all_letters(text: str) -> bool:
    """Whether nothing but letters and marks is in it, such as ``@`` or ``%``."""
    return _MARKS.fullmatch(_LETTERS.sub("", text)) is not None


def _is_like(fold: str, word: str) -> bool:
    """Whether a reader may have made one of the other: one letter more, less or another."""
    if fold == word:
        return True
    allowed = 0 if len(word) < _ONE_OFF else 1 if len(word) < _TWO_OFF else 2
    if not allowed or abs(len(fold) - len(word)) > allowed:
        return False
    return _distance(fold, word) <= allowed


def _distance(one: str, other: str) -> int:
    """Levenshtein's distance."""
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        now = [row]
        for column, against in enumerate(other, 1):
            cost = last[column - 1] + (letter != against)
            now.append(min(cost, last[column] + 1, now[-1] + 1))
        last = now
    return last[-1]
