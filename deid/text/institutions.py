# SPDX-License-Identifier: Apache-2.0
"""Names of hospitals, practices and other places where a patient was or lives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from deid.text.kinds import Kind, Span
from deid.text.passage import Passage, cues
from deid.text.tokens import Token

_MOST_WORDS = 5
_PLACE_WORDS = 3
_LONGEST_SHORT_FORM = 3
_UNSPACED = re.compile(
    r"[\u4e00-\u9fff\u3040-\u30ff]{2,12}?(?:病院|医院|醫院|クリニック|診療所|医療センター|卫生院|大学)"
    r"|[\uac00-\ud7a3]{2,10}(?:병원|의원|의료원|대학교)"
    r"|โรงพยาบาล[\u0e00-\u0e7f]{2,20}"
)
_LEGAL_FORM = re.compile(
    r",? (?:LLC|LLP|PLLC|Inc|Ltd|P\.?C|P\.?A|GmbH|AG|S\.?A|S\.?p\.?A|B\.?V)\b\.?"
)
_GENERIC = re.compile(r"^(当|本|他|貴|大学|総合|외부|타|본)?(病院|医院|醫院|병원|의원|大学病院)$")


def institution_spans(passage: Passage) -> Iterator[Span]:
    """Find institutions by their kind of house, and places by what is said of them."""
    for pattern, forwards in ((_pattern("institution after"), False), (_before(), True)):
        for match in pattern.finditer(passage.plain):
            yield from _around(passage, match.start(), match.end(), forwards=forwards)
    for match in _UNSPACED.finditer(passage.text):
        if not _GENERIC.match(match.group()):
            yield Span(*match.span(), Kind.INSTITUTION, "context")
    yield from _places(passage)


@cache
def _pattern(cue: str) -> re.Pattern[str]:
    phrases = "|".join(map(re.escape, sorted(cues(cue), key=len, reverse=True)))
    return re.compile(rf"(?<![^\W_])(?:{phrases})(?![^\W_])")


def _before() -> re.Pattern[str]:
    return _pattern("institution before")


def _around(passage: Passage, start: int, end: int, *, forwards: bool) -> Iterator[Span]:
    """The capitalised words before (or behind) the word for the house."""
    if passage.is_cased and not passage.text[start].isupper():
        return
    tokens = passage.tokens
    if forwards:
        following = [token for token in tokens if token.start >= end][: 2 * _MOST_WORDS]
        words = _capitals(passage, following)
    else:
        preceding = [token for token in tokens if token.end <= start][-2 * _MOST_WORDS :]
        words = _capitals(passage, preceding[::-1])
    specific = [token for token in words if _is_specific(passage, token)]
    if not specific:
        return
    far = specific[-1]
    form = _LEGAL_FORM.match(passage.text, end)
    span = (start, far.end) if forwards else (far.start, form.end() if form else end)
    yield Span(*span, Kind.INSTITUTION, "context")


def _capitals(passage: Passage, tokens: list[Token]) -> list[Token]:
    words: list[Token] = []
    for at, token in enumerate(tokens):
        if token.fold in cues("title") or _ends_sentence(tokens, at):
            break
        joins = token.text in ".'-’&" or token.fold in cues("particle") or token.fold == "of"
        if token.is_word and (token.text[0].isupper() or (not passage.is_cased and not joins)):
            words.append(token)
        elif not joins:
            break
        if len(words) >= _MOST_WORDS:
            break
    return words


def _ends_sentence(tokens: list[Token], at: int) -> bool:
    """Whether a full stop behind a whole word parts them, in either direction."""
    if tokens[at].text != ".":
        return False
    beside = [token for token in tokens[max(0, at - 1) : at + 2] if token.end == tokens[at].start]
    return any(len(token.text) > _LONGEST_SHORT_FORM for token in beside)


def _is_specific(passage: Passage, token: Token) -> bool:
    """Whether a word tells one house from another."""
    if token.fold in cues("institution generic") or len(token.text) < 2:
        return False
    lexicon = passage.lexicon
    if token.fold in cues("institution after") or token.fold in cues("institution before"):
        return False
    if not passage.is_cased and lexicon.is_common(token.fold) and not lexicon.is_name(token.fold):
        return False
    if passage.is_stranger(passage.tokens.index(token)):
        return True
    # A word of medicine in another language is a name here: "Arcos Medical Center".
    clinical = lexicon.is_own(token.fold) and lexicon.is_common(token.fold)
    return not clinical or lexicon.is_name(token.fold)


def _places(passage: Passage) -> Iterator[Span]:
    starts = {token.start: at for at, token in enumerate(passage.tokens)}
    for match in _pattern("place cue").finditer(passage.plain):
        at = starts.get(match.end() + 1)
        if at is None or not passage.is_cased:
            continue
        strong = match.group() not in ("from", "aus", "seen at", "ne a", "done at", "prior from")
        for token in passage.tokens[at : at + 2 * _PLACE_WORDS]:
            if token.text in ",.-'" and strong:
                if token.text == ".":
                    break
                continue
            if not token.is_word or not token.text[0].isupper():
                break
            lexicon = passage.lexicon
            if lexicon.is_place(token.fold) or (strong and not lexicon.is_clinical(token.fold)):
                yield Span(token.start, token.end, Kind.PLACE, "context")
