# SPDX-License-Identifier: Apache-2.0
"""Looks through de-identified files for what should not be there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from pydicom.datadict import dictionary_has_tag, repeater_has_tag

from deid.context import encodings_of
from deid.dummies import REMOVED
from deid.identifiers import elements_of
from deid.parsing import RawDataSet, parsed
from deid.profile import row_of
from deid.reading import read

_CHARACTER_SET, _REMOVED, _DATES = 0x00080005, 0x00120062, 0x00280303
_BURNED_IN, _RECOGNIZABLE = 0x00280301, 0x00280302
_BIRTH_DATE, _AGE = 0x00100030, 0x00101010
_OLDEST = 90
_PSEUDONYMOUS = {0x00100020: "a Patient ID", 0x00080050: "an Accession Number"}
_PREFIX = b"DICM"
_META = frozenset((0, 1, 2, 3, 0x10, 0x12, 0x13))
"""Elements of group 0002 that tell of no site: what the file is, and which program wrote it."""
_CURVE, _SIGNATURES, _PADDING = 0x50000000, 0xFFFAFFFA, 0xFFFCFFFC
_STAND_IN = re.compile(r"[A-Z2-7]{16}")
_SUSPICIOUS = {
    "an e-mail address": re.compile(rb"[\w.+-]+@[\w-]{2,}\.[A-Za-z]{2,}"),
    "a web address": re.compile(rb"(?:https?|ftp)://[\w.-]{3,}"),
    "a person's name": re.compile(rb"[A-Za-z]{2,}\^[A-Za-z]{2,}"),
}
_TEXTS = frozenset({"AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})


class Finding(NamedTuple):
    """Something that should not be in a de-identified file.

    Attributes
    ----------
    place:
        Tag, ``"file"`` for the file as a whole. Never a value.
    what:
        What was found there.
    """

    place: str
    what: str


def check(
    source: Path | bytes, terms: Iterable[str] = (), words: Iterable[str] = ()
) -> list[Finding]:
    """What in a file looks as if it were not de-identified.

    Parameters
    ----------
    source:
        A Part 10 file.
    terms:
        Known identifiers: searched in every byte.
    words:
        Others that count only as words of their own, such as all numbers of the originals: digits
        inside longer numbers are chance.

    Raises
    ------
    DeidentificationError
        If the file can't be read.
    """
    content = source if isinstance(source, bytes) else source.read_bytes()
    header = read(content).header
    found = [*_of_file(content, header, terms), *_of_words(content, header, words)]
    for tag, element in elements_of(header):
        value = bytes(element.value).strip(b" \0")
        if value:
            found.extend(
                Finding(f"{tag:08X}", what) for what in _of_element(tag, element.vr, value)
            )
    return sorted(set(found))


def _of_file(content: bytes, header: RawDataSet, terms: Iterable[str]) -> Iterator[Finding]:
    if header.text(_REMOVED) != "YES":
        yield Finding("00120062", "Patient Identity Removed is not YES")
    if header.text(_RECOGNIZABLE) == "YES":
        yield Finding("00280302", "Recognizable Visual Features is YES")
    if content[:128].strip(b"\0"):
        yield Finding("file", "a preamble that is not empty")
    if header.text(_BURNED_IN) == "YES":
        yield Finding("00280301", "Burned In Annotation is YES")
    if _years(header.text(_AGE)) > _OLDEST:
        yield Finding("00101010", f"an age above {_OLDEST}")
    yield from _of_meta(content)
    encodings = encodings_of(header.text(_CHARACTER_SET))
    for number, term in enumerate(terms, 1):
        if any(written in content for written in _written(term, encodings)):
            yield Finding("file", f"term {number} of the list")


def _years(age: str) -> int:
    return int(age[:3]) if re.fullmatch(r"\d{3}Y", age) else 0


def _of_meta(content: bytes) -> Iterator[Finding]:
    """File meta information beyond what a reader needs: titles of applications, private parts."""
    start = 132
    if content[start - len(_PREFIX) : start] == _PREFIX:
        meta, _ = parsed(content, start, (False, True), lambda tag: tag >> 16 != 0x0002)
        for tag in meta:
            if tag & 0xFFFF not in _META:
                yield Finding(f"{tag:08X}", "file meta information that tells of a site")


def _of_words(content: bytes, header: RawDataSet, words: Iterable[str]) -> Iterator[Finding]:
    encodings = encodings_of(header.text(_CHARACTER_SET))
    for word in words:
        if any(_stands_in(written, content) for written in _written(word, encodings)):
            yield Finding("file", "an identifier of the originals")


def _stands_in(written: bytes, content: bytes) -> bool:
    """Whether a term stands in a file as a word of its own."""
    if written not in content:
        return False
    whole = rb"(?<![A-Za-z0-9])" + re.escape(written) + rb"(?![A-Za-z0-9])"
    return re.search(whole, content) is not None


def _written(term: str, encodings: tuple[str, ...]) -> Iterator[bytes]:
    for encoding in {"utf-8", "latin-1", *encodings}:
        written = term.encode(encoding, "ignore")
        if len(written) >= 3:
            yield written


def _of_element(tag: int, vr: str | None, value: bytes) -> Iterator[str]:
    if not tag & 0x10000:
        yield from _of_public(tag, value)
    if vr == "PN" and not _is_stand_in(value):
        yield "a person name that is no pseudonym"
    if tag >> 16 & 1 and vr == "PN":
        yield "a private person name"
    if vr is None or vr in _TEXTS:
        yield from (what for what, pattern in _SUSPICIOUS.items() if pattern.search(value))


def _of_public(tag: int, value: bytes) -> Iterator[str]:
    row = row_of(tag)
    known = dictionary_has_tag(tag) or repeater_has_tag(tag)
    if row is not None and row.basic == "X" and not row.options:
        yield "an attribute that the Basic Profile removes"
    elif not known or tag & 0xFF000000 == _CURVE or tag in (_SIGNATURES, _PADDING):
        yield "an element that no clean file has"
    if tag == _BIRTH_DATE:
        yield "a date of birth"
    if tag in _PSEUDONYMOUS and not _is_stand_in(value):
        yield f"{_PSEUDONYMOUS[tag]} that is no pseudonym"


def _is_stand_in(value: bytes) -> bool:
    text = value.decode("latin-1")
    return text == REMOVED or _STAND_IN.fullmatch(text) is not None
