# SPDX-License-Identifier: Apache-2.0
"""Free text of a header, read by the detectors of ``deid.text`` instead of held against a list."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, NamedTuple

from pydicom.datadict import dictionary_has_tag, dictionary_VR

from deid.identifiers import elements_of
from deid.parsing import RawDataSet
from deid.pseudonyms import PatientIdentity
from deid.vocabulary import folded

if TYPE_CHECKING:
    from deid.context import HeaderContext
    from deid.site_vocabulary import SiteVocabulary, SiteWords
    from deid.text import KnownTerms, Span, TextDeidentifier

_STUDY_DATE = 0x00080020
_FREE = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})
# What header_terms() reads of them: names, numbers, addresses.
_TYPED = frozenset({"PN"})
_REMEMBERED = 512
_WORD = re.compile(r"[^\W_]+")
_PLACEHOLDER = re.compile(r"(%[A-Z ]+%)")


class _Texts(NamedTuple):
    """All texts of a header that may name somebody (tag, VR, value), and whose they are."""

    elements: tuple[tuple[int, str, str], ...]
    patient: PatientIdentity
    days: int
    revealed: KnownTerms | None
    born: str
    year: int | None


@dataclass
class _Reader:
    """The detectors with the blacklist of one header, and what they said of its texts."""

    of: _Texts
    header: RawDataSet | None
    detectors: TextDeidentifier
    said: dict[str, str]
    words: SiteWords | None = None


class DetectedText:
    """Cleans free text with the detectors (:class:`deid.text.TextDeidentifier`).

    What the typed fields say and what any text of the header reveals is looked for in all of its
    texts. Instances of a series have the same texts: the reader of the last header is kept.

    Parameters
    ----------
    vocabulary:
        Words that the site knows better.
    """

    def __init__(self, vocabulary: SiteVocabulary | None = None) -> None:
        self._vocabulary = vocabulary
        self._last: _Reader | None = None

    def clean(self, text: str, context: HeaderContext) -> str:
        """The text with typed placeholders, shifted dates and the header's own stand-ins.

        A word that the header itself gives as a name or number never passes, whatever the detectors
        took it for.
        """
        reader = self._reader(context)
        said = reader.said.get(text)
        if said is None:
            said = _without_denied(reader.detectors.clean(text).text, context.denied)
            if len(reader.said) < _REMEMBERED:
                reader.said[text] = said
        return said

    def found(self, text: str, context: HeaderContext) -> tuple[Span, ...]:
        """What the detectors take for an identifier, by its place in the ``readable`` text."""
        return self._reader(context).detectors.clean(text).spans

    def clean_with(
        self, text: str, context: HeaderContext, known: KnownTerms, denied: frozenset[str]
    ) -> str:
        """As ``clean``, with what a document says of people beside what the header says.

        Parameters
        ----------
        known:
            Names and numbers of the document's typed fields.
        denied:
            Folded words that never pass, beside the header's.
        """
        reader = self._reader(context)
        detectors = _detectors(reader.of, context, reader.words, known)
        return _without_denied(detectors.clean(text).text, context.denied | denied)

    def _reader(self, context: HeaderContext) -> _Reader:
        last = self._last
        if last is not None and last.header is context.header:
            return last
        told = _Texts(
            tuple(_told(context)),
            context.patient,
            context.days,
            context.revealed,
            context.birth_date,
            _year(context),
        )
        words = self._vocabulary.words() if self._vocabulary else None
        if last is not None and last.of == told and last.words == words:
            made = _Reader(told, context.header, last.detectors, last.said, words)
        else:
            made = _Reader(told, context.header, _detectors(told, context, words), {}, words)
        self._last = made
        return made


def _told(context: HeaderContext) -> Iterator[tuple[int, str, str]]:
    for tag, element in elements_of(context.header or RawDataSet()):
        vr = element.vr or (dictionary_VR(tag) if dictionary_has_tag(tag) else "UN")
        if (vr in _FREE or vr in _TYPED) and not element.has_items:
            yield tag, vr, context.decode(bytes(element.value))


def _detectors(
    told: _Texts,
    context: HeaderContext,
    words: SiteWords | None,
    more: KnownTerms | None = None,
) -> TextDeidentifier:
    # Looked up here: who keeps to the listed words loads neither lexicon nor classifier.
    from deid.text import Lexicon, TextDeidentifier, header_terms  # noqa: PLC0415

    hasher, year = _hasher(context), told.year
    known = replace(header_terms(told.elements), born=_born(told.born))
    if told.revealed is not None:
        known |= told.revealed
    known = known if more is None else known | more
    lexicon = Lexicon() if words is None else Lexicon(site=words)
    first = TextDeidentifier(known, told.days, hasher, year, lexicon)
    free = {str(at): text for at, (_, vr, text) in enumerate(told.elements) if vr in _FREE and text}
    return TextDeidentifier(known | first.terms(free), told.days, hasher, year, lexicon)


def _hasher(context: HeaderContext) -> Callable[[object, str], str]:
    """Stand-ins as the header has them; numbers of others than this patient have placeholders."""
    from deid.text import Kind  # noqa: PLC0415 - as above

    number = context.patient.number

    def stand_in(kind: object, value: str) -> str:
        if kind is Kind.UID:
            return context.pseudonyms.uid(value)
        if kind is Kind.ACCESSION_NUMBER:
            return context.pseudonyms.identifier("accession", value)
        if kind is Kind.PATIENT_ID and value == number:
            return context.pseudonyms.patient(context.patient)
        return f"%{kind}%"

    return stand_in


def _born(digits: str) -> date | None:
    try:
        return datetime.strptime(digits, "%Y%m%d").date()  # noqa: DTZ007 - a day
    except ValueError:
        return None


def _year(context: HeaderContext) -> int | None:
    year = (context.header or RawDataSet()).text(_STUDY_DATE)[:4]
    return int(year) if year.isdecimal() else None


def _without_denied(text: str, denied: frozenset[str]) -> str:
    def checked(word: re.Match[str]) -> str:
        return "%NAME%" if folded(word[0]) in denied else word[0]

    # What lies between placeholders: one may hold a word of a name, such as "NAME".
    parts = _PLACEHOLDER.split(text)
    return "".join(p if at % 2 else _WORD.sub(checked, p) for at, p in enumerate(parts))
