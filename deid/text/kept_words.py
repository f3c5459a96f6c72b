# SPDX-License-Identifier: Apache-2.0
"""Words beside names and numbers: ``Senior Registrar``, ``FRCS (Orth)``, ``PESEL``.

Labels, degrees and roles have capitals as names have, and are in no list of everyday words. What a
detector took for a name there is let go, unless the header itself has the name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

from deid.text.cue_words import cues
from deid.text.kinds import NAMES, Kind, Span
from deid.text.passage import Passage
from deid.text.tokens import Token

# Sure enough that a known name of this spelling is another matter.
_KNOWN = frozenset({"header"})
_WORDS = NAMES | {Kind.PLACE, Kind.INSTITUTION}
_NUMBERED = re.compile(
    r"[.:#№ ]{0,3}(?:n[°ºo.]{0,2}|no\.?|nr\.?|num\.?)?[:#№ ]{0,2}[A-Z]{0,6}[ -]?\d"
)
_LONG_NUMBER = re.compile(r"[.:#№ ]{0,3}(?:[A-Z]{0,3}[ -]?\d(?:[ .-]?[\dA-Z]){4,})(?!\d*[/.-]\d)")
_LABELLED = re.compile(r"\s?(?:/\s?\w+)?\s?[:：=#]")
# What somebody is by profession ends like these, and few names do.
_JOBS = tuple(
    str.split(
        "ologist ologists ographer ographers iatrician iatrist therapist practitioner ologe "
        "ologin ologue "
        "ologo ologa ologia olog oloog ologen ologom"
    )
)
_ACTS = re.compile(
    r"READ ?BACK|(?:READ ?BACK|REPEATED BACK)? ?AND (?:CONFIRMED|VERIFIED|ACKNOWLEDGED)"
)
_SPECIALTY = re.compile(r"\((?:[A-Z][a-z]+|[A-Z]{2,5})(?:(?: ?[&/] ?| and )[A-Z][A-Za-z]+)*\)")
_LABEL_PHRASE = re.compile(
    r"(?:Date|Place|Time) of (?:Birth|Exam(?:ination)?|Study|Scan|Service|Report|Admission|"
    r"Discharge|Referral|Procedure)|Medical Record(?: Number)?|Record Number"
)
_DEGREE_BEFORE = re.compile(r"\b[A-Z][A-Za-z]*[A-Z]\s?$")
_INNER_CAPITAL = re.compile(
    r"([A-Z]{2,}|[A-Z]?[^\W\d_A-Z]+)((?<![A-Z])[A-Z]\w*|(?<=[A-Z])[a-z]+[A-Z]\w*)"
)
_NAME_STARTS = frozenset(
    str.split(
        "mc mac de del della di du da dal la le les lo van von vande vander vanden fitz st san "
        "o d l al el ul "
        "jo ka ki ma mi sha ta te ti ke ja jean je ra ro ab abd ben bin ibn ni nic nig ui bel "
        "ap ten ter "
        "mary ann anna lee rae kay"
    )
)
_WEEKDAYS = frozenset(str.split("monday tuesday wednesday thursday friday saturday sunday"))
_LONGEST_PHRASE = 40
_SURE_LABELS = frozenset(str.split("dob mrn nhs ssn"))
_SHORTEST_DEGREE = 3
_LONGEST_INITIALS = 3
_NEVER = frozenset(("ok", "okay"))
# Behind a number they measure: "3 Tesla", "60 Gray".
UNITS = frozenset(
    str.split(
        "gray grays tesla sievert becquerel curie hounsfield newton joule joules kelvin watt watts "
        "volt volts ampere hertz celsius fahrenheit pascal french charriere gauge"
    )
)
# Abbreviations of medicine that are names in small letters: "due to AKI", "LIMA graft".
_IN_CAPITALS = frozenset(
    str.split(
        "aki sos pau hap cop bos ali lima rima dai alf hus vin ana ace idu cha alt ast lad "
        "sid ama ras cas lis"
    )
)


def without_kept(passage: Passage, spans: Iterable[Span]) -> Iterator[Span]:
    """The spans without those that lie within kept words only; a longer one stays whole."""
    for span in spans:
        may_be_kept = span.kind in _WORDS and span.detector not in _KNOWN
        if not (may_be_kept and _is_kept(passage, span)):
            yield span


def _is_kept(passage: Passage, span: Span) -> bool:
    at = passage.places.get(span.start)
    alone = at is not None and span.end <= passage.tokens[at].end
    if at is not None and alone and (_speaks_for_itself(passage, at) or _is_by_place(passage, at)):
        return True
    start = max(0, span.start - _LONGEST_PHRASE)
    around = passage.text[start : span.end + _LONGEST_PHRASE]
    return any(
        start + first <= span.start and span.end <= start + last for first, last in _phrases(around)
    )


def _phrases(text: str) -> Iterator[tuple[int, int]]:
    """Phrases that are kept as a whole: ``READ BACK AND CONFIRMED``, ``Date of Birth``."""
    for match in _ACTS.finditer(text if "AND" in text or "READ" in text else ""):
        yield match.span()
    for match in _LABEL_PHRASE.finditer(text):
        yield match.span()
    for match in _SPECIALTY.finditer(text if "(" in text else ""):
        if _DEGREE_BEFORE.search(text, max(0, match.start() - 10), match.start()):
            yield match.span()


def _speaks_for_itself(passage: Passage, at: int) -> bool:
    """A word that is no name by its spelling: a profession, a brand, a code."""
    token = passage.tokens[at]
    if token.fold in _NEVER or token.fold.endswith(_JOBS):
        return True
    if token.fold in _IN_CAPITALS and _is_shouted(passage, token):
        return True
    return is_brand(passage, token) or _is_code(passage, token)


def _is_by_place(passage: Passage, at: int) -> bool:
    """A word that is no name where it stands."""
    fold = passage.tokens[at].fold
    if fold in UNITS and at and passage.tokens[at - 1].kind == "number":
        return True
    if fold in _WEEKDAYS and _is_day(passage, at):
        return True
    if fold in cues("vendor") and _is_maker(passage, at):
        return True
    return _is_number_label(passage, at) or _is_degree(passage, at) or _is_role(passage, at)


def _is_maker(passage: Passage, at: int) -> bool:
    """``STRYKER TRIATHLON``: in capitals, and nobody's family name."""
    before = passage.word_before(at, ".,")
    lexicon, fold = passage.lexicon, passage.tokens[at].fold
    if passage.is_cased or lexicon.is_given(fold):
        return False
    if before is None:
        return True
    beside = passage.tokens[before].fold
    return beside not in cues("title") and not lexicon.is_given(beside)


def is_brand(passage: Passage, token: Token) -> bool:
    """``GeneXpert``, ``iCAD``: a capital within, as names have behind ``Mc`` and their like."""
    inner = _INNER_CAPITAL.fullmatch(token.text)
    if inner is None or not token.text.isascii() or passage.lexicon.is_name(token.fold):
        return False
    first, rest = inner[1].lower(), inner[2].lower()
    if first in _NAME_STARTS:
        return False
    return not (passage.lexicon.is_given(first) and passage.lexicon.is_name(rest))


def _is_day(passage: Passage, at: int) -> bool:
    """``from Monday, Jan 15``: behind a word in small letters; not ``Gaither Monday``."""
    before = passage.word_before(at, "")
    small = before is not None and passage.tokens[before].text.islower()
    return small and passage.is_cased and passage.language == "en"


def _is_shouted(passage: Passage, token: Token) -> bool:
    return passage.is_cased and token.is_upper


def _is_code(passage: Passage, token: Token) -> bool:
    """``G2P1``, ``Ki67``: a digit beside one or two letters, with nothing between."""
    beside = (
        passage.text[token.end : token.end + 1]
        + passage.text[max(0, token.start - 1) : token.start]
    )
    return len(token.text) < _SHORTEST_DEGREE and any(map(str.isdigit, beside))


def _is_number_label(passage: Passage, at: int) -> bool:
    """``PESEL 5804…``, ``Tfno. 948``, ``DOB:``; but ``Dictated: CR 02-MAY``."""
    token = passage.tokens[at]
    if token.fold not in cues("number label"):
        return False
    following = passage.text[token.end : token.end + 20]
    if len(token.text) <= _LONGEST_INITIALS:
        signs = at > 0 and passage.tokens[at - 1].text in (":", "/")
        if token.fold in _SURE_LABELS and token.is_upper and not signs:
            return True
        return (
            not signs and (_LONG_NUMBER.match(following) or _LABELLED.match(following)) is not None
        )
    if _NUMBERED.match(following) or _LABELLED.match(following):
        return True
    return token.is_upper and not passage.lexicon.is_name(token.fold) and passage.is_cased


def _is_degree(passage: Passage, at: int) -> bool:
    """``FRCR`` and its like, in capitals; short ones behind a comma only."""
    token = passage.tokens[at]
    if token.fold not in cues("degree") or token.text.islower() or token.is_capital:
        return False
    if len(token.text) > _SHORTEST_DEGREE and not passage.lexicon.is_name(token.fold):
        return True
    return at > 0 and passage.tokens[at - 1].text in (",", "(", "/")


def _is_role(passage: Passage, at: int) -> bool:
    """A role before a name: ``Senior Registrar Beckett``, ``Nurse Pia``; not ``Mrs Nurse``."""
    token = passage.tokens[at]
    if token.fold not in cues("role before"):
        return False
    before, after = passage.word_before(at, "."), passage.word_after(at, ".")
    if after is None or _is_person(passage, before):
        return False
    following = passage.tokens[after]
    return following.text[0].isupper() and not (token.is_capital and following.text.islower())


def _is_person(passage: Passage, before: int | None) -> bool:
    """Whether the word before makes the role a family name: ``Mr Nurse``, ``Paul Nurse``."""
    if before is None:
        return False
    fold = passage.tokens[before].fold
    if fold in _civil():
        return True
    return passage.lexicon.is_given(fold) and not passage.lexicon.is_known(fold)


@cache
def _civil() -> frozenset[str]:
    return frozenset(str.split("mr mrs ms miss mx herr frau monsieur madame"))
