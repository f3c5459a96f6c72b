# SPDX-License-Identifier: Apache-2.0
"""What the token classifier sees of each word: letter groups by hash, and yes-or-no facts."""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from deid.text.cue_words import cues
from deid.text.passage import Passage
from deid.text.tokens import Token

BUCKETS = 8192
"""Rows of the table of letter groups."""
GROUPS = 24
"""Most letter groups of a word; row 0 stands for none."""
WINDOW = 3
"""Words looked at before and after."""

FACTS = [
    "word",
    "number",
    "mark",
    "line",
    "capital",
    "upper",
    "letter",
    "lower",
    "common",
    "clinical",
    "given",
    "family",
    "place",
    "title",
    "label",
    "credential",
    "possessive",
    "protected",
    "start",
    "cased",
    "eponym",
    "foreign",
]
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
    if kind != "word":
        pieces = [kind if kind != "mark" else f"mark {fold}"]
    else:
        bounded = f"<{fold}>"
        pieces = [bounded]
        for size in (4, 3, 2):
            pieces += [bounded[at : at + size] for at in range(len(bounded) - size + 1)]
        pieces += [f"end {fold[-4:]}", f"end {fold[-5:]}"]
        pieces = list(dict.fromkeys(pieces))[:GROUPS]
    rows = [zlib.crc32(piece.encode()) % (BUCKETS - 1) + 1 for piece in pieces]
    return tuple(rows + [0] * (GROUPS - len(rows)))


def _facts(passage: Passage, at: int, token: Token) -> list[bool]:
    lexicon, fold, text = passage.lexicon, token.fold, token.text
    if not token.is_word:
        kinds = [False, token.kind == "number", token.kind == "mark", token.kind == "line"]
        return kinds + [False] * (len(FACTS) - 7) + [passage.is_cased, False, passage.is_foreign]
    own = not passage.is_stranger(at)
    return [
        True, False, False, False,
        token.is_capital, token.is_upper, len(text) == 1, text.islower(),
        own and lexicon.is_common(fold), own and lexicon.is_clinical(fold),
        lexicon.is_given(fold), lexicon.is_family(fold), lexicon.is_place(fold),
        fold in cues("title"),
        fold in cues("patient label") or fold in cues("physician label"),
        fold in cues("credential"),
        token.possessive, at in passage.protected, passage.starts_sentence(at), passage.is_cased,
        lexicon.is_eponym(fold), passage.is_foreign,
    ]  # fmt: skip
