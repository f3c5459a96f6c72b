# SPDX-License-Identifier: Apache-2.0
"""What is found in a text, where, and what stands in its place."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """The kinds of identifiers; the value is the name in the placeholder."""

    PATIENT_NAME = "PATIENT NAME"
    PHYSICIAN_NAME = "PHYSICIAN NAME"
    NAME = "NAME"
    PATIENT_ID = "PATIENT ID"
    ACCESSION_NUMBER = "ACCESSION NUMBER"
    UID = "UID"
    DATE = "DATE"
    AGE = "AGE"
    PHONE = "PHONE"
    EMAIL = "EMAIL"
    URL = "URL"
    IDENTIFIER = "ID"
    ADDRESS = "ADDRESS"
    PLACE = "PLACE"
    INSTITUTION = "INSTITUTION"

    @property
    def placeholder(self) -> str:
        """``%PATIENT NAME%`` and its like."""
        return f"%{self.value}%"


NAMES = frozenset({Kind.PATIENT_NAME, Kind.PHYSICIAN_NAME, Kind.NAME})
# Where two finds overlap, the first of these names the whole.
_RANK = {kind: rank for rank, kind in enumerate(Kind)}


class Span(NamedTuple):
    """A find: characters ``start`` to ``end`` of the text.

    Attributes
    ----------
    detector:
        Who found it: ``header``, ``pattern``, ``context``, ``model`` or ``second pass``.
    replacement:
        What stands in its place; ``None`` for the placeholder of the kind.
    """

    start: int
    end: int
    kind: Kind
    detector: str
    replacement: str | None = None


def united(spans: Iterable[Span]) -> list[Span]:
    """The spans in order, overlapping ones as one.

    The union of two finds has the kind of the longer one, of equally long ones the more telling
    kind. A shifted date that is part of something longer loses its replacement.
    """
    result: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start, -s.end)):
        if not result or span.start >= result[-1].end:
            result.append(span)
        else:
            result[-1] = _united(result[-1], span)
    return result


def _united(one: Span, other: Span) -> Span:
    best = min(one, other, key=lambda s: (s.start - s.end, _RANK[s.kind]))
    start, end = one.start, max(one.end, other.end)
    if (best.start, best.end) == (start, end):
        return best
    return Span(start, end, best.kind, best.detector)
