# SPDX-License-Identifier: Apache-2.0
"""Names behind a title: ``Dr. Kiefer``, ``Mr Foot``, and no modality ``MR Foot``."""

from __future__ import annotations

from collections.abc import Iterator

from deid.text.cue_words import cues, is_little_word
from deid.text.kinds import Kind, Span
from deid.text.name_runs import is_role, name_run
from deid.text.passage import Passage
from deid.text.tokens import Token

# Also abbreviations of medicine, or little words: only before what can hardly be anything else.
_UNSURE_TITLES = frozenset(
    str.split(
        "mr ms pa lt op m pr sr fr hr np rn col rev mw d gen pan don dona sig maj bay "
        "oa aa fa "
        "lady lord judge father sister caro cara gr sgt capt κα lek frau drs "
    )
)
_SURE_SMALL = frozenset(
    str.split(
        "dr prof mrs mme mlle dott dra sra sig herr frau mevr mw dhr doktor doctor monsieur madame"
    )
)
_SMALL = frozenset(str.split("hr fr mr ms sr miss pan pani nurse sister father lek"))
# No technique, no disease and no little word is abbreviated like these.
_DOTTED_TITLES = frozenset(str.split("dr drs prof mrs mr dott doc д-р проф"))
_FACULTIES = frozenset(str.split("med dent univ habil phil rer nat vet ssa in hc"))
_SHORTEST_DOTTED = 3
# Go on from a region: ``Mr Brain without contrast``.
_OF_TECHNIQUE = frozenset(str.split("without with w wo and or left right of for"))


def titled_names(passage: Passage) -> Iterator[Span]:
    """Find the names behind titles."""
    for at, token in enumerate(passage.tokens):
        if not token.is_word or token.fold not in cues("title"):
            continue
        after = _titled_word(passage, at)
        if after is None or _is_french_gauge(passage, at):
            continue
        if _is_small(passage, token, after):
            yield Span(passage.tokens[after].start, passage.tokens[after].end, Kind.NAME, "context")
            continue
        unsure = token.fold in _UNSURE_TITLES
        if unsure and _is_abbreviation(passage, token, after):
            continue
        if unsure and not _may_follow(passage, token, after):
            continue
        kind = Kind.PHYSICIAN_NAME if token.fold in ("dr", "prof", "doctor") else Kind.NAME
        following = passage.tokens[after]
        if _is_surely_titled(passage, at, after, unsure=unsure):
            yield Span(following.start, following.end, kind, "context")
            if _ends_sentence(passage, after):
                continue
            run = list(name_run(passage, after + 1, kind, sure=False, labelled=False))
            yield from run
            yield from _last_word(passage, after + 1 + len(run), kind)
            if token.fold == "dres":
                yield from _partners(passage, after, kind)
        else:
            yield from name_run(passage, after, kind, sure=not unsure, labelled=False)


def _is_french_gauge(passage: Passage, at: int) -> bool:
    """``5 Fr Yueh catheter``."""
    return passage.tokens[at].fold == "fr" and at > 0 and passage.tokens[at - 1].kind == "number"


def _is_abbreviation(passage: Passage, title: Token, after: int) -> bool:
    """``Mild MR. Carpentier type II``: in capitals, at the end of a sentence, before a word."""
    if not (passage.is_cased and title.is_upper and passage.text[title.end] == "."):
        return False
    following = passage.tokens[after]
    if following.is_upper:
        return False
    return passage.lexicon.is_eponym(following.fold) or passage.lexicon.is_own(following.fold)


def _partners(passage: Passage, at: int, kind: Kind) -> Iterator[Span]:
    """``Dres. Pfeiffer & Zöllner``, ``Dres. Ott, Lang und Kern``."""
    while at + 2 < len(passage.tokens):
        joint, name = passage.tokens[at + 1 : at + 3]
        if joint.text not in ("&", ",", "/", "und", "u", "-") or not name.is_capital:
            return
        yield Span(name.start, name.end, kind, "context")
        at += 2


def _ends_sentence(passage: Passage, at: int) -> bool:
    """``Prof. Kiefer. Case 4``: a full stop behind a whole word."""
    token = passage.tokens[at]
    stop = passage.text[token.end : token.end + 1] == "."
    return stop and len(token.text) > _SHORTEST_DOTTED


def _is_small(passage: Passage, title: Token, at: int) -> bool:
    """``hr müller kommt``, ``for prof levandowski only``: title and name in small letters."""
    token, lexicon = passage.tokens[at], passage.lexicon
    listed = lexicon.is_name(token.fold)
    if not (title.text.islower() and token.text.islower()):
        return False
    if len(token.text) < _SHORTEST_DOTTED + (not listed):
        return False
    if is_little_word(token.fold) or is_role(token) or at in passage.protected:
        return False
    if title.fold in _SURE_SMALL:
        return not (passage.is_known(at) and not lexicon.is_name(token.fold)) and not (
            lexicon.is_clinical(token.fold)
        )
    return title.fold in _SMALL and lexicon.is_name(token.fold) and not lexicon.is_own(token.fold)


def _may_follow(passage: Passage, title: Token, after: int) -> bool:
    """Whether ``MR`` or ``Ms`` is a title here and no modality or disease."""
    token, lexicon = passage.tokens[after], passage.lexicon
    if after in passage.protected:
        return False
    if passage.text[title.end] == "." and token.is_upper and title.fold in _DOTTED_TITLES:
        return lexicon.is_name(token.fold) and not lexicon.is_own(token.fold)
    if title.text in ("Mr", "Ms", "Frau", "Lady", "Lord", "Sr", "Fr", "Hr", "Pan", "Don"):
        if not token.text[0].isupper():
            return False
        named = lexicon.is_name(token.fold) or not lexicon.is_clinical(token.fold)
        return named or (title.text in ("Mr", "Ms", "Frau") and _reads_on(passage, after))
    return (
        not lexicon.is_known(token.fold)
        and not token.text.isdigit()
        and (lexicon.is_name(token.fold) or token.is_capital or not passage.is_cased)
        and len(token.text) > 2
    )


def _titled_word(passage: Passage, at: int) -> int | None:
    """The word behind a title, and behind the faculty of a degree: ``Dr. med. Kiefer``."""
    after = passage.word_after(at, ".")
    if after is None or passage.tokens[after].start - passage.tokens[at].end > 2:
        return None
    while passage.tokens[after].fold in _FACULTIES or _is_particle(passage, after):
        further = passage.word_after(after, ".-'’")
        if further is None:
            return after
        after = further
    return after


def _is_particle(passage: Passage, at: int) -> bool:
    """``Van der`` of ``Mevrouw Van der Zwaluw``: the name comes behind it."""
    if passage.tokens[at].fold not in cues("particle"):
        return False
    after = passage.word_after(at, "-'’")
    if after is None:
        return False
    return passage.tokens[after].is_capital or passage.tokens[after].fold in cues("particle")


def _last_word(passage: Passage, at: int, kind: Kind) -> Iterator[Span]:
    """The family name that ends a line or clause behind a title and a given name."""
    following = passage.tokens[at : at + 2]
    if not following or not following[0].is_capital or at in passage.protected:
        return
    ends = len(following) == 1 or following[1].kind == "line" or following[1].text in ".,;)"
    if ends and not is_role(following[0]):
        yield Span(following[0].start, following[0].end, kind, "context")


def _is_surely_titled(passage: Passage, at: int, after: int, *, unsure: bool) -> bool:
    if _is_dotted(passage, at, after):
        return True
    if not unsure:
        return _is_titled_word(passage, after)
    return passage.tokens[at].text in ("Mr", "Ms", "Frau") and _reads_on(passage, after)


def _reads_on(passage: Passage, at: int) -> bool:
    """``Mr Foot: right foot``, ``Mr Cross was``; not ``Mr Brain W Contrast``, ``Mr knee left``."""
    token = passage.tokens[at]
    if not token.is_capital:
        return False
    if token.possessive or passage.text[token.end : token.end + 3].strip()[:1] in list(":-,;)?!"):
        return True
    after = passage.word_after(at)
    if after is None or not passage.tokens[after].text.islower():
        return False
    following = passage.tokens[after].fold
    if following in _OF_TECHNIQUE:
        return False
    return is_little_word(following) or not passage.lexicon.is_own(following)


def _is_dotted(passage: Passage, at: int, after: int) -> bool:
    """``DR. MONDAY`` in capitals, ``Prof. Kiefer``: the full stop makes the title sure."""
    title, token = passage.tokens[at], passage.tokens[after]
    if title.fold not in _DOTTED_TITLES or passage.text[title.end : title.end + 1] != ".":
        return False
    if len(token.text) < _SHORTEST_DOTTED or not token.text[0].isupper():
        return False
    return not (is_role(token) or is_little_word(token.fold))


def _is_titled_word(passage: Passage, index: int) -> bool:
    """Whether a capitalised word behind a sure title is its name, be it a word too."""
    token = passage.tokens[index]
    if index in passage.protected or len(token.text) < 2:
        return False
    if not passage.is_cased or not token.text[0].isupper():
        return False
    return not (
        passage.lexicon.is_own(token.fold)
        and passage.lexicon.is_common(token.fold)
        and not passage.lexicon.is_name(token.fold)
    )
