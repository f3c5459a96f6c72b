# SPDX-License-Identifier: Apache-2.0
"""Names that their surroundings give away: labels, titles, credentials, salutations, initials."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from deid.text.ideographic_names import ideographic_names
from deid.text.kinds import Kind, Span
from deid.text.passage import Passage, cues
from deid.text.text_dates import is_month
from deid.text.tokens import Token, is_unspaced

_LABELS = (
    (Kind.PHYSICIAN_NAME, "physician label"),
    (Kind.PATIENT_NAME, "patient label"),
    (Kind.NAME, "person label"),
    (Kind.NAME, "letter"),
    (Kind.NAME, "name cue"),
)
# Also abbreviations of medicine, or little words: only before what can hardly be anything else.
_UNSURE_TITLES = frozenset(
    str.split(
        "mr ms pa lt op m pr sr fr hr np rn col rev mw d gen pan don dona sig maj bay "
        "lady lord judge father sister caro cara gr sgt capt κα lek frau drs "
    )
)
_UNSURE_CREDENTIALS = frozenset(str.split("do pa np ma rt pt sr jr ii iii iv rn face dc esq rvs "))
# Labels that also stand in the middle of sentences.
_WEAK_LABELS = frozenset(
    str.split(
        "patient pt name subject son daughter mother father sister brother wife husband "
        "parent partner tech provider doctor physician nurse resident fellow operator "
        "author assistant signed subject radiologist attending surgeon consultant "
        "technologist technician sonographer informed employer teacher interpreter "
        "translator witness guardian spouse contact caregiver gp cc rn alias nee fille "
        "madre padre mere pere nom nome naam imie hasta arzt medico arts врач лаборант "
        "больной пациент больная пациентка мать отец муж жена дочь сын имя nev prezime "
        "ime nume attention regards thanks beste cher caro cara liebe lieber hello hi "
        "dear formerly insured подпись notified patientin paciente paziente pacjent "
        "pacjentka "
    )
)
_MOST_WORDS = 6
_LONGEST_INITIALS = 3
_JOINING = ".,-^'’·・"


def context_spans(passage: Passage) -> Iterator[Span]:
    """Find names by what stands around them."""
    yield from _labelled(passage)
    yield from _titled(passage)
    yield from _with_credentials(passage)
    yield from _in_form(passage)
    yield from ideographic_names(passage)


@cache
def _label_pattern(cue: str) -> re.Pattern[str]:
    phrases = sorted(cues(cue), key=len, reverse=True)
    return re.compile(
        r"(?<![^\W_])(?P<label>" + "|".join(map(re.escape, phrases)) + r")"
        r"(?:\s?\([^()\n]{0,20}\))?(?P<colon>\s*(?:[:：=|]|\s-\s)\s*\n?|\s*[,.]?\s*\n\s*|[\s.]\s*)"
    )


def _labelled(passage: Passage) -> Iterator[Span]:
    starts = {token.start: at for at, token in enumerate(passage.tokens)}
    for kind, cue in _LABELS:
        for match in _label_pattern(cue).finditer(passage.plain):
            at = starts.get(match.end())
            if at is None:
                continue
            colon = bool(re.search(r"[:：=|]|\s-\s", match["colon"]))
            broken = "\n" in match["colon"]
            if broken and not colon and cue != "letter":
                continue
            sure = colon or (match["label"] not in _WEAK_LABELS)
            yield from _run(passage, at, kind, sure=sure, labelled=colon)


def _run(passage: Passage, at: int, kind: Kind, *, sure: bool, labelled: bool) -> Iterator[Span]:
    """The words of a name from a place on."""
    taken: list[Token] = []
    for index in range(at, min(at + 4 * _MOST_WORDS, len(passage.tokens))):
        token = passage.tokens[index]
        if token.kind == "mark" and token.text in _JOINING:
            if token.text == "," and not _goes_on(passage, index, taken):
                break
            continue
        if not token.is_word or len(taken) >= _MOST_WORDS or _ends_sentence(passage, index, taken):
            break
        signs = labelled and not taken and token.is_upper and _stands_alone(passage, index)
        if not signs and _is_skippable(token, passage):
            continue
        if not _fits(passage, index, first=not taken, sure=sure, labelled=labelled):
            break
        taken.append(token)
    yield from (Span(token.start, token.end, kind, "context") for token in taken)


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
    return lexicon.is_name(token.fold) or (
        not lexicon.is_known(token.fold) and (not passage.is_cased or token.text[0].isupper())
    )


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
    known = lexicon.is_known(token.fold)
    short = len(token.text) <= _LONGEST_INITIALS
    if labelled and first and token.is_upper and short:
        return not lexicon.is_own(token.fold) or _stands_alone(passage, index)
    if known and not passage.is_cased and short:
        return False
    if token.fold in cues("patient label") and not lexicon.is_name(token.fold):
        return False
    if is_unspaced(token.text):
        return labelled and len(token.text) <= 8
    if not token.text[0].isupper() and token.text.isascii() and passage.is_cased:
        return labelled and first and not known
    return None


def _word_tells(passage: Passage, index: int, *, first: bool, sure: bool, labelled: bool) -> bool:
    """What the lists say of the word and of the next one."""
    token, lexicon = passage.tokens[index], passage.lexicon
    name = lexicon.is_name(token.fold)
    if not lexicon.is_known(token.fold):
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


def _titled(passage: Passage) -> Iterator[Span]:
    for at, token in enumerate(passage.tokens):
        if not token.is_word or token.fold not in cues("title"):
            continue
        after = passage.word_after(at, ".")
        if after is None or passage.tokens[after].start - token.end > 2:
            continue
        unsure = token.fold in _UNSURE_TITLES
        if unsure and not _may_follow(passage, token, after):
            continue
        kind = Kind.PHYSICIAN_NAME if token.fold in ("dr", "prof", "doctor") else Kind.NAME
        following = passage.tokens[after]
        if _is_titled_word(passage, after) and not unsure:
            yield Span(following.start, following.end, kind, "context")
            yield from _run(passage, after + 1, kind, sure=False, labelled=False)
        else:
            yield from _run(passage, after, kind, sure=not unsure, labelled=False)


def _may_follow(passage: Passage, title: Token, after: int) -> bool:
    """Whether ``MR`` or ``Ms`` is a title here and no modality or disease."""
    token, lexicon = passage.tokens[after], passage.lexicon
    if after in passage.protected:
        return False
    if title.text in ("Mr", "Ms", "Frau", "Lady", "Lord", "Sr", "Fr", "Hr", "Pan", "Don"):
        return token.text[0].isupper() and not (
            lexicon.is_clinical(token.fold) and not lexicon.is_name(token.fold)
        )
    return (
        not lexicon.is_known(token.fold)
        and not token.text.isdigit()
        and (lexicon.is_name(token.fold) or token.is_capital or not passage.is_cased)
        and len(token.text) > 2
    )


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


def _with_credentials(passage: Passage) -> Iterator[Span]:
    """``Jane Q. Doe, MD, PhD``."""
    pattern = re.compile(
        r"(?<=[^\W\d_.])[,]?\s(?:m\.?d|d\.o|ph\.?d|mbbs|mbchb|frcr|frcp|frcs|frcpc|facr|facs|facc|"
        r"dnb|dmrd|bsn|pa-c|dds|dmd|dpm|crnp|fnp|aprn|rdms|rvt|rdcs|cnmt|arrt|do|np|rn|rt\(r\)|"
        r"r\.t)\b\.?(?!\s?-)"
    )
    ends = {token.end: at for at, token in enumerate(passage.tokens)}
    for match in pattern.finditer(passage.plain):
        written = match.group().strip(" ,.").lower()
        written_text = passage.text[match.start() : match.end()].strip(" ,.")
        if written in _UNSURE_CREDENTIALS and (not written_text.isupper() or "," not in match[0]):
            continue
        at = ends.get(match.start())
        if at is not None:
            yield from _run_before(passage, at)


def _run_before(passage: Passage, at: int) -> Iterator[Span]:
    count = 0
    for index in range(at, max(-1, at - 10), -1):
        token = passage.tokens[index]
        if token.kind == "mark" and token.text in ".,-'":
            continue
        if not token.is_word or count >= 4 or token.fold in cues("title"):
            return
        if token.fold in cues("particle") and token.text.islower():
            continue
        if token.fold in cues("credential"):
            continue
        known = passage.lexicon.is_known(token.fold) and not passage.lexicon.is_name(token.fold)
        if known and (not passage.is_cased or not token.is_capital or count > 1):
            return
        if passage.is_cased and token.text.islower():
            return
        count += 1
        yield Span(token.start, token.end, Kind.PHYSICIAN_NAME, "context")


def _in_form(passage: Passage) -> Iterator[Span]:
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
                yield from _run(passage, after + 1, Kind.NAME, sure=False, labelled=False)


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
    unknown = not lexicon.is_known(one.fold) or not lexicon.is_known(other.fold)
    if between == ",":
        return (
            unknown
            and lexicon.is_given(other.fold)
            and (lexicon.is_family(one.fold) or not lexicon.is_known(one.fold))
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
    if passage.is_cased and not token.text[0].isupper() and token.text.isascii():
        return False
    if len(token.text) == 1:
        return True
    if lexicon.is_clinical(token.fold) and not lexicon.is_name(token.fold):
        return False
    return token.fold not in cues("credential")
