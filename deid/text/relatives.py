# SPDX-License-Identifier: Apache-2.0
"""Names behind a word for who somebody is: ``his daughter Asir``, ``Nurse Pain administered``."""

from __future__ import annotations

from collections.abc import Iterator

from deid.text.cue_words import cues, is_little_word
from deid.text.kinds import Kind, Span
from deid.text.lexicon import english_words, word_beginnings
from deid.text.name_runs import is_role
from deid.text.passage import Passage
from deid.text.tokens import Token

_SHORTEST = 3
_HUMAN = frozenset(
    str.split(
        "reports reported denies denied complains complained presented attended attends came lives "
        "lived tolerated states stated says said told fell tripped underwent refused declined "
        "wants "
        "wanted asked asks agreed agrees arrived walked walks ate smokes smoked hopes feels felt "
        "scored "
        "coughed weighs took returned worked prefers consented speaks spoke thinks "
        "phoned rang emailed texted drove swallowed twisted injured slept woke cried laughed "
        "remembers recalls recovered"
    )
)
_TITLES = frozenset(str.split("nurse matron chaplain sister"))
_OWNERS = frozenset(
    str.split(
        "his her my their our your the patient's pt's die der ihre ihr sein seine seiner ihrer "
        "ihrem "
        "seinem unsere sa son ses ma mon leur su sus mi la il suo sua mia a o sua seu haar zijn "
        "mijn "
        "jego jej hans hennes hendes min"
    )
)


def relatives(passage: Passage) -> Iterator[Span]:
    """No everyday word, or not a new start."""
    for at, token in enumerate(passage.tokens):
        if not token.is_word or token.fold not in cues("relative"):
            continue
        after = _named(passage, at)
        if after is not None and _is_named(passage, token, after):
            name = passage.tokens[after]
            yield Span(name.start, name.end, Kind.NAME, "context")
            yield from _and_another(passage, after)


def acting(passage: Passage) -> Iterator[Span]:
    """``Grace scored 140``, ``Hope hopes``: a name that is a word, and does what only people do."""
    if not passage.is_cased:
        return
    for at, token in enumerate(passage.tokens):
        if not token.is_word or token.fold not in _HUMAN or not token.text.islower():
            continue
        before = passage.word_before(at, "")
        if before is None or before in passage.protected or not passage.starts_sentence(before):
            continue
        name, lexicon = passage.tokens[before], passage.lexicon
        known = lexicon.is_own(name.fold) or is_role(name) or is_little_word(name.fold)
        related = name.fold in cues("relative") or name.fold in cues("title")
        if name.is_capital and lexicon.is_name(name.fold) and not known and not related:
            yield Span(name.start, name.end, Kind.NAME, "context")


def _named(passage: Passage, at: int) -> int | None:
    """The word behind, also behind a comma or in brackets: ``her niece, Philippa``."""
    after = passage.word_after(at, "")
    if after is not None:
        return after
    after = passage.word_after(at, ",(")
    if after is None or at == 0:
        return None
    owned = passage.tokens[at - 1].fold in _OWNERS or passage.tokens[at - 1].possessive
    name = passage.tokens[after]
    listed = passage.lexicon.is_name(name.fold) or not passage.is_known(after)
    return after if owned and listed and name.is_capital and not is_role(name) else None


def _is_named(passage: Passage, token: Token, after: int) -> bool:
    name = passage.tokens[after]
    if after in passage.protected or is_role(name):
        return False
    if not passage.is_cased:
        return _is_named_in_note(passage, name)
    if not name.is_capital or len(name.text) < _SHORTEST or is_little_word(name.fold):
        return False
    lexicon = passage.lexicon
    headed = token.is_capital and _is_heading(passage, after)
    if lexicon.is_name(name.fold):
        return not headed or not passage.is_known(after)
    titled = token.is_capital and token.fold in _TITLES
    small = token.text.islower() and passage.language == "en" and not lexicon.is_own(name.fold)
    if not headed and (titled or small):
        return True
    english = passage.language in ("en", None)
    return name.fold not in english_words() if english else not passage.is_known(after)


def _is_named_in_note(passage: Passage, name: Token) -> bool:
    """``STUDENT PARIS``: where capitals tell nothing, a listed name or place that is no word."""
    lexicon = passage.lexicon
    listed = lexicon.is_name(name.fold) or lexicon.is_place(name.fold)
    unheard = len(name.text) > _SHORTEST + 1 and name.fold not in word_beginnings()
    return (listed or unheard) and len(name.text) >= _SHORTEST and not lexicon.is_known(name.fold)


def _and_another(passage: Passage, at: int) -> Iterator[Span]:
    """``twins Arlo and Juniper``: the second of two."""
    joint = passage.word_after(at, "")
    if joint is None or passage.tokens[joint].fold not in ("and", "und", "et", "y", "e", "en", "i"):
        return
    after = passage.word_after(joint, "")
    if after is None:
        return
    name = passage.tokens[after]
    if name.is_capital and not passage.lexicon.is_own(name.fold):
        yield Span(name.start, name.end, Kind.NAME, "context")


def _is_heading(passage: Passage, at: int) -> bool:
    """Whether no word in small letters follows: a form's title rather than a sentence."""
    after = passage.word_after(at, "")
    return after is None or not passage.tokens[after].text.islower()
