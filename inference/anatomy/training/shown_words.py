# SPDX-License-Identifier: Apache-2.0
"""What a report shows of a header: words of the trade, and nothing that could name somebody.

Where headers were not de-identified, only words that the lexicon or the list of customary series
names has are shown; every other word is a dot. A name can't pass, and which word misled is mostly
still to be seen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from inference.anatomy.header import CODES, TEXTS
from inference.anatomy.lexicon import lexicon_table
from inference.anatomy.regions import body_parts
from inference.anatomy.training.augmentation import customs
from inference.anatomy.words import words_of

HIDDEN = "·"
_NEVER = frozenset(("StationName", "SOPClassUID"))
_DEFINED = frozenset(("Modality", "Manufacturer", "ViewPosition"))
_PIECES = re.compile(r"\w+|\W+")


def shown(values: Mapping[str, str], *, deidentified: bool) -> str:
    """A header on one line.

    :param values: by keyword; what the model does not read is left out.
    :param deidentified: whether every word may be shown.
    """
    parts = []
    for keyword, value in values.items():
        if keyword in _NEVER or keyword not in TEXTS.keys() | CODES.keys() or not value:
            continue
        whole = deidentified or keyword in _DEFINED
        parts.append(str(value) if whole else _masked(str(value)))
    return " | ".join(parts)


def _masked(text: str) -> str:
    return "".join(
        piece if not piece[0].isalnum() or _is_known(piece) else HIDDEN
        for piece in _PIECES.findall(text)
    )


def _is_known(word: str) -> bool:
    return all(one in known_words() or (one.isdigit() and len(one) <= 2) for one in words_of(word))


@cache
def known_words() -> frozenset[str]:
    """Words of the lexicon, of Body Part Examined, and of customary series names."""
    found: set[str] = set()
    _gather(lexicon_table(), found)
    for term in body_parts():
        found |= set(words_of(term))
    for names in customs().values():
        _gather(list(names), found)
    return frozenset(found)


def _gather(table: Any, found: set[str]) -> None:
    if isinstance(table, str):
        found |= set(words_of(table))
    elif isinstance(table, Mapping):
        for value in table.values():
            _gather(value, found)
    elif isinstance(table, list | tuple):
        for value in table:
            _gather(value, found)
