# SPDX-License-Identifier: Apache-2.0
"""Those who sign with initials or an account, and those who close a letter."""

from __future__ import annotations

import re
from collections.abc import Iterator

from deid.text.cue_words import cues, is_little_word
from deid.text.kinds import Kind, Span
from deid.text.passage import Passage

_ROLE = (
    r"[Tt]ech(?:nologist|nician)?|[Ss]onographer|[Rr]adiographer|[Nn]urse|[Rr]eader|MTRA?|"
    r"TECH(?:NOLOGIST)?|[Oo]perator|[Ii]nitials"
)
_SIGNED = re.compile(rf"(?<!\w)(?:{_ROLE})\s(?P<initials>[A-Z]{{2,3}})(?=\s*(?:[:,.;/)\n]|$))")
_TIMED = re.compile(
    r"(?:\b(?:19|20)\d\d|\d\d?:\d\d|\d{4} ?h(?:rs)?|\d ?(?:[01]\d|2[0-3])[0-5]\d|"
    r"[AaPp]\.?[Mm]\.?)\s"
    r"(?P<initials>[A-Z]{2,3})(?=\s?[:/;]|\s*$)"
)
# Before the day: "ADDENDUM ENDS DJW 1/2/24", "Typed: 19 Nov 23 / lcw", "--JPW 3/30/24".
_BEFORE_DAY = re.compile(
    r"(?:(?<=[\w.] )|(?<=--)|(?<=[-–—] ))(?P<initials>[A-Z]{2,3})"
    r"(?= \d{1,2}(?:/\d{1,2}(?:/\d{2,4})?|[.-]\d{1,2}[.-]\d{2,4})(?![\d]))"
)
_AFTER_DAY = re.compile(r"\d{2,4}\s?/\s?(?P<initials>[a-z]{2,4}|[A-Z]{2,4})\s*$")
# "PO Box 1127, Kununurra. 19.6.23 vm"
_BEHIND_DATE = re.compile(
    r"\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d{2}) (?P<initials>[a-z]{2,3}|[A-Z]{2,3})\s*$"
)
_DASHED = re.compile(r"\s[-–—](?P<initials>[a-z]{2,3}|[A-Z]{2,3})\s*$")
# Who dictated, who typed: "D&T: ZL/hb".
_TYPED = re.compile(
    r"\b(?:[Tt]yped|TYPED|[Dd]ictated|[Tt]ranscribed|[Pp]roofed)(?: by)?:? "
    r"(?P<initials>[A-Z]{2,3})(?![\w-])"
)
# Whatever the letters mean elsewhere: "Read by BTK, copy to".
_READ_BY = re.compile(
    r"\b(?:[Rr]ead|[Rr]eported|[Cc]hecked|[Ss]igned|[Vv]erified|[Aa]pproved|[Dd]ictated) by "
    r"(?!(?:CT|MR|MRI|US|PET|AI|GP|ED|ER|OT|PT|RIS|PACS|QC|QA|IT)\b)(?P<initials>[A-Z]{2,3})"
    r"(?=\s*(?:[,.;)\n]|$))"
)
# With the day between: "transcribed 2024-03-20 mb".
_TYPED_ON = re.compile(
    r"\b(?:[Tt]yped|TYPED|[Dd]ictated|DICTATED|[Tt]ranscribed|TRANSCRIBED):? ?\d[\d./-]{5,9} "
    r"(?P<initials>[a-z]{2,3}|[A-Z]{2,3})(?=\s*(?:[.;\n]|$))"
)
# "Precious L., RN"
_GIVEN_AND_INITIAL = re.compile(
    r"(?<!\w)(?P<initials>[A-Z][a-zà-ÿ]{2,} [A-Z])\.?,? "
    r"(?=(?:RN|LPN|LVN|CNA|NP|PA-C|RDMS|CRNA|APRN|RT\(R\)|RRT|CMA)\b)"
)
# "MA. CRISTINA DIMACULANGAN, MD": Maria.
_MARIA = re.compile(
    r"(?<!\w)(?P<initials>M[Aa])\.(?= (?:[A-Z][\w'-]+ ){1,3}[A-Z][\w'-]+\s*(?:,|\n|$))"
)
_TYPIST_LAST = re.compile(r"[.!?)]\s+(?P<initials>[A-Z]{2,3})[/:](?P<typist>[a-z]{2,3})\s*$")
_TYPIST = re.compile(r"(?<![\w/])(?P<initials>[A-Z]{2,3})[/:](?P<typist>[a-z]{2,3})(?![\w/])")
# "Quentin Lapointe M.D./ksw"
_BEHIND_DEGREE = re.compile(r"(?:M\.?D|D\.?O|MBBS)\.?\s?/\s?(?P<initials>[a-z]{2,3})(?=\s|$)")
_CLAUSE = re.compile(r"(?<=[a-z] )(?P<initials>[a-z]{2,3})\s?(?:;|\|)")
# Alone behind the last full stop: "ok to proceed noncon. kjl", "-- kjl".
_LAST = re.compile(
    r"(?:[.!?)\]]\s+|[-–—]{1,2}\s?|//\s?|\n\s*)(?P<initials>[a-z]{2,4}|[A-Z]{2,3})\s*$"
)
_LAST_TWO = re.compile(r"(?<=[^\W\d_]{3})\.\s+(?P<initials>[A-Z]{2})\s*$")
_BY = re.compile(
    r"(?:\b(?:by|per)|(?<!\bw)/)\s(?P<initials>[a-z]{2,3}|[A-Z]{2,3})(?=\s?(?:[,.;)\n]|\d|on\b|at\b|due\b|for\b|today\b|and\b|because\b|after\b|$))"
)
# Both readers in brackets: "(SM, JK)", "[rm/pl]".
_BRACKETED = re.compile(
    r"(?:readers?|observers?|reviewers?|raters?|radiologists|techs?|by)\s?[(\[]"
    r"(?P<initials>[A-Za-z]{2,3}(?:\s?(?:,|/|&|and)\s?[A-Za-z]{2,3}){0,3})[)\]]"
)
# What is done by them, and by nobody.
_CONTRASTS = frozenset(
    str.split("ct mr us mri pet cxr xr iv im po pr pv ng og ir mg nm dsa usg eeg ekg ecg ed er")
)
_NO_INITIALS = frozenset(
    str.split("ok no na nr rt lt bd od po sc id ad md rn do pa np nb aa ap ll rl qa qc dx tx rx hx")
)
_WORD = re.compile(r"[^\W\d_]+")
_CLOSED = re.compile(
    r"(?:regards|sincerely|faithfully|wishes|thanks|thank you|cheers|grüße|grüßen|gruß|grusse|"
    r"cordialement|saludos|saluti|groet(?:en)?|hilsen|hälsningar|ystävällisin terveisin|merci|"
    r"danke|"
    r"bedankt|gracias|grazie|obrigad[oa]|atenciosamente|atentamente|pozdrawiam|lg|mfg|vg|"
    r"sent from my \w+)\s*[,.!]?\s*\n?\s*"
    r"(?P<name>[^\W\d_]{2,}(?:[ \t-][^\W\d_]{2,}){0,2})(?=\s*(?:\n|$|[,.(]))",
    re.IGNORECASE,
)


def signing_spans(passage: Passage) -> Iterator[Span]:
    """``Technologist AB: repeat lateral``, ``ADDENDUM 0930 hrs RJM:``, ``Cheers, Kev``."""
    for signed in (_SIGNED, _TYPED, _TYPED_ON, _READ_BY, _GIVEN_AND_INITIAL, _MARIA):
        for match in signed.finditer(passage.text):
            yield Span(*match.span("initials"), Kind.PHYSICIAN_NAME, "context")
    yield from _last_initials(passage)
    for pattern in (_TIMED, _LAST, _BEFORE_DAY, _AFTER_DAY, _BEHIND_DATE, _CLAUSE, _DASHED, _BY):
        for match in pattern.finditer(passage.text):
            if _may_sign(passage, match["initials"], sure=pattern is _BY, alone=pattern is _DASHED):
                yield Span(*match.span("initials"), Kind.PHYSICIAN_NAME, "context")
    for match in _BEHIND_DEGREE.finditer(passage.text):
        yield Span(*match.span("initials"), Kind.PHYSICIAN_NAME, "context")
    yield from _in_brackets(passage)
    yield from _closing(passage)


def _last_initials(passage: Passage) -> Iterator[Span]:
    """``Rebook after the scan. KT``: two capitals behind the last full stop, be they a unit too."""
    match = _LAST_TWO.search(passage.text)
    if match and match["initials"].lower() not in _CONTRASTS | _NO_INITIALS:
        yield Span(*match.span("initials"), Kind.PHYSICIAN_NAME, "context")


def _in_brackets(passage: Passage) -> Iterator[Span]:
    """Who typed behind who dictated, and several readers in brackets."""
    for match in _TYPIST_LAST.finditer(passage.text):
        yield Span(*match.span("initials"), Kind.PHYSICIAN_NAME, "context")
        yield Span(*match.span("typist"), Kind.PHYSICIAN_NAME, "context")
    for match in _TYPIST.finditer(passage.text):
        if _may_sign(passage, match["initials"], sure=False, alone=False):
            yield Span(*match.span(), Kind.PHYSICIAN_NAME, "context")
    for match in _BRACKETED.finditer(passage.text):
        at = match.start("initials")
        for word in _WORD.finditer(match["initials"]):
            if word.group() != "and":
                yield Span(at + word.start(), at + word.end(), Kind.PHYSICIAN_NAME, "context")


def _may_sign(passage: Passage, initials: str, *, sure: bool, alone: bool) -> bool:
    fold = initials.lower()
    if is_little_word(fold) or fold in _CONTRASTS:
        return False
    if alone:
        return True
    if sure and initials.islower():
        return not passage.lexicon.is_common(fold)
    if initials.isupper() and passage.is_cased:
        return not passage.lexicon.is_own(fold)
    return not passage.lexicon.is_known(fold)


def _closing(passage: Passage) -> Iterator[Span]:
    """The words that end a letter, be they words too: ``Kind regards,``, then ``Dawn``."""
    for match in _CLOSED.finditer(passage.text):
        words = list(_WORD.finditer(match["name"]))
        if words and words[0].group().lower() in cues("title"):
            continue  # what stands behind a title is found by it
        folds = [word.group().lower() for word in words]
        written = all(word.group()[0].isupper() for word in words) or not passage.is_cased
        lexicon = passage.lexicon
        spoken = any(is_little_word(fold) or fold in cues("letter") for fold in folds)
        if (
            not written
            or spoken
            or any(lexicon.is_own(f) and not lexicon.is_name(f) for f in folds)
        ):
            continue
        if not passage.is_cased and any(lexicon.is_common(fold) for fold in folds):
            continue
        yield Span(*match.span("name"), Kind.NAME, "context")
