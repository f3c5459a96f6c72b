# SPDX-License-Identifier: Apache-2.0
"""Names that their surroundings give away: labels, titles, credentials, salutations, initials."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from deid.text.cue_words import cues
from deid.text.ideographic_names import ideographic_names
from deid.text.kinds import Kind, Span
from deid.text.name_forms import names_in_form
from deid.text.name_runs import name_run
from deid.text.passage import Passage
from deid.text.relatives import acting, relatives
from deid.text.signing import signing_spans
from deid.text.titles import titled_names

_LABELS = (
    (Kind.PHYSICIAN_NAME, "physician label"),
    (Kind.PATIENT_NAME, "patient label"),
    (Kind.NAME, "person label"),
    (Kind.NAME, "letter"),
    (Kind.NAME, "name cue"),
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
        "pacjentka doente utente pasient baby "
    )
)


def context_spans(passage: Passage) -> Iterator[Span]:
    """Find names by what stands around them."""
    yield from _labelled(passage)
    yield from relatives(passage)
    yield from acting(passage)
    yield from signing_spans(passage)
    yield from titled_names(passage)
    yield from _with_credentials(passage)
    yield from names_in_form(passage)
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
            if not colon and ((broken and cue != "letter") or len(match["label"]) == 1):
                continue
            sure = colon or (match["label"] not in _WEAK_LABELS)
            yield from name_run(passage, at, kind, sure=sure, labelled=colon)


def _with_credentials(passage: Passage) -> Iterator[Span]:
    """``Jane Q. Doe, MD, PhD``."""
    pattern = re.compile(
        r"(?<=[^\W\d_.])[,]?\s(?:m\.?d|d\.o|ph\.?d|mbbs|mbchb|frcr|frcp|frcs|frcpc|facr|facs|facc|"
        r"dnb|dmrd|bsn|pa-c|fnp-c|fnp-bc|agnp|acnp|crna|dnp|msn|frcpath|mrcs|ffrrcsi|fmh|dabr|rt\(r\)\(ct\)|rt\(ct\)|rt\(mr\)|dds|dmd|dpm|crnp|fnp|aprn|rdms|rvt|rdcs|cnmt|arrt|do|np|rn|rt\(r\)|"
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
