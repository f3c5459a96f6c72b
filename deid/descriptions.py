# SPDX-License-Identifier: Apache-2.0
"""What of a description may stay: its listed words, and numbers that measure something.

A listed word that is a name of people too ("Hand", "Delgado") goes where a name stands: after a
title, beside an initial, before a comma and a word that no list has; some stay only beside the
words that they belong to ("intestino delgado"). A number stays where it has a unit, is a size of a
matrix or voxel, a kernel, a thickness, or is short and stands between listed words; what may be a
date, a record number, a telephone number or an age above 89 years goes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cache, lru_cache
from typing import NamedTuple

from deid.profile import read_table
from deid.vocabulary import body_words, descriptor_words, folded, is_listed

_AMOUNT = r"\d{1,4}(?:[.,]\d{1,3})?"
_SIZE = r"\d{1,3}(?:[.,]\d{1,3})?"
_SHORT_AMOUNT = r"\d{1,2}(?:[.,]\d{1,3})?"
_ROUND = r"(?:0|50|[1-9]\d?[05]0)"
_UNITS = (
    "mm|cm|ml|cc|kvp?|kev|mas|ma|msec|ms|secs?|mins?|min|hz|khz|mhz|mgy|mgi|mg|mbq|mci|tesla|deg|"
    "hu|gauge|hrs?|wks?|weeks?|dirs?|slices?|views?|phases?|planes?|echo(?:es)?|nex|bins?|gates?"
)
_SHORT_UNITS = "s|t|g|h|ch|x"
_CLEAR_UNITS = "wks?|weeks?|mm|cm|ml|kvp?|kev|mas|msec|ms|secs?|mins?|mgy|mbq|tesla|deg|hu"
_MEASURED = "|".join(
    (
        rf"{_AMOUNT}(?:[x×*]{_AMOUNT}){{1,2}}\s?(?:mm|cm)?",
        rf"{_SIZE}(?: [x×*] {_SIZE}){{1,2}}(?:\s?(?:mm|cm)|(?!\s\d))",
        r"\d{1,3}(?:[.,]\d)?\s?%",
        rf"{_AMOUNT}(?:{_UNITS})",
        rf"{_SHORT_AMOUNT}(?:{_SHORT_UNITS})",
        r"\d{3}\.\d{1,2}s|\d{2,3}\sma",
        rf"\d{{1,3}}(?:[.,]\d{{1,3}})?\s(?:{_CLEAR_UNITS})",
        r"(?:kvp?|mas?|te|tr|ti|fov)[ =:]?\d{1,4}(?!\s\d)",
        r"b[ =:]?\d{0,3}[05]0(?!\s\d)|b0",
        r"(?:b|br|bl|bv|bf|bm|bo|h|hr|hv|i|j|d|u|ur|q|qr|t|tr|s|sa|sd|fc|fl|e)\d\d[fshdmp]?",
        # Lists of b-values, and what stands between underscores as a matrix or thickness does.
        rf"(?:b[-_ ]?val(?:ue)?s?[ =:]*)?{_ROUND}(?:[/,]{_ROUND}){{2,}}",
        r"(?<=_)(?:128|192|256|320|384|448|512)(?=_|$)|(?<=_)[1-9]_0(?=_|$)",
        r"v\d(?:\.\d{1,2}){1,2}",
        r"[1-4](?:st|nd|rd|th)(?=[ _](?:pass|phase|scan|sub|dyn|echo|post)\b)",
        # A day and a month have no such parts.
        r"(?:0\.\d{1,4}|1?\d\.(?:0|25|75|375|625|875)|[1-7]\.5|[1-9]\d?\.0{2,3})(?!\.)",
    )
)
_TOKEN = re.compile(
    rf"(?P<measured>(?<![^\W_])(?<!\d[.,/:-])(?:{_MEASURED})(?:(?<=%)|(?![^\W_]))"
    r"(?![.,/:-]\d|\s\d{3}))"
    r"|[^\W_]+",
    re.IGNORECASE,
)
# Letters of the alphabets that have capitals: Latin, Greek, Cyrillic, Armenian, and their accents.
_CASED = [chr(one) for block in ((0x41, 0x588), (0x1E00, 0x2000)) for one in range(*block)]
_CAPITAL = "".join(letter for letter in _CASED if letter.isupper())
_SMALL = "".join(letter for letter in _CASED if letter.islower())
# Text in capitals keeps its "ß", so that a capital after it begins no word: "FUßGELENK".
_CAPITAL_INSIDE = re.compile(
    rf"(?<=[^\W\d_ß{_CAPITAL}])(?=[{_CAPITAL}])|(?<=[{_SMALL}]ß)(?=[{_CAPITAL}])"
    rf"|(?<=[{_CAPITAL}])(?=[{_CAPITAL}][{_SMALL}]{{2}})"
)
_PART = re.compile(r"[^\W\d_]+|\d+")
_NUMBERED = re.compile(r"([^\W\d_]{2,})(\d{1,2})|(\d{1,2})([^\W\d_]{3,})")
_PART_OF_CODE = re.compile(r"\d[a-z]{1,2}|[a-z]\d[a-z]|\d{3,}")
_REGION_LETTERS = frozenset("ntcapw")
_OLDEST, _OLDEST_EVER = 89, 119
_NEAR = 2
_JOINED_BY = re.compile(r"[\^#@\\]")
_TITLES = (
    "drs mrs miss prof professor doctor mister herr frau madame mme mlle monsieur senor "
    "senora sra dott dottssa signor signora sig pani dhr mevr mevrouw nurse sister rev doc"
)
# Before a number: it counts or names something that is somebody's.
_MONTHS = (
    "jan feb mar apr may jun jul aug sep sept oct nov dec january february march april june july "
    "august september october november december janv fevr mars avr mai juin juil aout marz marzo "
    "okt dez des ene abr ago dic gen mag giu lug set ott fev out sty lut kwi maj cze lip sie wrz "
    "paz lis gru mrt mei"
)
_DONE_BY = ("per", "by")
# Names by themselves elsewhere, here whole descriptions.
_STUDIES = ("delay", "doppler", "dwi", "echo", "stress")
# Modalities and a unit, too, unless they are written as titles are.
_TITLES_TOO = ("dr", "mr", "ms")
_ORDINALS = "st nd rd th er re e ste de te"
_COUNTED = "no nr id num number n bed room age aged y yr old"
# Between the parts of a surname that is written together.
_PARTICLES = "de la le las los van von der den del della di da du des dos mac mc o st el al ben bin"
_TITLE_WORDS, _COUNTED_WORDS, _PARTICLE_WORDS, _ORDINAL_WORDS, _MONTH_WORDS = (
    frozenset(words.split()) for words in (_TITLES, _COUNTED, _PARTICLES, _ORDINALS, _MONTHS)
)


_IN_NUMBER = re.compile(r"[-./]\w{1,2}[-./]\d{2,4}\b")
_NUMBER_OF = re.compile(r"-\d{3,}")
_ORDINAL = re.compile(rf"\d+(?:{'|'.join(_ORDINALS.split())})")


class _Token(NamedTuple):
    """A word or number of a text, with what may stay of it and its place."""

    text: str
    fold: str
    start: int
    end: int
    measured: bool = False

    @property
    def is_number(self) -> bool:
        return self.fold.isdigit()


class Kept(NamedTuple):
    """A piece that may stay, and where in the text it stands."""

    text: str
    fold: str
    start: int
    end: int


@cache
def names_beside() -> dict[str, frozenset[str]]:
    """Listed words that are names of people too, with the words of which one must be near."""
    return {
        line["word"]: frozenset(line["beside"].split()) for line in read_table("listed_names.csv")
    }


def cleaned(text: str, denied: Collection[str], admitted: frozenset[str] = frozenset()) -> str:
    """What of a description may stay, joined by single spaces.

    Parameters
    ----------
    text:
        One value.
    denied:
        Folded words that may not pass although listed: parts of names and identifiers of the same
        header.
    admitted:
        Folded words that may pass beside those of the list.
    """
    return " ".join(piece.text for piece in kept_of(text, denied, admitted))


def kept_of(
    text: str, denied: Collection[str], admitted: frozenset[str] = frozenset()
) -> list[Kept]:
    """What ``cleaned`` leaves, piece by piece; parameters as there."""
    kept = [piece for piece in _pieces(text, admitted) if not _is_denied(piece.fold, denied)]
    words = [piece.fold for piece in kept if not piece.fold.isdigit()]
    # Single letters alone say nothing, and could be initials: but for "T/A/P" and its like.
    says = any(len(fold) > 1 for fold in words) or (
        len(words) > 1 and all(fold in _REGION_LETTERS for fold in words)
    )
    return kept if says else []


def is_fully_listed(
    text: str, denied: Collection[str], admitted: frozenset[str] = frozenset()
) -> bool:
    """Whether every word and number of the text may stay."""
    kept = kept_of(text, denied, admitted)
    whole = [(token.start, token.end) for token in _tokens(text)]
    return bool(whole) and [(piece.start, piece.end) for piece in kept] == whole


def _is_denied(fold: str, denied: Collection[str]) -> bool:
    return fold in denied or (
        not fold.isalpha() and any(part in denied for part in _PART.findall(fold))
    )


def _tokens(text: str) -> list[_Token]:
    return [
        _Token(m[0], folded(m[0]), m.start(), m.end(), m["measured"] is not None)
        for m in _TOKEN.finditer(text)
    ]


@lru_cache(maxsize=4096)
def _pieces(text: str, admitted: frozenset[str]) -> tuple[Kept, ...]:
    """What may stay if nothing of it is denied."""
    tokens = _tokens(text)
    found: list[Kept] = []
    for at, token in enumerate(tokens):
        if token.fold in admitted or _stays(tokens, at, text):
            found.append(Kept(*token[:4]))
        elif not (token.measured or token.is_number or is_listed(token.fold)):
            found += _parts(token)
    return tuple(found)


def _stays(tokens: list[_Token], at: int, text: str) -> bool:
    """Whether a word or number stays whole, where it stands."""
    token = tokens[at]
    if token.measured:
        return not (at and _forbids_number(tokens[at - 1])) and not _is_beside_month(tokens, at)
    if token.is_number:
        return _counts_images(tokens, at, text)
    if not is_listed(token.fold):
        return _is_numbered(token.fold) and not _goes_on(tokens, at, text)
    if token.fold in _months() and _is_beside_number(tokens, at):
        return False
    if _IN_NUMBER.match(text, token.end) and not token.fold.isalpha():
        return False
    return not _stands_as_name(tokens, at, text)


def _forbids_number(before: _Token) -> bool:
    """Whether what stands before makes a number part of a longer one, or a room, bed or age."""
    return (before.is_number and len(before.fold) > 1) or before.fold in _COUNTED_WORDS


def _is_beside_month(tokens: list[_Token], at: int) -> bool:
    return any(one.fold in _MONTH_WORDS for one in (*tokens[at - 1 : at], *tokens[at + 1 : at + 2]))


def _is_beside_number(tokens: list[_Token], at: int) -> bool:
    return any(one.fold[:1].isdigit() for one in (*tokens[at - 1 : at], *tokens[at + 1 : at + 2]))


def _parts(token: _Token) -> Iterator[Kept]:
    """Take a word apart that is not listed whole: ``ThoraxRoutine``, ``chest_1a``."""
    at = token.start
    camel = _CAPITAL_INSIDE.split(token.text)
    folds = [folded(part) for part in camel]
    if (len(camel) > 1 and _PARTICLE_WORDS & set(folds)) or _ORDINAL.fullmatch(token.fold):
        return
    unlisted = any(len(f) > 2 and f.isalpha() and not is_listed(f) for f in folds)
    for part in camel:
        for piece in [part] if is_listed(folded(part)) else _PART.findall(part):
            fold = folded(piece)
            # Beside a word that no list has it may be half of a name; by a number, a month.
            bare = fold not in _months() or fold == token.fold
            if is_listed(fold) and bare and not (unlisted and fold in names_beside()):
                begin = at + part.find(piece)
                yield Kept(piece, fold, begin, begin + len(piece))
        at += len(part)


def _is_numbered(fold: str) -> bool:
    match = _NUMBERED.fullmatch(fold)
    if match is None:
        return False
    letters, digits = (match[1], match[2]) if match[1] else (match[4], match[3])
    if letters in _ORDINAL_WORDS or letters in names_beside() or letters in _months():
        return False
    return is_listed(letters) and int(digits) <= _OLDEST


def _goes_on(tokens: list[_Token], at: int, text: str) -> bool:
    """Whether a numbered word is part of a longer number, or of a postal code in two parts."""
    token = tokens[at]
    before, after = text[max(0, token.start - 2) : token.start], text[token.end : token.end + 2]
    if re.search(r"\d[-./ ]$", before) or re.match(r"[-./ ]\d", after):
        return True
    following = tokens[at + 1].fold if at + 1 < len(tokens) else ""
    return bool(_PART_OF_CODE.fullmatch(following))


def _counts_images(tokens: list[_Token], at: int, text: str) -> bool:
    """Whether a short number stands free among listed words, as that of a series or phase does."""
    token = tokens[at]
    around = text[max(0, token.start - 1) : token.start] + text[token.end : token.end + 1]
    if len(tokens) == 1 or not _is_short(token.fold) or _JOINED_BY.search(around):
        return False
    if at and tokens[at - 1].fold in _COUNTED_WORDS:
        return False
    near = tokens[max(0, at - _NEAR) : at] + tokens[at + 1 : at + 1 + _NEAR]
    return all(
        one.measured or (not one.is_number and is_listed(one.fold) and one.fold not in _months())
        for one in near
    )


def _is_short(digits: str) -> bool:
    """One or two figures, no age above 89, or a round number of three that is none either."""
    if len(digits) > 1 and digits[0] == "0":
        return False
    number = int(digits)
    return number <= _OLDEST or (_OLDEST_EVER < number < 1000 and number % 10 == 0)


def _stands_as_name(tokens: list[_Token], at: int, text: str) -> bool:
    """Whether a listed word that is a name too stands where names do, or without its fellows."""
    token = tokens[at]
    beside = names_beside().get(token.fold)
    if beside is None:
        return False
    if len(tokens) == 1 and token.fold not in body_words() and token.fold not in _STUDIES:
        return True
    if _NUMBER_OF.match(text, token.end) or _lacks_fellows(tokens, at):
        return True
    before = tokens[at - 1] if at else None
    after = tokens[at + 1] if at + 1 < len(tokens) else None
    if before is not None and _introduces(tokens, at, text[before.end : token.start]):
        return True
    if after is not None and _is_other_half(tokens, at, at + 1, text[token.end : after.start]):
        return True
    return before is not None and after is not None and _is_other(before) and _is_other(after)


def _lacks_fellows(tokens: list[_Token], at: int) -> bool:
    """Whether a word that is a name stays only beside words of which none is near."""
    beside = names_beside().get(tokens[at].fold)
    near = tokens[max(0, at - _NEAR) : at] + tokens[at + 1 : at + 1 + _NEAR]
    return bool(beside) and not any(one.fold in (beside or ()) for one in near)


def _is_other(token: _Token) -> bool:
    """A word that no list has, or a letter: between two of them a name has its middle."""
    if token.measured or not token.fold.isalpha():
        return False
    return len(token.fold) == 1 or not is_listed(token.fold)


def _introduces(tokens: list[_Token], at: int, between: str) -> bool:
    """Whether a title, an initial, or the other half of a name stands before."""
    before = tokens[at - 1]
    if before.fold in _TITLE_WORDS:
        return True
    if before.fold in _TITLES_TOO and (
        before.text.istitle()
        or between.startswith(".")
        or (at > 1 and tokens[at - 2].fold in _DONE_BY)
    ):
        return True
    if len(before.fold) == 1 and before.fold.isalpha() and between.startswith("."):
        return True
    return _is_other_half(tokens, at, at - 1, between)


def _is_other_half(tokens: list[_Token], at: int, beside: int, between: str) -> bool:
    """Whether a word is written as the other half of a name would be: "Long, Hugh", "Hugh Long".

    No list has it, or it is a name itself that doesn't stay here. A caret parts names unless what
    it joins is listed and no other name, as in "HEAD^ROUTINE".
    """
    token, other = tokens[at], tokens[beside]
    if "^" in between:
        is_name = other.fold in names_beside() and other.fold != token.fold
        return is_name or not (other.measured or other.is_number or is_listed(other.fold))
    if other.measured or not other.fold.isalpha() or len(other.fold) < 2:
        return False
    if is_listed(other.fold) and ("," in between or not _lacks_fellows(tokens, beside)):
        return False
    if "," in between:
        return True
    return between in (" ", "-") and token.text.istitle() and other.text.istitle()


@cache
def _months() -> frozenset[str]:
    """Listed words that name or shorten a month in some language."""
    return _MONTH_WORDS & descriptor_words()
