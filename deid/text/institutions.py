# SPDX-License-Identifier: Apache-2.0
"""Names of hospitals, practices and other places where a patient was or lives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from deid.text.cue_words import cues
from deid.text.kinds import Kind, Span
from deid.text.passage import Passage
from deid.text.tokens import Token
from deid.vocabulary import folded

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
# "prev surg @ mercy", "done @ Lakeside"; not "@ 10:40", "@ L4", "@ bedside".
_AT_SIGN = re.compile(r"(?<=\s)@ ?(?P<house>[^\W\d_]{4,})(?![\w.@])")
_OF_PLACE = re.compile(r" of (?:the )?[A-Z][^\W\d_]{2,}(?: [A-Z][^\W\d_]{2,})?")
_WITHIN = frozenset(
    str.split("am im an in bei der den dem of de la le les du des del della van het")
)
_PARTS = frozenset(
    str.split("unit ward maternity department dept clinic ct mri xray for with on in")
)
# "at St. Thomas' before"; a disease or device called so is protected.
_SAINT = re.compile(
    r"(?<!\w)(?:St|Ste|Saint|Sainte|Sankt|San|Santa|Santo|São|Sint|Św)\.?[ "
    r"-](?P<saint>[A-ZÀ-Ž][^\W\d_]{2,})(?:['’]s?)?"
)
# "né le 5 juin 1962 à Limoges"
_NATIVE = re.compile(
    r"(?:n[ée]e?|nat[oa]|nacid[oa]|nascid[oa]|geboren|geb\.|born|ur\.|urodzon[ya]|født|född)\b[^\n.;()]{0,30}?\s"
    r"(?:à|a|en|in|em|te|w|i)\s(?P<town>[A-ZÀ-Ž][^\W\d_]{2,}(?:[ -][A-ZÀ-Ž][^\W\d_]+){0,2})"
)
# "l'hôpital Saint-Louis", "ziekenhuis De Linde": in many languages the house has no capital.
_LEADS = re.compile(
    r" (?:(?:de|des|du|del|della|da|do|im|am) (?:la |los |las )?)?[A-ZÀ-Ž][^\W\d_]{2,}"
)
_WEAK_HOUSES = frozenset(
    str.split(
        "steel foods motors house surgery practice primary residence lodge manor shelter nursery "
        "grammar "
        "bakery farms limited logistics construction builders general imaging radiology oncology "
        "cardiology school college church partners trust company corp kg school mall arms hotel "
        "united "
        "dialysis academy orthopaedics orthopedics insurance"
    )
)
# A form's field for a house or a ward.
_FIELD = re.compile(
    r"(?:^|\n|[;|,]\s*)(?:[Ww]ard|[Ll]ocation|[Cc]linic|[Hh]ospital|[Ss]ite|[Ff]acility|[Pp]ractice|WARD|LOCATION|"
    r"HOSPITAL|FACILITY|CLINIC|[Ss]tation|[Ss]chool|[Ee]mployer|[Aa]rbeitgeber|[Kk]lasse)\s*:\s*\n?\s*"
    r"(?P<house>[A-Z][^\W\d_]+(?:[ -][A-Z][^\W\d_]+){0,3})"
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
    for match in _numbered().finditer(passage.plain):
        yield Span(*match.span(), Kind.INSTITUTION, "context")
    yield from _in_form(passage)
    yield from _places(passage)


def _in_form(passage: Passage) -> Iterator[Span]:
    """Houses and towns that a sign, a field or a birth gives away."""
    lexicon = passage.lexicon
    for match in _AT_SIGN.finditer(passage.text):
        fold = folded(match["house"])
        if fold not in cues("institution generic") and not lexicon.is_own(fold):
            yield Span(*match.span("house"), Kind.INSTITUTION, "context")
    for match in _SAINT.finditer(passage.text):
        if match.start("saint") not in passage.protected_starts:
            yield Span(*match.span(), Kind.INSTITUTION, "context")
    for match in _NATIVE.finditer(passage.text):
        yield Span(*match.span("town"), Kind.PLACE, "context")
    for match in _FIELD.finditer(passage.text):
        if not all(lexicon.is_own(folded(word)) for word in match["house"].split()):
            yield Span(*match.span("house"), Kind.INSTITUTION, "context")


@cache
def _pattern(cue: str) -> re.Pattern[str]:
    phrases = "|".join(map(re.escape, sorted(cues(cue), key=len, reverse=True)))
    return re.compile(rf"(?<![^\W_])(?:{phrases})(?![^\W_])")


def _before() -> re.Pattern[str]:
    return _pattern("institution before")


@cache
def _numbered() -> re.Pattern[str]:
    """``поликлиника №14``, ``Hospital No. 5``."""
    cue = _pattern("institution before").pattern
    return re.compile(rf"{cue}\s?(?:№|#|no\.?|nr\.?|n[°º])\s?\d{{1,4}}(?!\w)")


def _around(passage: Passage, start: int, end: int, *, forwards: bool) -> Iterator[Span]:
    """The capitalised words before (or behind) the word for the house."""
    if not _may_be_house(passage, start, end, forwards=forwards):
        return
    tokens = passage.tokens
    if forwards:
        following = [token for token in tokens if token.start >= end][: 2 * _MOST_WORDS]
        words = _capitals(passage, following)
    else:
        preceding = [token for token in tokens if token.end <= start][-2 * _MOST_WORDS :]
        words = _capitals(passage, preceding[::-1])
    specific = [token for token in words if _is_specific(passage, token)]
    if not forwards and (place := _of_place(passage, end)) is not None:
        # "Breast Health Center of Tulsa"
        yield Span(words[-1].start if words else start, place.end(), Kind.INSTITUTION, "context")
        return
    if not specific:
        return
    far = specific[-1]
    form = _LEGAL_FORM.match(passage.text, end)
    span = (start, far.end) if forwards else (far.start, form.end() if form else end)
    yield Span(*span, Kind.INSTITUTION, "context")


def _may_be_house(passage: Passage, start: int, end: int, *, forwards: bool) -> bool:
    """Whether it is written as the kind of a house is: with a capital, or before one."""
    if not passage.is_cased:
        return passage.plain[start:end] not in _WEAK_HOUSES
    leads = forwards and _LEADS.match(passage.text, end) is not None
    return passage.text[start].isupper() or leads


def _of_place(passage: Passage, end: int) -> re.Match[str] | None:
    """``of Tulsa`` behind the house, but not ``of Brain``."""
    match = _OF_PLACE.match(passage.text, end)
    if match is None or not passage.is_cased:
        return None
    folds = [folded(word) for word in re.findall(r"[A-Z][^\W\d_]+", match.group())]
    return None if any(passage.lexicon.is_own(fold) for fold in folds) else match


def _capitals(passage: Passage, tokens: list[Token]) -> list[Token]:
    words: list[Token] = []
    for at, token in enumerate(tokens):
        if token.fold in cues("title") or _ends_sentence(tokens, at):
            break
        joins = token.text in ".'-’&" or token.fold in cues("particle") or token.fold in _WITHIN
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
    common = lexicon.is_common(token.fold) and not lexicon.is_name(token.fold)
    if not passage.is_cased and common and (not token.is_capital or lexicon.is_own(token.fold)):
        return False
    if passage.is_stranger(passage.tokens.index(token)):
        return True
    # A word of medicine in another language is a name here: "Arcos Medical Center".
    clinical = lexicon.is_own(token.fold) and lexicon.is_common(token.fold)
    return not clinical or lexicon.is_name(token.fold)


def _ends_place(passage: Passage, token: Token, *, clinical: bool) -> bool:
    """Whether no name of a place goes on, or begins, with the word."""
    if token.start in passage.protected_starts or token.fold in _PARTS:
        return True
    return clinical and not _is_called(passage, token)


def _is_called(passage: Passage, token: Token) -> bool:
    """``Sunrise Assisted Living``: a word of medicine, and another with a capital behind it."""
    after = passage.word_after(passage.tokens.index(token), "")
    if after is None or not token.is_capital:
        return False
    following = passage.tokens[after]
    return following.is_capital and following.fold not in _PARTS


def _places(passage: Passage) -> Iterator[Span]:
    starts = {token.start: at for at, token in enumerate(passage.tokens)}
    for match in _pattern("place cue").finditer(passage.plain):
        at = starts.get(match.end() + 1)
        if at is None or not passage.is_cased:
            continue
        found = False
        strong = match.group() not in ("from", "aus", "seen at", "ne a", "done at", "prior from")
        for token in passage.tokens[at : at + 2 * _PLACE_WORDS]:
            if token.text in ",.-'" and strong:
                if token.text == ".":
                    break
                continue
            if not token.is_word or not token.text[0].isupper():
                break
            lexicon, own = passage.lexicon, passage.lexicon.is_own(token.fold)
            if _ends_place(passage, token, clinical=own and not found):
                break
            if lexicon.is_place(token.fold) or strong:
                found = True
                yield Span(token.start, token.end, Kind.PLACE, "context")
