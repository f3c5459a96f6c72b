# SPDX-License-Identifier: Apache-2.0
"""Names that have the form of one: ``Smith, John``, ``J. Smith``, ``DOE^JANE``."""

from __future__ import annotations

from collections.abc import Iterator

from deid.text.kinds import Kind, Span
from deid.text.name_runs import name_run
from deid.text.passage import Passage, cues


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
        return (
            unknown and lexicon.is_given(other.fold) and (lexicon.is_family(one.fold) or not known)
        )
    if between not in ("", "-"):
        return False
    first = lexicon.is_given(one.fold) and (
        lexicon.is_family(other.fold) or not lexicon.is_known(other.fold)
    )
    second = lexicon.is_family(one.fold) and lexicon.is_given(other.fold)
    return unknown and (first or second)


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
    name = other if initial_first else one
    if len(name.text) < 2 or passage.lexicon.is_clinical(name.fold):
        return False
    if passage.lexicon.is_common(name.fold) and not passage.lexicon.is_name(name.fold):
        return False
    if not initial_first and passage.lexicon.is_common(name.fold) and between != ",":
        return False
    letter = one if initial_first else other
    stop = passage.text[letter.end : letter.end + 1] == "."
    return letter.text.isupper() and stop and between in ((".",) if initial_first else ("", ","))


def _may_be_name(passage: Passage, at: int) -> bool:
    token, lexicon = passage.tokens[at], passage.lexicon
    if passage.is_cased and token.text.islower():
        return False
    if len(token.text) == 1:
        return True
    if lexicon.is_clinical(token.fold) and not lexicon.is_name(token.fold):
        return False
    if _is_opening(passage, at):
        return False
    return token.fold not in cues("credential") and token.fold not in cues("title")


def _is_opening(passage: Passage, at: int) -> bool:
    """Whether it opens a sentence as what is said of the name: ``Dear``, ``Hasta``, ``Per``."""
    token = passage.tokens[at]
    if not passage.starts_sentence(at):
        return False
    if token.fold == "child":
        return True
    roles = ("patient label", "letter", "title", "person label", "name cue")
    return any(token.fold in cues(cue) for cue in roles)
