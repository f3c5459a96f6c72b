# SPDX-License-Identifier: Apache-2.0
"""The identifiers that a header itself gives: who the patient is, and words that must not pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from pydicom.datadict import dictionary_has_tag, dictionary_VR

from deid.errors import NestingTooDeepError
from deid.parsing import DEEPEST, MalformedError, RawDataSet, RawElement
from deid.pseudonyms import PatientIdentity
from deid.vocabulary import folded, words_of

_PATIENT_ID = 0x00100020
_ISSUER = 0x00100021
_ISSUER_QUALIFIERS = 0x00100024
_UNIVERSAL_ENTITY_ID = 0x00400032
_PATIENT_NAME = 0x00100010
_BIRTH_DATE = 0x00100030
_STUDY = 0x0020000D

# Identifiers of PS3.3 that name the patient, the request, the visit or the machine.
IDENTIFIERS = frozenset(
    {
        0x00080050,  # Accession Number
        0x00081010,  # Station Name
        0x00100020,  # Patient ID
        0x00101000,  # Other Patient IDs
        0x00101002,  # Other Patient IDs Sequence
        0x00101090,  # Medical Record Locator
        0x00120040,  # Clinical Trial Subject ID
        0x00181000,  # Device Serial Number
        0x00200010,  # Study ID
        0x00380010,  # Admission ID
        0x00380060,  # Service Episode ID
        0x00400009,  # Scheduled Procedure Step ID
        0x00400253,  # Performed Procedure Step ID
        0x00401001,  # Requested Procedure ID
        0x00402016,  # Placer Order Number
        0x00402017,  # Filler Order Number
    }
)
"""Their parts are denied in all text, as those of person names are."""

_PERSON_NAMES = frozenset(
    {
        0x00080090, 0x0008009C, 0x00081048, 0x00081050, 0x00081060, 0x00081070, 0x00100010,
        0x00101001, 0x00101005, 0x00101060, 0x00102297, 0x00321032, 0x00400006, 0x00401010,
        0x00402008, 0x00404037, 0x0040A075, 0x0040A123, 0x00700084, 0x4008010C, 0x40080114,
    }
)  # fmt: skip
# One item per frame: thousands, and no names in any of their macros.
_FUNCTIONAL_GROUPS = frozenset({0x52009229, 0x52009230})
_MAY_BE_SEQUENCE = frozenset({"SQ", "UN", None})
EDITIONS = frozenset({0x00080106, 0x00080107, 0x0040DB06, 0x0040DB07})
"""Dates of a context group's or template's edition, which are none of the patient."""
_MOMENTS = frozenset({"DA", "DT", "TM"})
_LONGEST_MOMENTS = 256
# No element without one of these VRs or tags tells of people or dates.
_TELLING = frozenset({"PN", "DA", "DT", "TM", None})
_TELLING_TAGS = IDENTIFIERS | _PERSON_NAMES
_HARMLESS_LETTERS = 2
_HARMLESS_DIGITS = 3


class Denied(NamedTuple):
    """What of a header may not pass in its other attributes.

    Attributes
    ----------
    words:
        Folded parts of person names and identifiers.
    names:
        Those of person names.
    moments:
        Values of dates, times and date times, as they are.
    """

    words: frozenset[str]
    names: frozenset[str]
    moments: frozenset[bytes]


def patient_of(dataset: RawDataSet, encodings: tuple[str, ...]) -> PatientIdentity:
    """Who the patient is: issuer and Patient ID.

    Without a Patient ID the name and birth date stand in, without a name the study: two patients
    that are not known to be one are two.
    """
    number = _text(dataset, _PATIENT_ID, encodings)
    if number:
        return PatientIdentity(_issuer(dataset, encodings), number)
    name = _text(dataset, _PATIENT_NAME, encodings).strip("^= ")
    if name:
        return PatientIdentity("name", f"{name}\x1e{dataset.text(_BIRTH_DATE)}")
    return PatientIdentity("study", dataset.text(_STUDY))


def _issuer(dataset: RawDataSet, encodings: tuple[str, ...]) -> str:
    issuer = _text(dataset, _ISSUER, encodings)
    element = dataset.get(_ISSUER_QUALIFIERS)
    if issuer or element is None:
        return issuer
    try:
        qualifiers = element.items
    except MalformedError:
        # The rule for the sequence removes it; an unreadable issuer tells no patients apart.
        return ""
    return next((_text(item, _UNIVERSAL_ENTITY_ID, encodings) for item in qualifiers), "")


def _text(dataset: RawDataSet, tag: int, encodings: tuple[str, ...]) -> str:
    element = dataset.get(tag)
    return "" if element is None else decoded_text(element, encodings).strip(" \0")


def denied_words(
    elements: Iterable[tuple[int, RawElement]], encodings: tuple[str, ...]
) -> frozenset[str]:
    """Folded parts of the person names and identifiers among the elements.

    Parameters
    ----------
    elements:
        Tag and element, at all depths.
    encodings:
        Python codecs of the Specific Character Set.
    """
    return denied_in(elements, encodings).words


def denied_in(elements: Iterable[tuple[int, RawElement]], encodings: tuple[str, ...]) -> Denied:
    """What the elements give of people, in one pass; parameters as of ``denied_words``."""
    denied: set[str] = set()
    names: set[str] = set()
    moments: set[bytes] = set()
    for tag, element in elements:
        if element.vr not in _TELLING and tag not in _TELLING_TAGS:
            continue
        if tag in IDENTIFIERS:
            denied.update(_parts_in(bytes(element.value), encodings))
        elif element.vr == "PN" or tag in _PERSON_NAMES:
            names.update(_words_in(bytes(element.value), encodings))
        elif (element.vr in _MOMENTS or _is_moment(tag)) and tag not in EDITIONS:
            moments.update(bytes(element.value[:_LONGEST_MOMENTS]).split(b"\\"))
    return Denied(frozenset(denied | names), frozenset(names), frozenset(moments))


@lru_cache(maxsize=1024)
def _parts_in(value: bytes, encodings: tuple[str, ...]) -> frozenset[str]:
    """What an identifier denies; instances of a series have the same ones."""
    return frozenset(identifier_parts(_spellings(value, encodings)))


@lru_cache(maxsize=1024)
def _words_in(value: bytes, encodings: tuple[str, ...]) -> frozenset[str]:
    """The folded words of a person name."""
    return frozenset(map(folded, words_of(_spellings(value, encodings))))


def _spellings(value: bytes, encodings: tuple[str, ...]) -> str:
    """A value as its character set has it, and as those have it that are used without saying so."""
    text = _decoded(value, encodings)
    if text.isascii():
        return text
    return " ".join((text, value.decode("utf-8", "ignore"), value.decode("latin-1")))


def identifier_parts(text: str) -> Iterator[str]:
    """``CT-2024-0815`` denies ``2024`` and ``0815``, but not ``CT``."""
    for word in words_of(text):
        if len(word) > (_HARMLESS_DIGITS if word.isdigit() else _HARMLESS_LETTERS):
            yield folded(word)


def decoded_text(element: RawElement, encodings: tuple[str, ...]) -> str:
    """The text of a value by all codecs of its character set, to find words in."""
    return _decoded(bytes(element.value), encodings)


def _decoded(value: bytes, encodings: tuple[str, ...]) -> str:
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii")
    return " ".join(value.decode(encoding, "ignore") for encoding in encodings or ("latin-1",))


def elements_of(dataset: RawDataSet, depth: int = 0) -> Iterator[tuple[int, RawElement]]:
    """Tag and element of a data set and of the items of its public sequences, to any depth.

    Raises
    ------
    NestingTooDeepError
        If sequences are nested more than 32 deep.
    """
    if depth > DEEPEST:
        raise NestingTooDeepError(f"sequences are nested more than {DEEPEST} deep")
    for tag, element in chain(dataset.items(), dataset.repeated):
        yield tag, element
        if element.vr not in _MAY_BE_SEQUENCE or tag in _FUNCTIONAL_GROUPS or tag & 0x10000:
            continue
        if element.vr != "SQ" and not _is_sequence(tag):
            continue
        try:
            items = element.items
        except MalformedError:
            # Its rule will meet the same and remove it; names in it are not known then.
            continue
        for item in items:
            yield from elements_of(item, depth + 1)


def told_texts(header: RawDataSet, encodings: tuple[str, ...]) -> Iterator[tuple[int, str, str]]:
    """Tag, VR and decoded value of all elements that have one, at all depths."""
    for tag, element in elements_of(header):
        if not element.has_items:
            text = decoded_text(element, encodings).strip(" \0")
            yield tag, element.vr or usual_vr(tag), text


@lru_cache(maxsize=8192)
def usual_vr(tag: int) -> str:
    """The dictionary's VR of an attribute, the first of several; UN where it has none."""
    known = dictionary_VR(tag) if dictionary_has_tag(tag) else "UN"
    return known.split(" or ", maxsplit=1)[0]


@lru_cache(maxsize=8192)
def _is_moment(tag: int) -> bool:
    return dictionary_has_tag(tag) and dictionary_VR(tag) in _MOMENTS


@lru_cache(maxsize=8192)
def _is_sequence(tag: int) -> bool:
    return dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ"
