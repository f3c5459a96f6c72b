# SPDX-License-Identifier: Apache-2.0
"""What the token classifier sees of each word: letter groups by hash, and yes-or-no facts."""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from deid.text.cue_words import cues, is_little_word
from deid.text.months import is_month
from deid.text.passage import Passage
from deid.text.tokens import Token

BUCKETS = 16384
"""Rows of the table of letter groups."""
GROUPS = 24
"""Most letter groups of a word; row 0 stands for none."""
_YEAR = 4

FACTS = [
    "word", "number", "mark", "line", "spaced",
    "capital", "upper", "letter", "lower", "possessive", "protected", "start", "cased", "foreign",
    "common", "clinical", "given", "family", "place", "eponym",
    "title", "label", "credential", "house before", "house after", "number label", "role",
    "relative", "month", "little",
]  # fmt: skip
_KINDS = ("word", "number", "mark", "line")
GIVEN, FAMILY, PLACE = FACTS.index("given"), FACTS.index("family"), FACTS.index("place")
COMMON, CLINICAL, EPONYM = FACTS.index("common"), FACTS.index("clinical"), FACTS.index("eponym")


class Features(NamedTuple):
    """Of a passage of ``n`` tokens.

    Attributes
    ----------
    groups:
        Rows of the letter table, shape (n, ``GROUPS``), int32.
    facts:
        Zeros and ones, shape (n, ``len(FACTS)``), float32.
    """

    groups: npt.NDArray[np.int32]
    facts: npt.NDArray[np.float32]


def features_of(passage: Passage) -> Features:
    """Features of all tokens of a passage."""
    rows = [_facts(passage, at, token) for at, token in enumerate(passage.tokens)]
    groups = np.array([_groups(token.fold, token.kind) for token in passage.tokens], np.int32)
    facts = np.array(rows, np.float32).reshape(len(rows), len(FACTS))
    return Features(groups.reshape(len(rows), GROUPS), facts)


@lru_cache(maxsize=65536)
def _groups(fold: str, kind: str) -> tuple[int, ...]:
    pieces = _letter_groups(fold) if kind == "word" else _number_groups(fold)
    if kind not in ("word", "number"):
        pieces = [kind if kind != "mark" else f"mark {fold}"]
    pieces = list(dict.fromkeys(pieces))[:GROUPS]
    rows = [zlib.crc32(piece.encode()) % (BUCKETS - 1) + 1 for piece in pieces]
    return tuple(rows + [0] * (GROUPS - len(rows)))


def _letter_groups(fold: str) -> list[str]:
    bounded = f"<{fold}>"
    pieces = [bounded, f"length {min(len(fold), 12)}"]
    for size in (4, 3, 2):
        pieces += [bounded[at : at + size] for at in range(len(bounded) - size + 1)]
    return [*pieces, f"end {fold[-4:]}", f"end {fold[-5:]}"]


def _number_groups(written: str) -> list[str]:
    """How long it is, and whether it could be a day, a month or a year."""
    pieces = ["number", f"digits {len(written)}"]
    if not written.isdigit():
        return [*pieces, "point", f"decimals {len(written) - max(map(written.rfind, '.,'))}"]
    value = int(written) if len(written) <= _YEAR else 0
    pieces += [f"zero {len(written)}"] if written[0] == "0" else []
    pieces += ["day"] if 0 < value <= 31 else []
    pieces += ["month"] if 0 < value <= 12 else []
    pieces += ["year"] if 1900 <= value <= 2035 else []
    return pieces + ([f"is {value}"] if len(written) <= 2 else [])


def _facts(passage: Passage, at: int, token: Token) -> list[bool]:
    kinds = [token.kind == kind for kind in _KINDS]
    whole = (passage.starts_sentence(at) if token.is_word else False, passage.is_cased)
    if not token.is_word:
        seen = [token.spaced, *[False] * 6, *whole, passage.is_foreign]
        return kinds + seen + [False] * (len(FACTS) - len(kinds) - len(seen))
    lexicon, fold, text = passage.lexicon, token.fold, token.text
    own = not passage.is_stranger(at)
    return [
        *kinds, token.spaced,
        token.is_capital, token.is_upper, len(text) == 1, text.islower(),
        token.possessive, at in passage.protected, *whole, passage.is_foreign,
        own and lexicon.is_common(fold), own and lexicon.is_clinical(fold),
        lexicon.is_given(fold), lexicon.is_family(fold), lexicon.is_place(fold),
        lexicon.is_eponym(fold),
        *_said(fold),
    ]  # fmt: skip


@lru_cache(maxsize=65536)
def _said(fold: str) -> tuple[bool, ...]:
    """What the word says of those beside it."""
    return (
        fold in cues("title"),
        fold in cues("patient label") or fold in cues("physician label"),
        fold in cues("credential"),
        fold in cues("institution before"),
        fold in cues("institution after"),
        fold in cues("number label"),
        fold in cues("role"),
        fold in cues("relative"),
        is_month(fold),
        is_little_word(fold),
    )
