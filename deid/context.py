# SPDX-License-Identifier: Apache-2.0
"""What the treatment of one header needs to know of the instance."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from pydicom.charset import decode_bytes, encode_string, python_encoding

from deid.denied_numbers import DeniedNumbers, denied_numbers
from deid.descriptions import cleaned
from deid.identifiers import Denied
from deid.name_traces import NameTraces, traces_of
from deid.parsing import RawDataSet
from deid.pseudonyms import PatientIdentity, Pseudonyms
from deid.site_vocabulary import SiteWords
from deid.vocabulary import folded, words_of

if TYPE_CHECKING:
    from deid.text import KnownTerms

# PS3.5 section 6.1.2.5.3: what ends a code extension.
_DELIMITERS = frozenset(b"\t\n\f\r\\^=")
_BIRTH_DATE = 0x00100030
# Study, Series, Acquisition and Content Date.
_DAYS_OF_STUDY = (0x00080020, 0x00080021, 0x00080022, 0x00080023)
_ESCAPE = b"\x1b"
_DATE_DIGITS = 8


class TextCleaner(Protocol):
    """Takes identifiers out of free text."""

    def clean(self, text: str, context: HeaderContext) -> str:
        """The text without identifiers, ``""`` where nothing of it may stay.

        ``context.denied`` has the words of the header that may not pass, ``context.days`` the
        patient's date shift, ``context.header`` the whole header.
        """


@dataclass(frozen=True)
class HeaderContext:
    """One instance's circumstances.

    Attributes
    ----------
    pseudonyms:
        The site's keyed stand-ins.
    patient:
        Who the patient is.
    days:
        The patient's date shift.
    encodings:
        Python codecs of the Specific Character Set; empty where there is none.
    denied:
        Folded words that may not pass in any text.
    text:
        Cleans free text; without one only listed words stay.
    header:
        The header that is treated.
    site:
        Words that the site knows better.
    given:
        What the header says of people and dates; ``denied`` are its words.
    little_endian:
        Byte order of the header.
    revealed:
        What other texts say of the study.
    """

    pseudonyms: Pseudonyms
    patient: PatientIdentity
    days: int
    encodings: tuple[str, ...]
    denied: frozenset[str]
    text: TextCleaner | None = None
    header: RawDataSet | None = None
    site: SiteWords = SiteWords()  # noqa: RUF009 - a tuple
    given: Denied = Denied(frozenset(), frozenset(), frozenset())  # noqa: RUF009
    little_endian: bool = True
    revealed: KnownTerms | None = None

    @cached_property
    def numbers(self) -> DeniedNumbers:
        """Numbers of the header that say who or when."""
        header = self.header or RawDataSet()
        return denied_numbers(self.given, header.text(_BIRTH_DATE).encode("latin-1"))

    @cached_property
    def birth_date(self) -> str:
        """Patient's Birth Date as eight digits; empty where there is none.

        Whatever attribute repeats it must not tell it, shifted neither: beside the shifted date
        of the study it is the age in days. A newborn's is the date of the study too, and stays.
        """
        header = self.header or RawDataSet()
        born = _digits(header.text(_BIRTH_DATE))
        of_study = {_digits(header.text(tag)) for tag in _DAYS_OF_STUDY}
        return born if len(born) == _DATE_DIGITS and born not in of_study else ""

    @cached_property
    def names(self) -> NameTraces:
        """Names of the header in other guises than that of a word."""
        return traces_of(self.given.names)

    def is_named(self, text: str) -> bool:
        """Whether a text has a name or identifier of the header, as a word or in another guise."""
        words = map(folded, words_of(text))
        return not self.denied.isdisjoint(words) or self.names.in_text(text)

    def decode(self, value: bytes) -> str:
        """Text of a value without its padding; undecodable bytes become other letters."""
        if value.isascii() and _ESCAPE not in value:
            return value.decode("ascii").strip(" \0")
        if not self.encodings:
            return value.decode("latin-1").strip(" \0")
        try:
            text = decode_bytes(value, list(self.encodings), set(_DELIMITERS))
        except (UnicodeError, LookupError):
            text = value.decode("latin-1")
        return text.strip(" \0")

    @cached_property
    def denied_listed(self) -> frozenset[str]:
        """Folded words that may not pass where only listed words do."""
        return self.denied | self.site.graylist if self.site.graylist else self.denied

    def cleaned(self, text: str) -> str:
        """A free text without identifiers."""
        return self.text.clean(text, self) if self.text else cleaned(text, self.denied)

    def encode(self, text: str) -> bytes | None:
        """Value of a text; letters that the character set lacks lose accents, or all."""
        if text.isascii():
            return text.encode("ascii")
        if self.encodings:
            try:
                value = encode_string(text, list(self.encodings))
            except (UnicodeError, LookupError):
                value = b""
            if self.decode(value) == text:
                return value
        plain = "".join(one if one.isascii() else _plain(one) for one in text)
        return plain.encode("ascii") if plain.isascii() else None


def _plain(letter: str) -> str:
    """Without accent or ligature; the case stays, as that of the text around it does."""
    plain = folded(letter)
    return plain.upper() if letter.isupper() else plain


def _digits(date: str) -> str:
    return date.strip(" \0").replace(".", "")


def encodings_of(character_set: str) -> tuple[str, ...]:
    """Python codecs of the values of Specific Character Set (0008,0005).

    Empty where a value is no defined term of PS3.3 section C.12.1.1.2.
    """
    terms = [term.strip() for term in character_set.split("\\")]
    if terms == [""] or any(term not in python_encoding for term in terms):
        return ()
    return tuple(python_encoding[term] for term in terms)
