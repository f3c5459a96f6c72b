# SPDX-License-Identifier: Apache-2.0
"""Ages above 89, which are rare enough to tell who somebody is."""

from __future__ import annotations

import re
from collections.abc import Iterator

from deid.text.kinds import Kind, Span

_AGE = re.compile(
    r"(?<![\d.])(?P<age>9\d|1[0-2]\d)(?=\s?-?\s?(?:years?|yrs?|y/?o|y\b|yo|jahre|jahrige|jahriger|"
    r"jahr|ans|anos|anni|jaar|jarige|lat|ar\b|let\b|rok|godin|eves|vuotia|ετων|yasin|ani\b|лет|года|летн|歳|岁|歲|세)(?:[\s\-.,;)]|old|oid|[fm]\b|$|[^\W\d_]))"
)
# "92F", "94 M": in small letters or as a temperature it is none.
_AGE_AND_SEX = re.compile(
    r"(?<![\d.,/\-])(?<![Tt] )(?<![Tt]emp )(?<!of )(?P<age>9\d|"
    r"1[01]\d)(?=\s?/?\s?[MFmf](?![\w'°]))(?![\d.])"
)
_AGED = re.compile(
    r"(?<![^\W_])(?:age|aged|alter|edad|eta|idade|возраст|leeftijd|alder|ika|vek|wiek|lat|yas|varsta|ηλικια|年齢|年龄)\s*[:：]?\s*(?P<age>9\d|1[0-2]\d)(?!\d)"
)
# "She turned 91 in March", "he'll be 93", "is mother 94."; no rate, weight, pressure or saturation.
_WHO = (
    r"(?:s?he|pt|patient|who|lady|gentleman|m[ae]n|wom[ae]n|wife|husband|mother|father|mum|mom|dad|"
    r"sister|brother|aunt|uncle|neighbou?r|widow(?:er)?|resident|sie|er|patientin|elle|il|ella)"
)
_BEING = (
    r"(?:'s|'ll be| is| was| will be| would be|'d be| wird| ist| war| aura| tiene| cumple|"
    r" cumplio| turns| has turned| just turned| turned)"
)
_TOLD = re.compile(
    rf"(?<![^\W_])(?:{_WHO}{_BEING}(?: now| almost| nearly| already| only| soon| about| just)?|"
    r"(?:widow(?:ed|er)?|retired|divorced|single|married),|"
    r"(?:turn(?:s|ed|ing)|celebrated (?:his|her)|(?:his|her))) (?P<age>9\d|1[01]\d)"
    r"(?=(?:st|nd|rd|th)? ?(?:[.;,!?)]|$|\n|and\b|but\b|so\b|in\b|next\b|this\b|last\b|on the\b|"
    r"now\b|today\b|tomorrow\b|with\b|lives?\b|still\b|birthday\b|when\b))(?![.,]\d)"
)
_IN_WORDS = re.compile(
    r"(?<![^\W_])(?P<age>(?:ninety(?:[ -](?:one|two|three|four|five|six|seven|eight|nine))?|"
    r"(?:a|one) hundred(?:[ -](?:and[ -])?(?:one|two|three|four|five|six|seven|eight|nine|ten))?))"
    r"(?=[ -]years?(?:[ -]olds?\b| of age))"
)
_CAPPED_AGE = "90"


def high_ages(text: str, plain: str) -> Iterator[Span]:
    """Ages above 89, to be told as 90, the cap that headers have (45 CFR 164.514(b)(2)(i)(C)).

    Parameters
    ----------
    text:
        As written.
    plain:
        The same in small letters without accents, as long.
    """
    for pattern, where in (
        (_AGE_AND_SEX, text),
        (_AGE, plain),
        (_AGED, plain),
        (_TOLD, plain),
        (_IN_WORDS, plain),
    ):
        for match in pattern.finditer(where):
            yield Span(*match.span("age"), Kind.AGE, "pattern", _CAPPED_AGE)
