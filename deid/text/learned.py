# SPDX-License-Identifier: Apache-2.0
"""Houses, record numbers and days that no rule spoke for and the classifier is sure of.

Rules know forms and labels; the classifier has read how such things stand in sentences: ``seen at
Elmbridge``, ``file RX 44/B``, ``back on the 14th``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from deid.text.classifier import LABELS, FloatArray
from deid.text.cue_words import cues, is_little_word
from deid.text.kinds import Kind, Span
from deid.text.months import is_month, months_of
from deid.text.passage import Passage
from deid.text.tokens import Token

_MOST_BETWEEN = 2
_DIGITS = 3
_LETTERS = 4
_LONGEST_PART = 16
# What is of one piece with a number: "LU24-" of "LU24-0131-C".
_GLUED_BEFORE = re.compile(r"(?<![^\s(\[:#,;])[^\W_](?:[^\W]|[-/.])*$")
_GLUED_BEHIND = re.compile(r"(?:[-/._]?[^\W_]+)+")
_CODES = [LABELS.index("number"), LABELS.index("date")]
_WHERE = [LABELS.index("place"), LABELS.index("house")]
_SURE_OF_ALL = 0.8
_UNSURE = 0.35
# Three digits, or two behind four letters, in one piece with a letter.
_MIXED = re.compile(
    r"(?<![^\s(\[:#,;])(?=(?:[A-Z\-/.]*\d){3}|[A-Z]{4,}[\-/.]?\d\d)(?=\S*[A-Z])"
    r"[A-Z\d](?:[A-Z\d]|[\-/.](?=[A-Z\d])){4,}(?!\w)"
)
# Levels of the spine, diagnoses, b-values, units: "L5-S1", "C50.412", "B50/400", "100ML".
_CODE = re.compile(
    r"(?:[CTLSD]\d{1,2}(?:[-/][CTLSD]?\d{1,2})*|[A-Z]\d\d(?:\.\w{1,4})?|B\d+(?:[/,]\d+)*|[\d./]+[A-Z]{1,4}"
    r"|\d+Y(?:/[MF])?|[A-Z]{2,4}\d{0,2}[-/]\d{1,3})"
)
_BREAKS = "()[];:|"
# "16/9", "12.3."; not "8/10" of pain, "6/12" of a year, "10-14" days.
_NUMERIC_DAY = re.compile(
    r"(?P<a>\d{1,2})(?:(?P<s>[/.])(?P<b>\d{1,2})(?:(?P=s)\d{2,4})?)(?<!/7)(?<!/10)(?<!(?<!\d\d)/12)(?<!/52)"
)
_CASED = re.compile("[A-Za-zÀ-ӿḀ-ỿ]")
_MONTHS, _DAYS, _YEARS = 12, 31, range(1900, 2036)
_ORDINALS = frozenset(str.split("st nd rd th de di e er o a ten ste ta eme"))


class _Sure(NamedTuple):
    """How sure of the surest and of the least sure token of a run."""

    kind: Kind
    most: float
    least: float


_SURE = {
    LABELS.index("place"): _Sure(Kind.ADDRESS, 0.9, 0.4),
    LABELS.index("house"): _Sure(Kind.INSTITUTION, 0.85, 0.4),
    LABELS.index("number"): _Sure(Kind.IDENTIFIER, 0.9, 0.4),
    LABELS.index("date"): _Sure(Kind.DATE, 0.9, 0.4),
}


def learned_spans(passage: Passage, likely: FloatArray) -> Iterator[Span]:
    """Find runs of tokens that the classifier takes for one house, number or day.

    Parameters
    ----------
    passage:
        The text.
    likely:
        The classifier's probabilities of its tokens, shape (tokens, 6).
    """
    for label, sure in _SURE.items():
        of_kind = likely[:, label]
        if not len(likely) or of_kind.max() < sure.most:
            continue
        for run in _runs(passage, of_kind, sure.least):
            if max(of_kind[at] for at in run) < sure.most:
                continue
            tokens = _trimmed([passage.tokens[at] for at in run])
            if tokens and _MAY_BE[sure.kind](passage, tokens):
                span = _span(passage, tokens, sure.kind)
                if not (sure.kind is Kind.IDENTIFIER and _is_clinical_code(passage, span)):
                    yield span
    yield from _generic_houses(passage, likely)
    yield from _mixed_spans(passage, likely)


def _is_clinical_code(passage: Passage, span: Span) -> bool:
    return _CODE.fullmatch(passage.text, span.start, span.end) is not None


def _generic_houses(passage: Passage, likely: FloatArray) -> Iterator[Span]:
    """Find ``14 Quarry Bank``, ``Oncology Partners``: of kinds of houses alone, and all sure."""
    where = likely[:, _WHERE].sum(axis=1)
    for run in _runs(passage, where, _SURE_OF_ALL):
        tokens = _trimmed([passage.tokens[at] for at in run])
        words = [token for token in tokens if token.is_word]
        capitals = sum(token.is_capital for token in words)
        protected = any(passage.places[token.start] in passage.protected for token in tokens)
        if capitals >= 2 and capitals == len(words) and not protected:
            yield Span(tokens[0].start, tokens[-1].end, Kind.INSTITUTION, "model")


def _mixed_spans(passage: Passage, likely: FloatArray) -> Iterator[Span]:
    """Find ``ZBN77Q2`` and ``RADWS-14B``: where nothing is sure, letters amid digits go."""
    for match in _MIXED.finditer(passage.text):
        if _CODE.fullmatch(match.group()):
            continue
        inside = [
            at for place in range(*match.span()) if (at := passage.places.get(place)) is not None
        ]
        chance = likely[inside][:, _CODES].sum(axis=1).max() if inside else 0
        words = [passage.tokens[at] for at in inside if passage.tokens[at].is_word]
        if chance >= _UNSURE and not any(_is_of_measure(passage, token) for token in words):
            yield Span(*match.span(), Kind.IDENTIFIER, "model")


def _runs(passage: Passage, likely: FloatArray, least: float) -> Iterator[list[int]]:
    """Tokens side by side that are likely enough, over a mark or two."""
    run: list[int] = []
    for at, token in enumerate(passage.tokens):
        if token.kind == "mark" and token.text not in _BREAKS:
            continue
        member = token.kind in ("word", "number") and likely[at] >= least
        if run and (not member or at - run[-1] > _MOST_BETWEEN + 1):
            yield run
            run = []
        if member:
            run.append(at)
    if run:
        yield run


def _trimmed(tokens: list[Token]) -> list[Token]:
    """Without the words at the ends that say nothing of whom: ``and``, ``MRN``, ``CA``."""
    while tokens and _is_beside(tokens[0]):
        tokens = tokens[1:]
    while tokens and _is_beside(tokens[-1]):
        tokens = tokens[:-1]
    return tokens


def _capitals(passage: Passage, tokens: list[Token]) -> list[Token]:
    """Without words in small letters at the ends, where capitals tell a house."""
    kept = [
        at
        for at, token in enumerate(tokens)
        if not token.is_word
        or token.text[0].isupper()
        or _is_kind_of_house(passage, passage.places[token.start])
    ]
    return tokens[kept[0] : kept[-1] + 1] if passage.is_cased and kept else tokens


def _span(passage: Passage, tokens: list[Token], kind: Kind) -> Span:
    if kind is Kind.INSTITUTION:
        tokens = _whole(passage, _capitals(passage, tokens))
    start, end = tokens[0].start, tokens[-1].end
    if kind is Kind.IDENTIFIER:
        before = _GLUED_BEFORE.search(passage.text, max(0, start - _LONGEST_PART), start)
        behind = _GLUED_BEHIND.match(passage.text, end)
        start = before.start() if before else start
        end = behind.end() if behind else end
    return Span(start, end, kind, "model")


def _whole(passage: Passage, tokens: list[Token]) -> list[Token]:
    """With the words of the house's name on both sides: capitals beside capitals."""
    first, last = passage.places[tokens[0].start], passage.places[tokens[-1].start]
    while last + 1 < len(passage.tokens) and _goes_on(passage, last, last + 1):
        last += 1
    while first and _goes_on(passage, first - 1, first) and _is_kind_of_house(passage, first - 1):
        first -= 1
    return passage.tokens[first : last + 1]


def _goes_on(passage: Passage, at: int, after: int) -> bool:
    one, other = passage.tokens[at], passage.tokens[after]
    between = passage.text[one.end : other.start]
    if not (one.is_word and other.is_word and between in (" ", "-", "'s ", "’s ")):
        return False
    if passage.is_cased:
        label = _is_beside(other) or _is_beside(one)
        capital = other.text[0].isupper() or _is_kind_of_house(passage, after)
        return not label and one.text[0].isupper() and capital
    return _is_kind_of_house(passage, after)


def _is_kind_of_house(passage: Passage, at: int) -> bool:
    fold = passage.tokens[at].fold
    return fold in cues("institution after") or fold in cues("institution before")


def _is_beside(token: Token) -> bool:
    if not token.is_word or is_month(token.fold):
        return False
    return is_little_word(token.fold) or token.fold in cues("number label")


def _may_be_number(passage: Passage, tokens: list[Token]) -> bool:
    """A record number has five digits, or fewer and letters or signs between; a measure is none."""
    words = [token for token in tokens if token.is_word]
    coded = _CODE.fullmatch(passage.text, tokens[0].start, tokens[-1].end)
    if coded or any(_is_of_measure(passage, token) for token in words):
        return False
    digits = sum(sum(map(str.isdigit, token.text)) for token in tokens)
    return digits >= _DIGITS + 2 or (digits >= _DIGITS and bool(words))


def _is_of_measure(passage: Passage, token: Token) -> bool:
    lexicon = passage.lexicon
    if token.fold in ("x", "b"):
        return True  # "512 x 512", "b1000"
    if passage.places[token.start] in passage.protected or not token.text.isascii():
        return True
    return len(token.text) > 1 and (lexicon.is_own(token.fold) or len(token.text) > _LETTERS)


def _may_be_day(passage: Passage, tokens: list[Token]) -> bool:
    """A day has a month or an ordinal's ending beside its number, or is a day and a month."""
    words = [token for token in tokens if token.is_word]
    numbers = [token.text for token in tokens if token.kind == "number"]
    if not numbers or not all(number.isdigit() for number in numbers):
        return False
    if passage.text[: tokens[0].start][-1:].isalnum():
        return False  # "X4 JAN 2018"
    if words:
        return all(t.fold in _ORDINALS or _is_month_here(passage, t.fold) for t in words)
    written = _NUMERIC_DAY.fullmatch(passage.text, tokens[0].start, tokens[-1].end)
    return written is not None and _is_day_and_month(written["a"], written["b"])


def _is_day_and_month(one: str, other: str) -> bool:
    smaller, larger = sorted((int(one), int(other)))
    return 0 < smaller <= _MONTHS and (larger <= _DAYS or larger in _YEARS)


def _is_month_here(passage: Passage, fold: str) -> bool:
    """``set`` is a month in Portuguese, and none in a text in English."""
    return fold in months_of("en") or fold in months_of(passage.language or "en")


def _may_be_house(passage: Passage, tokens: list[Token]) -> bool:
    """A house has a word that is neither medicine's nor says only what kind of house it is."""
    words = [token for token in tokens if token.is_word]
    if any(not _CASED.match(token.text) for token in words):
        return False  # rules of scripts without capitals know their houses
    if " ".join(token.fold for token in words) in cues("institution after"):
        return False  # "nursing home"
    return any(_is_telling(passage, token) for token in words)


def _is_telling(passage: Passage, token: Token) -> bool:
    if len(token.text) <= _DIGITS or is_little_word(token.fold):
        return False
    if any(token.fold in cues(cue) for cue in ("institution after", "institution before", "role")):
        return False
    at = passage.places[token.start]
    if at in passage.protected or passage.lexicon.is_own(token.fold):
        return False
    return not passage.is_cased or token.text[0].isupper()


def _may_be_address(passage: Passage, tokens: list[Token]) -> bool:
    """An address has a number and a word that is no word of medicine; a town alone has none."""
    words = [token for token in tokens if token.is_word]
    numbers = any(token.kind == "number" and token.text.isdigit() for token in tokens)
    return numbers and any(_is_telling(passage, token) for token in words)


_MAY_BE = {
    Kind.ADDRESS: _may_be_address,
    Kind.IDENTIFIER: _may_be_number,
    Kind.DATE: _may_be_day,
    Kind.INSTITUTION: _may_be_house,
}
