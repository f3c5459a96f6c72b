# SPDX-License-Identifier: Apache-2.0
"""Where known terms stand in a text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from deid.text.cue_words import cues, is_little_word
from deid.text.folding import same_letters
from deid.text.kinds import Kind, Span
from deid.text.known_terms import KnownTerms
from deid.text.passage import Passage
from deid.text.tokens import Token

_FUZZY_LENGTH = 6
# A degree, or a number's name, where initials might stand: "Vasquez, M.D.", "Luna, H.C. 77".
_CREDENTIAL = re.compile(
    r"M\.D\.?(?!\w)|D\.O\.?(?!\w)|R\.N\.?(?!\w)|R\.T\.|[A-Z]\.[A-Z]\.? ?[:#№]? ?\d"
)
_PIECE = re.compile(r"[^\W\d_]+")
_INITIALS = re.compile(r"(?<![^\W_])([^\W\d_])\.? ?-?([^\W\d_])\.?(?: ?([^\W\d_])\.)?(?![^\W_])")


def known_spans(passage: Passage, known: KnownTerms, detector: str = "header") -> Iterator[Span]:
    """Find the known terms.

    A part of a name that is a word too is left where the phrase is clinical, and where it stands in
    small letters in a text whose names have capitals.
    """
    if not known:
        return
    for pattern, kind in known.number_patterns:
        for match in pattern.finditer(passage.plain):
            yield Span(*match.span(), kind, detector)
    yield from _ideographic(passage, known, detector)
    yield from _parts(passage, known, detector)
    yield from _spelled_out(passage, known, detector)
    yield from _initials(passage, known, detector)


def _ideographic(passage: Passage, known: KnownTerms, detector: str) -> Iterator[Span]:
    for name, kind in known.ideographic:
        spaced = r"[\s・·,，^]{0,2}".join(map(re.escape, name))
        for match in re.finditer(spaced, passage.text):
            yield Span(*match.span(), kind, detector)


def _parts(passage: Passage, known: KnownTerms, detector: str) -> Iterator[Span]:
    if not known.name_parts:
        return
    kinds = {
        at: kind
        for at, token in enumerate(passage.tokens)
        if token.is_word and (kind := _kind_of(token, passage, known)) is not None
    }
    for at, kind in kinds.items():
        if at in passage.protected and not _beside(passage, at, kinds):
            continue
        token = passage.tokens[at]
        if _is_plain_word(passage, at) and not _beside(passage, at, kinds):
            continue
        if passage.is_cased and token.text.islower() and _is_modal_or_short(passage, at):
            continue
        yield Span(token.start, token.end, kind, detector)
        yield from _initials_beside(passage, at, kind, detector)


def _kind_of(token: Token, passage: Passage, known: KnownTerms) -> Kind | None:
    word = same_letters(token.text.replace("'", "").replace("’", ""))
    kind = known.name_parts.get(word) or known.joined.get(word)
    if kind is not None:
        return kind
    if word.endswith("s") and len(word) > 4 and word[:-1] in known.name_parts:
        return None if passage.lexicon.is_known(token.fold) else known.name_parts[word[:-1]]
    if passage.lexicon.is_known(token.fold) or passage.lexicon.is_eponym(token.fold):
        return None
    for part, kind in known.embedded:
        if part in word:
            return kind
        if len(part) >= _FUZZY_LENGTH and _is_one_off(word, part):
            return kind
    return None


def _is_plain_word(passage: Passage, at: int) -> bool:
    """Whether a part of a name is an everyday or clinical word where it stands."""
    token, lexicon = passage.tokens[at], passage.lexicon
    if not lexicon.is_known(token.fold):
        return False
    if token.possessive or _after_title(passage, at) or _before_initial(passage, at):
        return False
    if passage.is_cased:
        return token.text.islower() or (
            passage.starts_sentence(at) and token.is_capital and lexicon.is_clinical(token.fold)
        )
    if token.is_capital or not lexicon.is_common(token.fold):
        return False
    return lexicon.is_clinical(token.fold) and not lexicon.is_name(token.fold)


def _is_modal_or_short(passage: Passage, at: int) -> bool:
    """``Will Harker will be seen``, ``Emma Short short of breath``: the word, beside the name."""
    before = passage.word_before(at, "")
    if before is None or not passage.tokens[before].is_capital:
        return False
    fold = passage.tokens[at].fold
    return is_little_word(fold) or at in passage.protected


def _after_title(passage: Passage, at: int) -> bool:
    before = passage.word_before(at, ".:,")
    if before is None:
        return False
    fold = passage.tokens[before].fold
    return fold in cues("title") or fold in cues("patient label")


def _before_initial(passage: Passage, at: int) -> bool:
    """``Stone, M.`` and ``Stone M.``, but not a word that ends a sentence."""
    after = re.match(r",? ([^\W\d_])(?:\.|,| |$)", passage.text[passage.tokens[at].end :])
    return after is not None and after[1].isupper() and passage.tokens[at].text[0].isupper()


def _beside(passage: Passage, at: int, others: dict[int, Kind]) -> bool:
    """Whether another part of a name, unlike this one, stands next to this."""
    fold = passage.tokens[at].fold
    for side in (passage.word_before(at, "-,^.'"), passage.word_after(at, "-,^.'")):
        if side in others and side is not None and passage.tokens[side].fold != fold:
            return True
    return False


def _initials_beside(passage: Passage, at: int, kind: Kind, detector: str) -> Iterator[Span]:
    """``J.`` of ``J. Smith``, ``Smith, J.`` and ``Smith J``."""
    for step in (-1, 1):
        index = at + step
        while 0 <= index < len(passage.tokens) and abs(index - at) < 6:
            token = passage.tokens[index]
            if _CREDENTIAL.match(passage.text, token.start):
                break
            if token.text == "M" and passage.language == "fr":
                break  # Monsieur
            if passage.text[token.end : token.end + 1].isdigit():
                break
            if token.text == "I" and passage.text[token.end : token.end + 1] != ".":
                break
            if token.is_word and len(token.text) == 1 and token.text.isupper():
                yield Span(token.start, token.end, kind, detector)
            elif token.kind != "mark" or token.text not in ".,^-":
                break
            index += step


def _is_one_off(word: str, part: str) -> bool:
    """Whether one letter is wrong, missing, too many or swapped with its neighbour."""
    if abs(len(word) - len(part)) > 1 or word == part:
        return word == part
    start = 0
    while start < min(len(word), len(part)) and word[start] == part[start]:
        start += 1
    a, b = word[start:], part[start:]
    if len(a) == len(b):
        return a[1:] == b[1:] or (len(a) > 1 and a[0] == b[1] and a[1] == b[0] and a[2:] == b[2:])
    return a[1:] == b if len(a) > len(b) else a == b[1:]


def _spelled_out(passage: Passage, known: KnownTerms, detector: str) -> Iterator[Span]:
    """Names whose letters are set apart or broken across lines."""
    pattern = known.split_pattern(passage.plain)
    for match in pattern.finditer(passage.plain) if pattern else ():
        pieces = _PIECE.findall(match.group())
        words = all(len(piece) > 1 and passage.lexicon.is_known(piece) for piece in pieces)
        if len(pieces) > 1 and (not words or re.search(r"-\s*\n", match.group())):
            kind = known.name_parts["".join(pieces)]
            yield Span(*match.span(), kind, detector)


def _initials(passage: Passage, known: KnownTerms, detector: str) -> Iterator[Span]:
    """``J.S.`` with full stops, and ``JS`` where it is no abbreviation of medicine."""
    for match in _INITIALS.finditer(passage.text):
        written = match.group()
        letters = "".join(group for group in match.groups() if group).lower()
        if letters not in known.initials or not "".join(filter(str.isalpha, written)).isupper():
            continue
        if "." in written.rstrip(".") or not (
            passage.lexicon.is_known(letters) or _is_rank(passage, letters, match)
        ):
            yield Span(*match.span(), Kind.NAME, detector)


def _is_rank(passage: Passage, letters: str, match: re.Match[str]) -> bool:
    """Whether it is a title before, or a degree behind a name: ``DR. LEE``, ``Lee, MD``."""
    if letters in cues("title") and match.group().endswith("."):
        return True
    before = passage.text[max(0, match.start() - 3) : match.start()]
    return letters in cues("credential") and re.search(r"[^\W\d_], ?$", before) is not None
