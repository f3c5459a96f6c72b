# SPDX-License-Identifier: Apache-2.0
"""Words that say what stands beside them: labels, titles, heads, and the little words."""

from __future__ import annotations

from functools import cache

from deid.text.folding import aligned
from deid.text.languages import little_words
from deid.text.lexicon import table


@cache
def cues(cue: str) -> frozenset[str]:
    """The phrases of a kind of cue, in small letters without accents."""
    rows = (row for row in table("cues") if row["cue"] == cue)
    return frozenset(aligned(phrase) for row in rows for phrase in row["phrases"].split("|"))


ENGLISH = frozenset(
    str.split(
        "the of and is with for was were are be this that from on at by to not has have "
        "no there which "
    )
)
# Little words of English and of others.
SHARED = ENGLISH | frozenset(str.split("a an in i as so on no me do must am war "))
BORROWED = frozenset(str.split("no on was is of at that not"))
_LITTLE = frozenset(
    str.split(
        "a an in i as so or if but who whom whose will would may can could should must "
        "do does did had he she they we you it its his her their our your when where why "
        "also then than into over under after before about per via re up out off all any "
        "both each other another same new old first last "
    )
)


def is_little_word(fold: str) -> bool:
    """Whether it is a little word of English or of another language: an article, a preposition."""
    return fold in ENGLISH or fold in other_little_words() or fold in _LITTLE


@cache
def other_little_words() -> frozenset[str]:
    """Little words of other languages that English does not have."""
    return frozenset(word for words in little_words().values() for word in words) - SHARED
