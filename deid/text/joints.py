# SPDX-License-Identifier: Apache-2.0
"""What belongs to a name that was found: its other half, its particles, its broken pieces."""

from __future__ import annotations

import re
from collections.abc import Iterator

from deid.text.cue_words import cues, is_little_word, other_little_words
from deid.text.kept_words import UNITS
from deid.text.kinds import NAMES, Kind, Span
from deid.text.languages import little_words
from deid.text.lexicon import english_words
from deid.text.name_runs import is_role
from deid.text.passage import Passage
from deid.text.tokens import Token
from deid.vocabulary import folded

# Titles and salutations of one language, family names behind a given name: "Lucretiu Caro, RT".
_NAMES_TOO = frozenset(str.split("caro cara don dona bay pan judge lord dean pastor love major"))
_NO_NAMES = (
    "title", "credential", "patient label", "physician label", "person label", "letter",
    "institution after", "role",
)  # fmt: skip
_PARTICLES = frozenset(
    str.split(
        "de da di do du des del della delle dos das van von vom der den ter ten zu zum zur la le "
        "les lo el al bin ibn abu ben bat binti binte bint bte mac mc st san santa dal dalla "
        "degli y e und of"
    )
)
# Join two names, and begin none.
_INNER = frozenset(("y", "e", "und", "of"))
_HOUSES = frozenset(
    str.split(
        "state university college va tech general memorial regional community county city "
        "presbyterian "
        "methodist baptist lutheran mercy childrens children's royal central polytechnic academy "
        "raceway stadium mall airport prison zoo park united rovers"
    )
)
_BROKEN = re.compile(r"(?<![^\W_])([^\W\d_]{2,})-[ \t]*\n[ \t]*([^\W\d_]{2,})(?![^\W_])")
# A capital goes on behind an apostrophe: "Fa'asavalu", "D'Souza".
_APOSTROPHE = re.compile(r"(?<![^\W_])([^\W\d_]{1,4})['’]([^\W\d_]{3,})(?![^\W_])")
# As DICOM and HL7 write names: "PETROSYAN^ARMEN^^^^MD".
_CARETS = re.compile(
    r"(?<![^\W_])(?P<number>\d+\^)?"
    r"(?P<name>(?P<one>[^\W\d_]{3,}(?:['’-][^\W\d_]{2,})?)\^(?P<other>[^\W\d_]{3,}))(?![^\W_])"
    r"(?P<more>\^\^)?"
)
# "J.W. van 't Hof", "P. van der Berg": initials, particles and a capital.
_INITIALLED = re.compile(
    r"(?<![^\W_])(?:[^\W\d_a-z]\.[ -]?){1,4}"
    r"(?:(?:van|von|de|den|der|des|ter|ten|te|in|op|la|le|du|di|da|do|dos|das|del|della|dal|al|bin|zu|zur|zum|"
    r"af|av|['’]t) ){1,3}(?:[dl]['’])?[^\W\d_a-zß-öø-ÿ][^\W\d_]+(?:-[^\W\d_]+)*"
)
_ELIDED_ARTICLE = re.compile(
    r"(?<![^\W_])(?:[Vv]an|[Ii]n|[Oo]p|[Aa]an) ['’]t [^\W\d_a-zß-öø-ÿ][^\W\d_]+(?:-[^\W\d_]+)*"
)
_ELIDED = frozenset(str.split("l d j n s t m c qu dell all nell sull dall un don isn can aren won"))


def joined(passage: Passage, spans: list[Span]) -> list[Span]:
    """What the names among the spans bring with them."""
    halves = list(_hyphenated(passage, spans))
    return [*halves, *_particles(passage, [*spans, *halves]), *_beside_places(passage, spans)]


def _beside_places(passage: Passage, spans: list[Span]) -> Iterator[Span]:
    yield from _after_places(passage, spans)
    yield from _before_houses(passage, spans)
    yield from _house_numbers(passage, spans)


def broken_names(passage: Passage) -> Iterator[Span]:
    """Names that a hyphen breaks at the end of a line, or that an apostrophe divides."""
    lexicon = passage.lexicon
    for match in _BROKEN.finditer(passage.plain):
        whole = match[1] + match[2]
        if not passage.text[match.start()].isupper() or lexicon.is_known(whole):
            continue
        if lexicon.is_name(whole) or not lexicon.is_known(match[2]):
            yield Span(*match.span(), Kind.NAME, "context")
    for match in _APOSTROPHE.finditer(passage.text):
        first, rest = match[1], match[2]
        if not first[0].isupper() or (first.lower() in _ELIDED and not rest[0].isupper()):
            continue
        fold = rest.lower()
        if first.isupper() and len(first) > 1 and passage.is_cased:
            continue
        if not lexicon.is_clinical(fold) and (lexicon.is_name(fold) or not lexicon.is_known(fold)):
            yield Span(*match.span(), Kind.NAME, "context")
    for pattern in (_INITIALLED, _ELIDED_ARTICLE):
        for match in pattern.finditer(passage.text):
            yield Span(*match.span(), Kind.NAME, "context")
    yield from _between_carets(passage)


def _between_carets(passage: Passage) -> Iterator[Span]:
    """Family and given name, one of which no list of words has; components of codes are words."""
    lexicon = passage.lexicon
    for match in _CARETS.finditer(passage.text):
        folds = [folded(match["one"]), folded(match["other"])]
        unknown = any(lexicon.is_name(fold) or not lexicon.is_known(fold) for fold in folds)
        words = any(lexicon.is_clinical(fold) and not lexicon.is_name(fold) for fold in folds)
        # Behind a number of a person, or before what a person has more, both are names.
        if unknown and (not words or match["number"] or match["more"]):
            yield Span(*match.span("name"), Kind.NAME, "context")


_AT_NUMBER = re.compile(
    r"(?<!\w)(?:at|to|from|lives|resides|address)\s(?P<number>\d{1,4}[A-Za-z]?)\s"
)
_PLAIN_LINE = re.compile(r"[^\W\d_][^\W\d_'’.-]*(?:[ ,-]+[^\W\d_][^\W\d_'’.-]*){0,3},?")
_PLACES = frozenset({Kind.ADDRESS, Kind.PLACE})


def address_lines(passage: Passage, spans: list[Span]) -> Iterator[Span]:
    """Lines of capitalised words above or below a line of an address: its town, its house."""
    lines: list[tuple[int, int]] = []
    at = 0
    for line in passage.text.split("\n"):
        start = at + len(line) - len(line.lstrip())
        lines.append((start, start + len(line.strip())))
        at += len(line) + 1
    of_address = [_is_of_address(line, spans) for line in lines]
    for number, (start, end) in enumerate(lines):
        beside = of_address[max(0, number - 1) : number + 2]
        written = passage.text[start:end]
        if of_address[number] or not any(beside) or not _PLAIN_LINE.fullmatch(written):
            continue
        if all(word[0].isupper() for word in re.findall(r"[^\W\d_]{3,}", written)):
            yield Span(start, end, Kind.ADDRESS, "context")


def _is_of_address(line: tuple[int, int], spans: list[Span]) -> bool:
    start, end = line
    found = [span for span in spans if span.kind in _PLACES and start <= span.start < end]
    covered = sum(min(span.end, end) - span.start for span in found)
    return any(span.kind is Kind.ADDRESS for span in found) and 2 * covered > end - start


def _hyphenated(passage: Passage, spans: list[Span]) -> Iterator[Span]:
    """The other half of a double name, a word too: ``Garza-Ader``, ``Felipa Scull``."""
    starts = {span.start: span for span in spans if span.kind in NAMES}
    ends = {span.end: span for span in spans if span.kind in NAMES}
    for at, token in enumerate(passage.tokens):
        if not token.is_word or token.start in starts:
            continue
        before = ends.get(token.start - 1)
        small = not token.text[0].isupper() and not _may_be_small(passage, at)
        if small and (before is None or not _is_second_syllable(passage, at)):
            continue
        after = starts.get(token.end + 1)
        joints = "- " if _may_join(passage, at) else "-"
        if before is not None and passage.text[token.start - 1] in joints:
            yield Span(token.start, token.end, before.kind, before.detector)
        elif after is not None and passage.text[token.end] in joints:
            yield Span(token.start, token.end, after.kind, after.detector)


def _is_second_syllable(passage: Passage, at: int) -> bool:
    """``won`` of ``Jae-won Park``: behind a hyphen, before a family name."""
    after = passage.word_after(at, "")
    hyphened = passage.text[passage.tokens[at].start - 1] == "-"
    return hyphened and after is not None and passage.tokens[after].is_capital


def _after_places(passage: Passage, spans: list[Span]) -> Iterator[Span]:
    """``State`` of ``Ohio State``, ``VA`` of ``Durham VA``: a house called after its place."""
    ends = {span.end for span in spans if span.kind is Kind.PLACE}
    for at, token in enumerate(passage.tokens):
        if not token.is_word or token.start - 1 not in ends or not passage.is_cased:
            continue
        house = token.fold in _HOUSES and token.text[0].isupper()
        if house and passage.text[token.start - 1] == " " and at not in passage.protected:
            yield Span(token.start, token.end, Kind.INSTITUTION, "context")


def _before_houses(passage: Passage, spans: list[Span]) -> Iterator[Span]:
    """``Claude`` of ``ref Claude Macmillan, Fredriksen University Hospital``."""
    starts = {span.start for span in spans if span.kind is Kind.INSTITUTION}
    for at, token in enumerate(passage.tokens[:-1]):
        if not token.is_word or token.end + 1 not in starts or not passage.is_cased:
            continue
        unheard = token.is_capital and len(token.text) > 2 and not passage.is_known(at)
        beside = passage.text[token.end] == " " and not passage.is_known(at + 1)
        if unheard and beside and at not in passage.protected:
            yield Span(token.start, token.end, Kind.INSTITUTION, "context")


def _house_numbers(passage: Passage, spans: list[Span]) -> Iterator[Span]:
    """``14`` of ``lives alone at 14 Quarry Bank``."""
    starts = {span.start for span in spans if span.kind in (*_PLACES, *NAMES, Kind.INSTITUTION)}
    for match in _AT_NUMBER.finditer(passage.text):
        word = passage.places.get(match.end())
        unit = word is not None and passage.tokens[word].fold in UNITS
        if match.end() in starts and not unit:
            yield Span(*match.span("number"), Kind.ADDRESS, "context")


def _is_out_of_place(passage: Passage, at: int) -> bool:
    """``dass krishna f/u``: a little word of a language that a note in small letters is not in."""
    little = passage.tokens[at].fold in other_little_words() and len(passage.tokens[at].text) > 3
    return little and not passage.is_cased and not passage.is_foreign


def _may_be_small(passage: Passage, at: int) -> bool:
    return _is_out_of_place(passage, at) or (not passage.is_cased and _is_unheard_of(passage, at))


def _may_join(passage: Passage, at: int) -> bool:
    """Whether a capital has no other reason than a name beside it."""
    token = passage.tokens[at]
    if at in passage.protected:
        return False
    if not passage.is_cased:
        return _is_out_of_place(passage, at) or _is_unheard_of(passage, at)
    if not token.is_capital:
        return False
    if passage.starts_sentence(at) or token.fold in _NAMES_TOO:
        return _joins_oddly(passage, at)
    if passage.lexicon.is_own(token.fold) and not passage.is_stranger(at):
        # ``Asir Engberg``: a program's name, but no word that a sentence has.
        after = passage.word_after(at, "")
        paired = after is not None and _may_be_family(passage, after)
        if not paired or token.fold in english_words() or passage.language != "en":
            return False
    return not any(token.fold in cues(cue) for cue in _NO_NAMES)


def _begins_double_name(passage: Passage, at: int) -> bool:
    """``Prunella Ashworth-Diaz``: a rare word of English before a name with a hyphen."""
    token, after = passage.tokens[at], passage.word_after(at, "")
    if after is None or not token.is_capital or is_role(token):
        return False
    hyphen = passage.tokens[after + 1 : after + 2]
    lexicon = passage.lexicon
    doubled = bool(hyphen) and hyphen[0].text == "-" and passage.tokens[after].is_capital
    own = lexicon.is_own(token.fold) or is_little_word(token.fold) or lexicon.is_eponym(token.fold)
    return doubled and not own


def _joins_oddly(passage: Passage, at: int) -> bool:
    """``Hampton Knisely`` as a sentence begins, ``Lucretiu Caro,`` as a clause ends."""
    token = passage.tokens[at]
    if passage.starts_sentence(at):
        if _begins_double_name(passage, at):
            return True
        return passage.lexicon.is_eponym(token.fold) and token.fold not in english_words()
    return passage.text[token.end : token.end + 1] in list(",;)")


def _is_titled(passage: Passage, at: int) -> bool:
    """``dott. Lo Presti``: the full stop is the title's."""
    before = passage.word_before(at, ".")
    return before is not None and passage.tokens[before].fold in cues("title")


def _is_unheard_of(passage: Passage, at: int) -> bool:
    """Whether no list has a word that stands beside a name where capitals tell nothing."""
    token = passage.tokens[at]
    shortest = 4 if token.text.isupper() else 5
    return len(token.text) >= shortest and not passage.lexicon.is_known(token.fold)


def _may_be_family(passage: Passage, at: int) -> bool:
    token = passage.tokens[at]
    listed = passage.lexicon.is_family(token.fold)
    return token.is_capital and (listed or not passage.is_known(at))


def _particles(passage: Passage, spans: list[Span]) -> Iterator[Span]:
    """``van den`` of ``van den Heuvel``, ``da`` of ``Maria da Conceição``."""
    names = {span.start: span for span in spans if span.kind in NAMES}
    ends = {span.end for span in names.values()}
    places = {span.start: span for span in spans if span.kind is Kind.PLACE}
    for at in range(len(passage.tokens) - 1, 0, -1):
        token, before = passage.tokens[at], passage.tokens[at - 1]
        span = names.get(token.start) or _place_behind(token, before, places, ends)
        if span is None or before.fold not in _PARTICLES or passage.text[before.end] not in " -'’":
            continue
        if _belongs(passage, before, at - 1, ends):
            found = Span(before.start, before.end, span.kind, span.detector)
            names[before.start] = found
            yield found


def _place_behind(
    token: Token, particle: Token, places: dict[int, Span], ends: set[int]
) -> Span | None:
    """``Faizal bin Othman``: what looks like a place, behind a name and its particle."""
    return places.get(token.start) if particle.start - 1 in ends else None


def _belongs(passage: Passage, particle: Token, at: int, ends: set[int]) -> bool:
    """Whether a particle is of the name behind it, and no little word of the sentence."""
    if any(particle.start - end in (1, 2) for end in ends):
        return True
    if particle.fold in _INNER:
        return False
    if particle.text[0].isupper():
        return passage.is_cased and (not passage.starts_sentence(at) or _is_titled(passage, at))
    language = passage.language or "en"
    if language == "en":
        return True
    following = passage.tokens[at - 1 : at]
    beside = bool(following) and following[0].fold in ("van", "von", "de")
    return beside or particle.fold not in little_words().get(language, frozenset())
