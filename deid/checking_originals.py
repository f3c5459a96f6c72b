# SPDX-License-Identifier: Apache-2.0
"""What the originals say of people, searched for in de-identified headers however it is written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from deid.checking import Finding
from deid.context import encodings_of
from deid.errors import DeidentificationError
from deid.identifiers import decoded_text, elements_of, told_texts, usual_vr
from deid.name_traces import NameTraces
from deid.parsing import RawDataSet
from deid.profile import row_of
from deid.pseudonyms import is_registered
from deid.reading import read
from deid.source_files import SourceFile
from deid.text import Kind, header_terms
from deid.vocabulary import code_words, folded, is_listed, words_of

_CHARACTER_SET, _BIRTH_DATE, _METHODS = 0x00080005, 0x00100030, 0x00120064
_RETAIN_UIDS = b"113110"
_NAMES = frozenset({Kind.PATIENT_NAME, Kind.PHYSICIAN_NAME, Kind.NAME})
_TEXTS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_BYTES = frozenset({"OB", "OW", "UN"})
# A table of colours or a mesh; what is so long is searched byte by byte alone.
_LONGEST_BYTES = 1 << 16
_SHORTEST_WORD, _SHORTEST_TRACE, _SHORTEST_NUMBER, _FEWEST_DIGITS = 5, 6, 6, 4
_RUN = re.compile(r"[a-z0-9]+(?:[ ./_\-]{1,2}[a-z0-9]+)*")
_SEPARATORS = re.compile(r"[ ./_\-]+")
_DATES = ("%Y%m%d", "%Y-%m-%d", "%Y.%m.%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y")


class OriginalIdentifiers:
    """Names, numbers, birth dates and UIDs of original files.

    Parameters
    ----------
    files:
        The originals; what can't be read is none that anything was made of.
    """

    def __init__(self, files: Iterable[SourceFile]) -> None:
        self._names: set[str] = set()
        self._numbers: set[str] = set()
        self._births: set[str] = set()
        self._uids: set[str] = set()
        for file in files:
            try:
                self._note(read(file.read(), pixels=False).header)
            except DeidentificationError:
                continue
        long = frozenset(name for name in self._names if len(name) >= _SHORTEST_TRACE)
        self._traces = NameTraces(long)
        told = "|".join(map(re.escape, sorted(self._births)))
        self._dates = re.compile(rf"(?<!\d)(?:{told})(?!\d)") if told else None

    def of(self, content: bytes) -> Iterator[Finding]:
        """Where the header of a de-identified file has one of them."""
        header = read(content, pixels=False).header
        encodings = encodings_of(header.text(_CHARACTER_SET))
        retained = _retains_uids(header)
        for tag, element in elements_of(header):
            vr = element.vr or usual_vr(tag)
            if element.has_items:
                continue
            if vr in _TEXTS:
                text = decoded_text(element, encodings)
                yield from (Finding(f"{tag:08X}", what) for what in self._of_text(text))
            elif vr in _BYTES and len(element.value) <= _LONGEST_BYTES:
                if self._traces.in_bytes(bytes(element.value)):
                    yield Finding(f"{tag:08X}", "a name of the originals")
            elif vr == "UI" and not retained:
                uids = decoded_text(element, encodings).split("\\")
                if not self._uids.isdisjoint(uid.strip(" \0") for uid in uids):
                    yield Finding(f"{tag:08X}", "a UID of the originals")

    def _of_text(self, text: str) -> Iterator[str]:
        words = {folded(word) for word in words_of(text)}
        if not self._names.isdisjoint(words) or any(map(self._traces.in_text, text.split())):
            yield "a name of the originals"
        runs = [_SEPARATORS.sub("", run) for run in _RUN.findall(text.lower())]
        if any(_has(run, number) for run in runs for number in self._numbers):
            yield "a number of the originals"
        if self._dates is not None and self._dates.search(text):
            yield "a birth date of the originals"

    def _note(self, header: RawDataSet) -> None:
        told = list(told_texts(header, encodings_of(header.text(_CHARACTER_SET))))
        for term in header_terms(told).terms:
            if term.kind in _NAMES:
                parts = (folded(part) for part in words_of(term.value))
                self._names.update(filter(_is_telling, parts))
            elif sum(map(str.isdigit, term.value)) >= _FEWEST_DIGITS:
                number = _SEPARATORS.sub("", term.value.lower())
                self._numbers.update({number} if len(number) >= _SHORTEST_NUMBER else ())
        for tag, vr, text in told:
            row = row_of(tag)
            if vr == "UI" and row is not None and "U" in row.basic:
                uids = (uid.strip(" \0") for uid in text.split("\\"))
                self._uids.update(uid for uid in uids if uid and not is_registered(uid))
        self._births.update(_written(header.text(_BIRTH_DATE)))


def _is_telling(name: str) -> bool:
    """Whether a part of a name is one wherever it stands, and no word of anatomy or of codes."""
    return len(name) >= _SHORTEST_WORD and name not in code_words() and not is_listed(name)


def _has(run: str, number: str) -> bool:
    """Whether a number is in a run of letters and digits; inside a longer number it is chance."""
    at = run.find(number)
    while at >= 0:
        before, after = run[:at][-1:], run[at + len(number) :][:1]
        if not (number[0].isdigit() and before.isdigit()) and not (
            number[-1].isdigit() and after.isdigit()
        ):
            return True
        at = run.find(number, at + 1)
    return False


def _written(birth: str) -> Iterator[str]:
    try:
        day = datetime.strptime(birth, "%Y%m%d")  # noqa: DTZ007 - a day, in no zone
    except ValueError:
        # None, or a part of one: it is no date that text would repeat.
        return
    yield from map(day.strftime, _DATES)


def _retains_uids(header: RawDataSet) -> bool:
    """Whether a file says that its UIDs are the original ones (PS3.16 CID 7050)."""
    methods = header.get(_METHODS)
    return methods is not None and _RETAIN_UIDS in bytes(methods.value)
