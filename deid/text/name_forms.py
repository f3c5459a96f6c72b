# SPDX-License-Identifier: Apache-2.0
"""Names that have the form of one: ``Smith, John``, ``J. Smith``, ``DOE^JANE``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from deid.text.cue_words import cues, is_little_word
from deid.text.kinds import Kind, Span
from deid.text.name_runs import is_role, name_run
from deid.text.passage import Passage
from deid.text.tokens import Token

_LONGEST_INITIALS = 3
# A number's name rather than a person's initials: "H.C. 771-20-4", "C.F. SCG…".
_LABEL = re.compile(r"[A-Z]\.[A-Z]\.? ?[:#]? ?(?:[\d#№]|[A-Z]{3,}\d)")
_DEGREE = re.compile(r"(?:M\.D|D\.O|R\.N|R\.T|P\.A|N\.P|B\.Sc|B\.S)\b\.?")
# In notes in small letters: what is asked for, not whose it is.
_NO_START = frozenset(
    str.split(
        "prior post fall pain per call pls ok see ask tell re fu hx new old prev left right pt"
    )
)


def names_in_form(passage: Passage) -> Iterator[Span]:
    """``Smith, John``, ``J. Smith``, ``John Smith``, ``DOE^JANE``."""
    for at, token in enumerate(passage.tokens):
        if not token.is_word or at in passage.protected:
            continue
        after = passage.word_after(at, "-,.^'")
        if after is None or after in passage.protected:
            continue
        between = "".join(t.text for t in passage.tokens[at + 1 : after])
        if _is_pair(passage, at, after, between):
            for index in (at, after):
                found = passage.tokens[index]
                yield Span(found.start, found.end, Kind.NAME, "context")
            if not _sentence_ends(passage, after):
                yield from name_run(passage, after + 1, Kind.NAME, sure=False, labelled=False)


def _sentence_ends(passage: Passage, at: int) -> bool:
    following = passage.tokens[at + 1 : at + 2]
    return not following or following[0].text in ".,;" or following[0].kind == "line"


def _is_pair(passage: Passage, at: int, after: int, between: str) -> bool:
    one, other, lexicon = passage.tokens[at], passage.tokens[after], passage.lexicon
    if between == "^":
        return _is_caret_name(passage, at, after)
    if not (_may_be_name(passage, at) and _may_be_name(passage, after)):
        return False
    if len(one.text) == 1 or len(other.text) == 1:
        return _is_initial_pair(passage, at, after, between)
    known = passage.is_known(at)
    unknown = not known or not passage.is_known(after)
    if between == ",":
        return _is_listed_pair(passage, at, after, unknown=unknown)
    first = lexicon.is_given(one.fold) and (
        lexicon.is_family(other.fold) or not passage.is_known(after)
    )
    second = lexicon.is_family(one.fold) and lexicon.is_given(other.fold)
    paired = (unknown and (first or second)) or _is_first_and_last(passage, at, after)
    return paired and between in ("", "-")


def _is_listed_pair(passage: Passage, at: int, after: int, *, unknown: bool) -> bool:
    """``Stokes, Adaobi``: a family name, a comma, a given name, one of them listed."""
    one, other, lexicon = passage.tokens[at], passage.tokens[after], passage.lexicon
    if not unknown:
        # "doe, jane", in a note without capitals.
        small = one.text.islower() and other.text.islower() and not passage.is_cased
        return small and lexicon.is_family(one.fold) and lexicon.is_given(other.fold)
    if lexicon.is_given(other.fold):
        return lexicon.is_family(one.fold) or not passage.is_known(at)
    return (
        lexicon.is_family(one.fold)
        and one.is_capital
        and other.is_capital
        and not passage.is_known(after)
    )


def _is_first_and_last(passage: Passage, at: int, after: int) -> bool:
    """``Penny Cross swallowed``: words both, yet a given and a family name before a verb."""
    one, other, lexicon = passage.tokens[at], passage.tokens[after], passage.lexicon
    if not passage.is_cased:
        # "knee xr bob smith pain"
        listed = lexicon.is_given(one.fold) and lexicon.is_family(other.fold)
        return listed and len(one.text) > 2 and len(other.text) > 2
    if not (one.is_capital and other.is_capital):
        return False
    if not (lexicon.is_given(one.fold) and lexicon.is_family(other.fold)):
        return False
    if lexicon.is_own(one.fold) or is_role(one) or is_role(other):
        return False
    following = passage.word_after(after, "")
    return following is not None and passage.tokens[following].text.islower()


def _is_caret_name(passage: Passage, at: int, after: int) -> bool:
    """``Doe^Jane``, but not ``Abdomen^Routine``, as scanners write programs."""
    lexicon = passage.lexicon
    folds = [passage.tokens[index].fold for index in (at, after)]
    if any(lexicon.is_own(fold) for fold in folds):
        return False
    return any(lexicon.is_name(fold) or not lexicon.is_known(fold) for fold in folds)


def _is_initial_pair(passage: Passage, at: int, after: int, between: str) -> bool:
    """A capital letter with a full stop beside a name: ``J. Smith``, ``Smith, J.``."""
    one, other = passage.tokens[at], passage.tokens[after]
    initial_first = len(one.text) == 1
    name, letter = (other, one) if initial_first else (one, other)
    monsieur = initial_first and one.text == "M" and passage.language == "fr"
    if monsieur or _LABEL.match(passage.text, letter.start):
        return False
    if not initial_first and _DEGREE.match(passage.text, letter.start):
        return False
    if initial_first and between == "." and other.start - one.end == 1:
        # "M.VELD": no space parts them, as no sentence would.
        return one.text.isupper() and _is_run_together(passage, name)
    surely = initial_first or between == ","
    if not _may_have_initial(passage, name, surely=surely):
        return False
    stop = passage.text[letter.end : letter.end + 1] == "."
    return letter.text.isupper() and stop and between in ((".",) if initial_first else ("", ","))


def _may_have_initial(passage: Passage, name: Token, *, surely: bool) -> bool:
    """Whether a word beside an initial is no word of a sentence."""
    lexicon = passage.lexicon
    if len(name.text) < 2 or lexicon.is_clinical(name.fold):
        return False
    return not lexicon.is_common(name.fold) or (surely and lexicon.is_name(name.fold))


def _is_run_together(passage: Passage, name: Token) -> bool:
    long = len(name.text) > _LONGEST_INITIALS and name.text[0].isupper()
    return long and not passage.lexicon.is_own(name.fold)


def _may_be_name(passage: Passage, at: int) -> bool:
    token, lexicon = passage.tokens[at], passage.lexicon
    if passage.is_cased and token.text.islower():
        return False
    if len(token.text) == 1:
        return True
    little = is_little_word(token.fold) or token.fold in _NO_START or lexicon.is_own(token.fold)
    if not passage.is_cased and little:
        return False
    clinical = lexicon.is_clinical(token.fold) and not lexicon.is_name(token.fold)
    if clinical or _is_opening(passage, at):
        return False
    return token.fold not in cues("credential") and token.fold not in cues("title")


def _is_opening(passage: Passage, at: int) -> bool:
    """Whether it opens a sentence as what is said of the name: ``Dear``, ``Hasta``, ``Per``."""
    token = passage.tokens[at]
    if not passage.starts_sentence(at):
        return False
    if token.fold in ("child", "per"):
        return True
    roles = ("patient label", "letter", "title", "person label", "name cue")
    return any(token.fold in cues(cue) for cue in roles)
