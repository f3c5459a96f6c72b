# SPDX-License-Identifier: Apache-2.0
"""Takes identities out of free text.

Four detectors feed one blacklist: what the typed fields of the header say, what reading the reports
finds, what reading the header's free text finds, and what was read from the pixels. Their union is
looked for in everything once more, the second pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from deid.text.classifier import TokenClassifier
from deid.text.contexts import context_spans
from deid.text.features import features_of
from deid.text.folding import aligned, readable
from deid.text.institutions import institution_spans
from deid.text.joints import address_lines, broken_names, joined
from deid.text.kept_words import without_kept
from deid.text.kinds import NAMES, Kind, Span, united
from deid.text.known_matching import known_spans
from deid.text.known_terms import KnownTerms
from deid.text.learned import learned_spans
from deid.text.lexicon import Lexicon
from deid.text.passage import Passage
from deid.text.patterns import formal_identifiers, is_code
from deid.text.residue import doubtful_spans
from deid.text.segments import coded_places, segment_spans
from deid.text.text_dates import dates_in

Hasher = Callable[[Kind, str], str]
"""Gives the stand-in of an identifier, the same as in the header."""

_HASHED = frozenset({Kind.PATIENT_ID, Kind.ACCESSION_NUMBER, Kind.UID})
_SHORTEST_TERM = 3
_TIME = re.compile(r"[ ,tT]{0,2}\d{1,2}(?:[:.]?\d{0,2})*")
_LEARNED = frozenset({Kind.PATIENT_ID, Kind.ACCESSION_NUMBER, Kind.IDENTIFIER, Kind.PHONE})


class CleanText(NamedTuple):
    """A text without identities.

    Attributes
    ----------
    text:
        With placeholders (``%PATIENT NAME%``), shifted dates, stand-ins of numbers.
    spans:
        What was replaced, by its place in the original text (in Unicode's composed form).
    """

    text: str
    spans: tuple[Span, ...]


class TextDeidentifier:
    """Finds and replaces identifiers in texts that belong to one patient.

    Parameters
    ----------
    known:
        What the header's typed fields and other sources identify the patient and staff by.
    date_shift:
        The patient's shift in days; without it dates become ``%DATE%``.
    hasher:
        Stand-ins for record numbers, accession numbers and UIDs; without it placeholders.
    study_year:
        The year of dates that are written without one.
    lexicon, classifier:
        Others than those of the package.
    """

    def __init__(
        self,
        known: KnownTerms | None = None,
        date_shift: int | None = None,
        hasher: Hasher | None = None,
        study_year: int | None = None,
        lexicon: Lexicon | None = None,
        classifier: TokenClassifier | None = None,
    ) -> None:
        self._known = known or KnownTerms()
        self._date_shift = date_shift
        self._hasher = hasher
        self._year = study_year
        self._lexicon = lexicon or Lexicon()
        self._classifier = classifier or TokenClassifier.shipped()

    def clean(self, text: str) -> CleanText:
        """Clean one text."""
        return self.clean_all({"": text})[""]

    def clean_all(self, texts: Mapping[str, str]) -> dict[str, CleanText]:
        """Clean the texts of one patient: what one of them reveals is looked for in all.

        Parameters
        ----------
        texts:
            By any key: header fields, reports, text read from pixels.
        """
        passages = {key: Passage(readable(text), self._lexicon) for key, text in texts.items()}
        first = {key: self._first_pass(passage) for key, passage in passages.items()}
        learned = KnownTerms()
        for key, spans in first.items():
            learned |= self._learned(passages[key], spans)
        return {
            key: self._finished(passage, first[key], learned) for key, passage in passages.items()
        }

    def terms(self, texts: Mapping[str, str]) -> KnownTerms:
        """The blacklist of a study: the known terms and all that the texts reveal."""
        found = self._known
        for text in texts.values():
            passage = Passage(readable(text), self._lexicon)
            found |= self._learned(passage, self._first_pass(passage))
        return found

    def _first_pass(self, passage: Passage) -> list[Span]:
        year = {} if self._year is None else {"year": self._year}
        likely = self._classifier.probabilities(features_of(passage))
        born = self._known.born
        dates = list(dates_in(passage.text, self._date_shift, born=born, **year))
        spans = [
            *known_spans(passage, self._known),
            *dates,
            *_without(formal_identifiers(passage.text), dates, passage.text),
            *segment_spans(passage.text),
            *context_spans(passage),
            *broken_names(passage),
            *institution_spans(passage),
            *doubtful_spans(passage, likely),
            *_without(_without_codes(learned_spans(passage, likely), passage), dates, passage.text),
        ]
        spans = list(without_kept(passage, spans))
        found = united(spans)
        beside = without_kept(passage, joined(passage, found))
        return united([*spans, *beside, *address_lines(passage, found)])

    def _learned(self, passage: Passage, spans: list[Span]) -> KnownTerms:
        """Terms for the second pass: names that read as names only, and numbers."""
        return KnownTerms.of(
            (passage.text[span.start : span.end], span.kind)
            for span in spans
            if self._is_telling(span) and (span.kind in NAMES or span.kind in _LEARNED)
        )

    @staticmethod
    def _is_telling(span: Span) -> bool:
        short = span.kind in NAMES and span.end - span.start < _SHORTEST_TERM
        return span.detector != "model" and not short

    def _finished(self, passage: Passage, first: list[Span], learned: KnownTerms) -> CleanText:
        second = without_kept(passage, known_spans(passage, learned, "second pass"))
        spans = united([*first, *second])
        return CleanText(self._replaced(passage.text, spans), tuple(spans))

    def _replaced(self, text: str, spans: list[Span]) -> str:
        parts: list[str] = []
        at = 0
        for span in _merged(text, spans):
            parts += [text[at : span.start], self._stand_in(text, span)]
            at = span.end
        return "".join(parts) + text[at:]

    def _stand_in(self, text: str, span: Span) -> str:
        if span.replacement is not None:
            return span.replacement
        if self._hasher is not None and span.kind in _HASHED:
            return self._hasher(span.kind, text[span.start : span.end])
        return span.kind.placeholder


def _without(spans: Iterable[Span], dates: list[Span], text: str) -> Iterator[Span]:
    """The spans that are no part of a date and its time: a date looks like a record number too."""
    for span in spans:
        if not any(_is_within(span, date, text) for date in dates):
            yield span


def _without_codes(spans: Iterable[Span], passage: Passage) -> Iterator[Span]:
    """The spans that are no codes of a named scheme."""
    plain, codes = aligned(passage.text), coded_places(passage.text)
    return (span for span in spans if not is_code(plain, span, codes))


def _is_within(span: Span, date: Span, text: str) -> bool:
    if not date.start <= span.start <= date.end:
        return False
    return span.end <= date.end or _TIME.fullmatch(text, date.end, span.end) is not None


def _merged(text: str, spans: list[Span]) -> list[Span]:
    """Neighbouring names become one placeholder: ``Doe, Jane`` is one person."""
    result: list[Span] = []
    for span in spans:
        last = result[-1] if result else None
        if (
            last is not None
            and last.kind in NAMES
            and span.kind in NAMES
            and not text[last.end : span.start].strip(" .,-^'’·・")
            and text[last.end : span.start].count("\n") == 0
        ):
            kind = last.kind if last.kind is not Kind.NAME else span.kind
            result[-1] = Span(last.start, span.end, kind, last.detector)
        else:
            result.append(span)
    return result
