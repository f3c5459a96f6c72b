# SPDX-License-Identifier: Apache-2.0
"""The words of a name from a place on, behind a label or a title."""

from __future__ import annotations

import re
from collections.abc import Iterator

from deid.text.cue_words import cues, is_little_word
from deid.text.kinds import Kind, Span
from deid.text.months import is_month
from deid.text.passage import Passage
from deid.text.tokens import Token, is_ideographic, is_unspaced

_ROLES = (
    "title", "credential", "patient label", "physician label", "person label", "letter",
    "name cue", "institution after", "role",
)  # fmt: skip
# The next column of a table, or what is to be done.
_FORM_WORDS = frozenset(
    str.split(
        "dob mrn exam age sex id date ward unit bed room call tel phone fax ok left right prior "
        "post pre stat re nhs ssn "
        "taj oib amka αμκα nass pesel bsn cpf nif dni hetu cpr egn rut cuil nhc ipp nip hn gfr "
        "acc accession "
        "geb geburtsdatum rückfragen ruckfragen ext dect poste tlf tfno"
    )
)
_MOST_WORDS = 6
_LONGEST_INITIALS = 3
_JOINING = ".,-^'’·・"


def name_run(
    passage: Passage, at: int, kind: Kind, *, sure: bool, labelled: bool
) -> Iterator[Span]:
    """The words of a name from a place on."""
    taken: list[Token] = []
    for index in range(at, min(at + 4 * _MOST_WORDS, len(passage.tokens))):
        token = passage.tokens[index]
        if token.kind == "mark" and token.text in _JOINING:
            if token.text == "," and not _goes_on(passage, index, taken):
                break
            continue
        if not token.is_word or _ends_run(passage, index, taken):
            break
        signs = labelled and not taken and token.is_upper and _stands_alone(passage, index)
        relative = not (labelled or taken) and _is_relative(token, passage)
        if not signs and (relative or _is_skippable(token, passage)):
            continue
        if taken and _is_middle_initial(passage, index):
            taken.append(token)
            continue
        if _goes_beyond(passage, index, taken) or not _fits(
            passage, index, first=not taken, sure=sure, labelled=labelled
        ):
            break
        taken.append(token)
    yield from (Span(token.start, token.end, kind, "context") for token in taken)


def _ends_run(passage: Passage, index: int, taken: list[Token]) -> bool:
    """Whether no further word can be of the name: enough of them, a full stop, the next column."""
    if len(taken) >= _MOST_WORDS or _ends_sentence(passage, index, taken):
        return True
    return bool(taken) and _is_next_column(passage, index)


def _goes_beyond(passage: Passage, index: int, taken: list[Token]) -> bool:
    """Whether it is a label, a little word, a department or a role behind the name."""
    token = passage.tokens[index]
    if token.fold in _FORM_WORDS:
        return True
    if not taken:
        return False
    department = passage.is_cased and _is_department(token, passage)
    role = is_role(token) and not passage.lexicon.is_name(token.fold)
    return department or role or is_little_word(token.fold)


def _is_next_column(passage: Passage, at: int) -> bool:
    """``Hafsa Warsame  Scan date``: a gap of spaces before a word that is no name."""
    token = passage.tokens[at]
    gap = passage.text[max(0, token.start - 2) : token.start] == "  "
    return (
        gap and passage.lexicon.is_known(token.fold) and not passage.lexicon.is_family(token.fold)
    )


def _is_middle_initial(passage: Passage, at: int) -> bool:
    """``CARLOS A MENDOZA``."""
    after = passage.word_after(at, "")
    letter = len(passage.tokens[at].text) == 1 and passage.tokens[at].text.isupper()
    return letter and after is not None and passage.lexicon.is_name(passage.tokens[after].fold)


def _is_department(token: Token, passage: Passage) -> bool:
    """``Stephen in IR``."""
    return (
        token.is_upper
        and len(token.text) <= _LONGEST_INITIALS
        and (passage.lexicon.is_known(token.fold))
    )


def _ends_sentence(passage: Passage, index: int, taken: list[Token]) -> bool:
    """Whether a full stop behind a whole word lies before this word."""
    if not taken or len(taken[-1].text) < 3 or index < 1:
        return False
    before = passage.tokens[index - 1]
    return before.kind == "mark" and before.text == "." and taken[-1].end == before.start


def _goes_on(passage: Passage, comma: int, taken: list[Token]) -> bool:
    """Whether the words behind a comma still are of the name: ``Smith, John``."""
    after = passage.word_after(comma)
    if after is None or len(taken) > 3:
        return False
    token, lexicon = passage.tokens[after], passage.lexicon
    if token.fold in cues("credential"):
        return False
    if not passage.is_cased and lexicon.is_common(token.fold):
        return False
    return lexicon.is_name(token.fold) or (
        not lexicon.is_known(token.fold) and (not passage.is_cased or token.text[0].isupper())
    )


def _is_relative(token: Token, passage: Passage) -> bool:
    """``NOK DAUGHTER PAULINE``: whose name it is, before the name."""
    lexicon = passage.lexicon
    return token.fold in cues("relative") and not lexicon.is_name(token.fold)


def _is_skippable(token: Token, passage: Passage) -> bool:
    if token.fold in cues("title") or token.fold in cues("particle"):
        return True
    return token.fold in cues("credential") and not passage.lexicon.is_name(token.fold)


def _fits(passage: Passage, index: int, *, first: bool, sure: bool, labelled: bool) -> bool:
    """Whether a word can be (the next) part of a name, by what rules it in or out first."""
    if index in passage.protected or _is_label(passage, index):
        return False
    sign = _form_tells(passage, index, first=first, labelled=labelled)
    if sign is not None:
        return sign
    return _word_tells(passage, index, first=first, sure=sure, labelled=labelled)


def _form_tells(passage: Passage, index: int, *, first: bool, labelled: bool) -> bool | None:
    """What length, script and capitals say; ``None`` where they say nothing."""
    token, lexicon = passage.tokens[index], passage.lexicon
    known = passage.is_known(index)
    short = len(token.text) <= _LONGEST_INITIALS
    if labelled and first and token.is_upper and short:
        return not lexicon.is_own(token.fold) or _stands_alone(passage, index)
    if known and not passage.is_cased and short:
        return False
    if token.fold in cues("patient label") and not lexicon.is_name(token.fold):
        return False
    if is_ideographic(token.text):
        return _is_ideographic_name(token, first=first, labelled=labelled)
    if token.text.islower() and passage.is_cased:
        return labelled and first and not known
    return None


def _is_ideographic_name(token: Token, *, first: bool, labelled: bool) -> bool:
    """Han, kana, Thai behind a label; of Hangul one or two words, a name and a particle."""
    if is_unspaced(token.text):
        return labelled and len(token.text) <= 8
    return labelled or (first and len(token.text) <= 5)


def _word_tells(passage: Passage, index: int, *, first: bool, sure: bool, labelled: bool) -> bool:
    """What the lists say of the word and of the next one."""
    token, lexicon = passage.tokens[index], passage.lexicon
    name = lexicon.is_name(token.fold)
    if not passage.is_known(index):
        return _is_long_enough(token, labelled) and (sure or name or token.is_capital)
    if name:
        common = lexicon.is_common(token.fold) and not passage.is_cased
        return sure or not (common or lexicon.is_clinical(token.fold))
    if lexicon.is_clinical(token.fold) and not (labelled and _next_is_name(passage, index)):
        return False
    return (token.is_capital or not passage.is_cased) and (
        (not first and token.is_capital) or (sure and _next_is_name(passage, index))
    )


def _stands_alone(passage: Passage, index: int) -> bool:
    """Whether no further word follows: initials that sign."""
    following = passage.tokens[index + 1 : index + 2]
    return not following or not following[0].is_word or is_month(following[0].fold)


def _is_long_enough(token: Token, labelled: bool) -> bool:
    return len(token.text) > 1 or labelled or token.text.isupper()


def _next_is_name(passage: Passage, index: int) -> bool:
    after = passage.word_after(index, "-.,^")
    if after is None:
        return False
    token, lexicon = passage.tokens[after], passage.lexicon
    if len(token.text) == 1:
        return token.text.isupper()
    return lexicon.is_name(token.fold) or (
        not lexicon.is_known(token.fold) and (token.text[0].isupper() or not passage.is_cased)
    )


def _is_label(passage: Passage, index: int) -> bool:
    """Whether a colon follows the word: the next field of a form."""
    token = passage.tokens[index]
    return re.match(r"[ ]?[:：=]", passage.text[token.end : token.end + 2]) is not None


def is_role(token: Token) -> bool:
    """Whether the word says what somebody is, not who."""
    return any(token.fold in cues(cue) for cue in _ROLES)
