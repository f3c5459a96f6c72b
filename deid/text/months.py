# SPDX-License-Identifier: Apache-2.0
"""Names of months in twenty languages."""

from __future__ import annotations

from functools import cache

from deid.text.folding import aligned
from deid.text.lexicon import table


@cache
def months() -> dict[str, tuple[int, tuple[str, ...]]]:
    """Month by name, with the names of the same language and form."""
    found: dict[str, tuple[int, tuple[str, ...]]] = {}
    for row in table("months"):
        names = tuple(map(aligned, row["names"].split()))
        for month, name in enumerate(names, 1):
            found.setdefault(name, (month, names))
    return found


def is_month(word: str) -> bool:
    """Whether a word in small letters without accents is the name of a month."""
    return word in months()


@cache
def months_of(language: str) -> tuple[str, ...]:
    """The names of months of one language, long and short."""
    rows = (row for row in table("months") if row["language"] == language)
    return tuple(aligned(name) for row in rows for name in row["names"].split())
