# SPDX-License-Identifier: Apache-2.0
"""What other texts than its header say of a study: names and numbers that may not stay in it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from deid.identifiers import identifier_parts
from deid.vocabulary import folded, words_of

if TYPE_CHECKING:
    from deid.text import KnownTerms

_NAMES = frozenset({"PATIENT NAME", "PHYSICIAN NAME", "NAME"})
_INITIALS = 2
_NUMBERS = frozenset({"PATIENT ID", "ACCESSION NUMBER", "ID", "PHONE"})


class Revealed:
    """Identifiers by study; headers, free text and pixels of the study are searched for them.

    Parameters
    ----------
    by_study:
        Known terms by original Study Instance UID.
    """

    def __init__(self, by_study: Mapping[str, KnownTerms]) -> None:
        self._by_study = dict(by_study)

    def terms(self, study: str) -> KnownTerms | None:
        """What is known of a study; ``None`` where nothing is."""
        return self._by_study.get(study)

    def digest(self, study: str) -> bytes:
        """Differs where what is known of the study differs; empty where nothing is."""
        terms = self._by_study.get(study)
        if terms is None:
            return b""
        told = sorted(f"{term.kind}\x1f{term.value}" for term in terms.terms)
        return hashlib.sha256("\x1e".join(told).encode()).digest()


@lru_cache(maxsize=64)
def denied_by(terms: KnownTerms | None) -> frozenset[str]:
    """Folded words of names and numbers, that may not pass in any text."""
    words: set[str] = set()
    for term in terms.terms if terms is not None else ():
        if term.kind in _NAMES:
            # Initials and particles are words of everything.
            words.update(folded(w) for w in words_of(term.value) if len(w) > _INITIALS)
        elif term.kind in _NUMBERS:
            words.update(identifier_parts(term.value))
    return frozenset(words)
