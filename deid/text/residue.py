# SPDX-License-Identifier: Apache-2.0
"""What becomes of each word that no detector of forms, labels or known terms spoke for.

A word passes when a list has it and nothing makes it a name here; an unlisted word passes only when
it looks like one of medicine or of a language in small letters, and the classifier agrees.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from deid.text.classifier import FloatArray
from deid.text.cue_words import cues, is_little_word, other_little_words
from deid.text.kept_words import is_brand
from deid.text.kinds import Kind, Span
from deid.text.languages import is_listed_english
from deid.text.lexicon import compound_tails, word_beginnings
from deid.text.passage import Passage
from deid.text.tokens import Token, is_ideographic

_WHO_OR_WHERE = slice(1, 4)  # name, place, house
# How sure the classifier must be that a word is a name or a place, by what else speaks for it.
_BOTH = 0.2
_BEGINNING = 0.25
_LISTED_NAME = 0.005
_UNCLEAR_WORD = 0.7
_LISTED_WORD = 0.9
_CLINICAL_NAME = 0.9
_CLINICAL_WORD = 0.97
_ABBREVIATION = 0.9
_SMALL_WORD = 0.4
_SHOUTED_WORD = 0.7
_UNLISTED_CAPITAL = 0.0001
_UNLISTED_FOREIGN = 0.3
_LISTED_SMALL = 0.7
_UNLISTED_INSIDE = 0.01
_UNLISTED_NOTE = 0.001
_UNLISTED_LOWER = 0.995
_COMPOUND = 0.9
_LONGEST_ABBREVIATION = 4
_LONG_NAME = 5
_NOTE = 14
_CUES = (
    "patient label", "physician label", "person label", "relative", "role", "name cue",
    "institution after", "institution before", "place cue", "letter",
)  # fmt: skip
_OPENING = frozenset(
    str.split("ok okay many lines see copy stage baby ring best please thank driver")
)
_MODALITIES = frozenset(str.split("MR MRI MRA CT CTA PET US XR"))
_MODALS = frozenset(("may", "will", "can"))
_JOINING = ("de", "nl", "sv", "no", "da", "fi", "hu")
_SHORTEST_HEAD, _SHORTEST_TAIL = 3, 6
_VOWELS = frozenset("aeiouyаеёиоуыэюяαεηιουω")
_GRADE = re.compile(r"[IVX]{1,4}[a-dA-D]?")
_MEASURE = re.compile(r"\d[\d.,]*\s?-?$")


def doubtful_spans(passage: Passage, likely: FloatArray) -> Iterator[Span]:
    """Find the words that may be names or places.

    Parameters
    ----------
    passage:
        The text.
    likely:
        The classifier's probabilities of its tokens, shape (tokens, 6).
    """
    for at, token in enumerate(passage.tokens):
        if not token.is_word or at in passage.protected or len(token.text) < 2:
            continue
        if _is_doubtful(passage, at, likely):
            kind = Kind.PLACE if likely[at, 2] > likely[at, 1] else Kind.NAME
            yield Span(token.start, token.end, kind, "model")


def _is_doubtful(passage: Passage, at: int, likely: FloatArray) -> bool:
    token, lexicon = passage.tokens[at], passage.lexicon
    chance = float(np.sum(likely[at, _WHO_OR_WHERE]))
    if is_ideographic(token.text) or _is_cue(passage, token) or _is_heading(passage, at):
        return False
    if _is_code(passage, token) or _is_opening(passage, at) or _is_examined(passage, at):
        return False
    name = lexicon.is_name(token.fold) or lexicon.is_place(token.fold)
    if _is_login(passage, at) or (name and _is_foreign_name(passage, at)):
        return True
    if passage.is_known(at):
        if chance > _ABBREVIATION and _leads_name(passage, at, likely):
            return True
        return chance > _known_limit(passage, at, name=name) and _is_written_as_name(passage, at)
    return _is_unknown_doubtful(passage, at, chance, name=name)


def _is_examined(passage: Passage, at: int) -> bool:
    """``MR Brain``: behind a modality in capitals, a word of medicine is what was examined."""
    before = passage.word_before(at, "")
    if before is None or passage.tokens[before].text not in _MODALITIES:
        return False
    return passage.lexicon.is_own(passage.tokens[at].fold)


def _leads_name(passage: Passage, at: int, likely: FloatArray) -> bool:
    """``w/ Zephyr Malone``: a word with a capital before a family name, both of them likely."""
    after = passage.word_after(at, "")
    if after is None or not passage.is_cased:
        return False
    token, following = passage.tokens[at], passage.tokens[after]
    family = passage.lexicon.is_family(following.fold) and likely[after, 1] > _ABBREVIATION
    return token.is_capital and following.is_capital and family and after not in passage.protected


def _is_unknown_doubtful(passage: Passage, at: int, chance: float, *, name: bool) -> bool:
    """Of a word that no list has as a word: an eponym, a name, or nothing known."""
    token = passage.tokens[at]
    if passage.lexicon.is_eponym(token.fold):
        if name and passage.text[max(0, token.start - 1) : token.start] == "_":
            return True  # "Chest_PA_Rosenthal_final"
        unclear = token.text.islower() and not passage.is_cased
        return name and chance > (_ABBREVIATION if unclear else _BOTH)
    if name:
        return _is_listed_name_here(passage, at, chance)
    return _is_unlisted_doubtful(passage, at, chance)


def _is_opening(passage: Passage, at: int) -> bool:
    """Whether a sentence begins with the word, as sentences do: ``He``, ``Many``, ``OK``."""
    fold = passage.tokens[at].fold
    after = passage.word_after(at, "")
    if after is not None and passage.tokens[after].text == "of" and passage.starts_sentence(at):
        return passage.lexicon.is_common(fold)  # "Price of treatment"
    little = is_little_word(fold) and fold not in _MODALS
    if little and fold in other_little_words() and passage.language in ("en", None):
        little = not passage.lexicon.is_name(fold)
    return passage.starts_sentence(at) and (little or fold in _OPENING)


def _is_foreign_name(passage: Passage, at: int) -> bool:
    """``ct a/p delgado``: in a note without capitals a listed name that English has no word for."""
    token = passage.tokens[at]
    if passage.is_cased or passage.is_foreign or len(token.text) < _LONGEST_ABBREVIATION:
        return False
    if is_listed_english(token.fold):
        return False
    return passage.language in ("en", None) and token.text.isascii()


def _known_limit(passage: Passage, at: int, *, name: bool) -> float:
    """How sure the classifier must be of a word that a list has as a word."""
    token, lexicon = passage.tokens[at], passage.lexicon
    if not name:
        unclear = (
            passage.is_cased and passage.language in ("en", None) and not lexicon.is_own(token.fold)
        )
        if not passage.is_cased:
            return 1
        return _UNCLEAR_WORD if unclear and not passage.starts_sentence(at) else _LISTED_WORD
    if lexicon.is_own(token.fold):
        short = token.is_upper and len(token.text) <= _LONGEST_ABBREVIATION
        return _ABBREVIATION if short or not passage.is_cased else _CLINICAL_NAME
    if not passage.is_cased and lexicon.is_common(token.fold):
        return _SMALL_WORD if token.text.islower() else _SHOUTED_WORD
    after = passage.word_after(at)
    if after is not None and passage.starts_sentence(at) and passage.is_cased:
        following = passage.tokens[after]
        if following.text.islower() and len(following.text) > 4:
            return _CLINICAL_WORD if lexicon.is_clinical(following.fold) else _BEGINNING
    return _BOTH


def _is_code(passage: Passage, token: Token) -> bool:
    """``IIb``, ``Ki-67``, ``Lu-177``."""
    following = passage.text[token.end : token.end + 2]
    if _GRADE.fullmatch(token.text) or (
        len(token.text) < _LONGEST_ABBREVIATION and following[:1].isdigit()
    ):
        return True
    return (
        len(token.text) < _LONGEST_ABBREVIATION and following[:1] == "-" and following[1:].isdigit()
    )


def _is_cue(passage: Passage, token: Token) -> bool:
    """Whether it says what somebody is or does, not who."""
    if token.fold in cues("title") or token.fold in cues("credential"):
        return True
    return not passage.lexicon.is_name(token.fold) and any(token.fold in cues(cue) for cue in _CUES)


def _is_heading(passage: Passage, at: int) -> bool:
    """Whether a colon follows a word at the beginning of a line or sentence."""
    token = passage.tokens[at]
    following = passage.text[token.end : token.end + 2].strip()[:1]
    if following == "#":
        return True
    colon = following in (":", "：")
    return colon and passage.starts_sentence(at) and not passage.lexicon.is_name(token.fold)


def _is_written_as_name(passage: Passage, at: int) -> bool:
    """Whether the word has the capital that a name has where capitals tell."""
    if not passage.is_cased:
        return True
    token = passage.tokens[at]
    return token.text[:1].isupper() and not token.is_upper


def _is_listed_name_here(passage: Passage, at: int, chance: float) -> bool:
    token = passage.tokens[at]
    if passage.is_cased and token.text.islower():
        return chance > _LISTED_SMALL or _is_short_of_capitals(passage, token)
    if token.is_upper and len(token.text) <= 3 and passage.is_cased:
        return chance > _BOTH
    # A name that is no word of any language: a capital that no sentence asks for says enough.
    if passage.is_cased and token.is_capital and not passage.starts_sentence(at):
        return passage.lexicon.is_name(token.fold) or chance > _LISTED_NAME
    if len(token.text) >= _LONG_NAME and passage.language in ("en", None):
        return True
    return chance > (_BOTH if _precedes_clinical(passage, at) else _LISTED_NAME)


def _precedes_clinical(passage: Passage, at: int) -> bool:
    """``Campos pulmonares``, ``Inga förstorade``: a noun and what medicine says of it."""
    after = passage.word_after(at, "")
    if after is None or not passage.is_cased or passage.language in ("en", None):
        return False
    following = passage.tokens[after]
    return following.text.islower() and passage.lexicon.is_own(following.fold)


def _is_login(passage: Passage, at: int) -> bool:
    """``kfarnsworth``: an initial and a family name in one, behind ``by``."""
    token, before = passage.tokens[at], passage.word_before(at, ":")
    if before is None or passage.tokens[before].fold not in ("by", "user", "login", "von", "par"):
        return False
    if not token.text.islower():
        return False
    account = passage.tokens[before].fold in ("user", "login")
    if passage.is_known(at):
        return account and not passage.lexicon.is_own(token.fold)
    unheard = passage.tokens[before].fold == "by" and passage.language == "en"
    return account or unheard or passage.lexicon.is_family(token.fold[1:])


def _is_short_of_capitals(passage: Passage, token: Token) -> bool:
    """Whether a long name that is no word stands in a note rather than in sentences."""
    return len(token.text) >= _LONG_NAME and len(passage.tokens) <= _NOTE


def _is_unlisted_doubtful(passage: Passage, at: int, chance: float) -> bool:
    token = passage.tokens[at]
    if not passage.is_cased and token.text.lower() == token.text.upper():
        # Scripts without capitals: lists, labels and titles tell names from words.
        return False
    if (
        _is_cut_short(passage, token)
        or is_brand(passage, token)
        or (_is_compound(passage, token) and chance < _COMPOUND)
    ):
        return False
    if _is_abbreviation(token) or _is_beside_number(passage, token):
        return chance > _ABBREVIATION
    if token.text.islower():
        return _is_small_doubtful(passage, token, chance)
    return _is_capital_doubtful(passage, at, chance)


def _is_capital_doubtful(passage: Passage, at: int, chance: float) -> bool:
    """Of an unlisted word with a capital."""
    token = passage.tokens[at]
    shouted = token.is_upper and len(token.text) >= _LONG_NAME and not passage.is_foreign
    if not shouted and (passage.language == "de" or passage.starts_sentence(at)):
        return chance > (_UNLISTED_FOREIGN if passage.is_foreign else _UNLISTED_CAPITAL)
    # A capital that no sentence asks for, or capitals alone, and no list has the word.
    if len(token.text) >= _LONG_NAME:
        return True
    return chance > (_UNLISTED_INSIDE if passage.is_foreign else _UNLISTED_CAPITAL)


def _is_compound(passage: Passage, token: Token) -> bool:
    """``Fernmetastasen``: a word of medicine ends it, in a language that joins words."""
    if passage.language not in _JOINING or not passage.is_cased:
        return False
    ends = range(_SHORTEST_HEAD, len(token.fold) - _SHORTEST_TAIL + 1)
    if any(passage.lexicon.is_own(token.fold[at:]) for at in ends):
        return True
    return not passage.lexicon.is_name(token.fold) and token.fold.endswith(compound_tails())


def _is_cut_short(passage: Passage, token: Token) -> bool:
    """``LUMBAR PUNCT``, ``disch``: the beginning of a word, in a note without capitals."""
    if passage.is_cased or len(token.text) < _LONGEST_ABBREVIATION or token.fold[-1] in _VOWELS:
        return False
    return token.fold in word_beginnings()


def _is_small_doubtful(passage: Passage, token: Token, chance: float) -> bool:
    """Of an unlisted word in small letters."""
    if passage.language not in ("en", None):
        return not passage.is_cased and chance > _UNLISTED_LOWER
    if passage.is_cased:
        return chance > _UNLISTED_LOWER and passage.language == "en" and token.text.isascii()
    return chance > _UNLISTED_NOTE


def _is_abbreviation(token: Token) -> bool:
    """Short and in capitals, or without a vowel."""
    short = len(token.text) <= _LONGEST_ABBREVIATION
    mixed = not token.is_capital and not token.text.islower() and not token.is_upper
    return (short and token.is_upper) or (short and _VOWELS.isdisjoint(token.fold)) or mixed


def _is_beside_number(passage: Passage, token: Token) -> bool:
    """A unit, or part of a code: ``12 mmol``, ``B31f``, ``3mm``."""
    before = passage.text[max(0, token.start - 8) : token.start]
    after = passage.text[token.end : token.end + 1]
    if token.is_capital and len(token.text) >= _LONGEST_ABBREVIATION:
        return False  # "0830 Mohd Faizal"
    return len(token.text) <= _LONGEST_ABBREVIATION and (
        _MEASURE.search(before) is not None or after.isdigit()
    )
