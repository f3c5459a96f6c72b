# SPDX-License-Identifier: Apache-2.0
"""HL7 version 2 observation reports (ORU^R01, HL7 2.5.1 chapter 7).

Identifiers are read from the typed fields; of the message only fields that are listed leave, with
stand-ins, shifted dates and cleaned text in them. What is not listed leaves empty. Documents in it
(PDF, RTF, HTML, text) are cleaned as reports of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from deid.dates import shifted_date_time
from deid.reports import hl7_embedded
from deid.reports.errors import ReportError
from deid.reports.hl7_coded import CodedField
from deid.reports.hl7_fields import (
    ADDRESSES,
    CODED,
    CODED_TYPES,
    DATE_TYPES,
    DATES,
    EMBEDDED_TYPE,
    IDENTIFIERS,
    INSTITUTIONS,
    KEPT,
    NAMED_TYPES,
    NUMBERS,
    PERSONS,
    PLAIN_NAMES,
    READERS,
    TEXT_TYPES,
    TEXTS,
)
from deid.reports.hl7_syntax import Segment, Syntax
from deid.reports.known_numbers import tells_a_known_number
from deid.reports.linking import References
from deid.reports.report import Cleaning, Report
from deid.text import Kind, KnownTerms

_UIDS = re.compile(r"\d+(?:\.\d+){5,}")
_LINED = frozenset({"TX", "FT"})
_CHARACTER_SET = 18
_DAY = len("YYYYMMDD")


def _refused(_: bytes) -> Report:
    """Opens nothing: documents leave empty."""
    raise ReportError("documents in the message are not opened")


class Hl7Report:
    """One message.

    Parameters
    ----------
    message:
        As received, segments ended by a carriage return (or line feeds).
    opener:
        Opens documents in it; without one they leave empty.

    Raises
    ------
    ReportError
        If it has no message header, or several.
    """

    suffix = "hl7"

    def __init__(self, message: str, opener: hl7_embedded.Opener = _refused) -> None:
        lines = [line for line in re.split(r"[\r\n]+", message.strip("\x0b\x1c\r\n ")) if line]
        self._syntax = Syntax.of(lines[0] if lines else "")
        if sum(line.startswith("MSH") for line in lines) > 1:
            raise ReportError("the report has several HL7 messages: open each by itself")
        self._segments = [self._syntax.segment(line) for line in lines]
        self._embedded = {
            index: self._documents(segment, opener)
            for index, segment in enumerate(self._segments)
            if self._is_embedded(segment)
        }
        self._blocks = dict(self._runs())

    def _is_embedded(self, segment: Segment) -> bool:
        if segment.name != "OBX":
            return False
        values = self._syntax.values(segment.field(5))
        return segment.field(2) == EMBEDDED_TYPE or any(map(hl7_embedded.looks_encoded, values))

    def _documents(self, segment: Segment, opener: hl7_embedded.Opener) -> list[Report | None]:
        values = hl7_embedded.documents(list(self._syntax.values(segment.field(5))))
        return [hl7_embedded.opened(one, opener) for one in values]

    def _runs(self) -> Iterator[tuple[int, list[int]]]:
        """Lines of one text: segments that follow each other, by the first of them."""
        run: list[int] = []
        for index, segment in enumerate(self._segments):
            before = self._segments[run[-1]] if run else None
            if before and self._is_line(segment) and segment.field(3) == before.field(3):
                run.append(index)
                continue
            if run:
                yield run[0], run
            run = [index] if self._is_line(segment) else []
        if run:
            yield run[0], run

    def _is_line(self, segment: Segment) -> bool:
        lined = segment.name == "OBX" and segment.field(2) in _LINED
        return lined and not self._is_embedded(segment)

    @property
    def known_terms(self) -> KnownTerms:
        """What the typed fields identify people and orders by."""
        terms = KnownTerms.of(one for segment in self._segments for one in self._terms_of(segment))
        for report in (one for some in self._embedded.values() for one in some if one):
            terms |= report.known_terms
        return terms

    def _terms_of(self, segment: Segment) -> Iterator[tuple[str, Kind]]:
        name = segment.name
        for number, kind in IDENTIFIERS.get(name, {}).items():
            for value in self._syntax.values(segment.field(number)):
                yield value[0], kind
                if kind is Kind.PHONE:
                    yield from ((part, kind) for part in value[1:] if part)
        for number, kind in PERSONS.get(name, {}).items():
            yield from self._person(segment, number, kind)
        for numbers, kind in ((ADDRESSES, Kind.ADDRESS), (INSTITUTIONS, Kind.INSTITUTION)):
            for number in numbers.get(name, ()):
                for value in self._syntax.values(segment.field(number)):
                    yield value[0], kind
        if name == "OBX" and segment.field(2) in NAMED_TYPES:
            yield from self._observed(segment)

    def _person(self, segment: Segment, number: int, kind: Kind) -> Iterator[tuple[str, Kind]]:
        field = segment.field(number)
        if (segment.name, number) in READERS:
            field = field.split(self._syntax.component)[0].replace(
                self._syntax.sub, self._syntax.component
            )
        skip = 0 if (segment.name, number) in PLAIN_NAMES else 1
        for value in self._syntax.values(field):
            yield "^".join(value[skip : skip + 3]), kind
            yield from ((value[0], Kind.IDENTIFIER) for _ in range(skip))

    def _observed(self, segment: Segment) -> Iterator[tuple[str, Kind]]:
        """What an observation of a type for people says."""
        kind = NAMED_TYPES[segment.field(2)]
        for value in self._syntax.values(segment.field(5)):
            if kind is not Kind.NAME:
                yield value[0], kind
                continue
            skip = int(segment.field(2) in ("XCN", "CN"))
            yield "^".join(value[skip : skip + 3]), kind

    @property
    def references(self) -> References:
        """What the report is linked to its study by."""
        patients = {self._first(s, 3) for s in self._segments if s.name == "PID"}
        # By IHE in OBR-18; many systems have it as the filler's or the placer's order number.
        orders = [segment for segment in self._segments if segment.name == "OBR"]
        accessions = {self._first(order, number) for order in orders for number in (18, 3, 2)}
        studies = {
            uid
            for segment in self._segments
            if segment.name in ("OBX", "ZDS", "IPC")
            for field in segment.fields
            for uid in _UIDS.findall(field)
        }
        return References(
            frozenset(patients - {""}), frozenset(accessions - {""}), frozenset(studies)
        )

    @property
    def mentioned(self) -> frozenset[str]:
        """None: the typed fields say it."""
        return frozenset()

    def _first(self, segment: Segment, number: int) -> str:
        values = self._syntax.values(segment.field(number))
        return next((value[0].strip() for value in values), "")

    def texts(self) -> dict[str, str]:
        """The free text by segment and field (``5/OBX-5``, ``5/OBX-3/0.1``, ``6/OBX-5/0/page 1``).

        Lines of one text are one, under the first of their segments.
        """
        found: dict[str, str] = {}
        for index, segment in enumerate(self._segments):
            for number in range(1, len(segment.fields)):
                found |= self._texts_of(index, segment, number)
        return found

    def _texts_of(self, index: int, segment: Segment, number: int) -> dict[str, str]:
        key, field = f"{index}/{segment.name}-{number}", segment.field(number)
        if not field:
            return {}
        if number == 5 and index in self._embedded:
            return {
                f"{key}/{at}/{part}": text
                for at, report in enumerate(self._embedded[index])
                if report is not None
                for part, text in report.texts().items()
            }
        if self._is_coded(segment, number):
            return {f"{key}/{at}": text for at, text in self._coded(field).texts().items()}
        if not self._is_text(segment, number):
            return {}
        if segment.name == "OBX" and self._is_line(segment):
            lines = [self._segments[one].field(5) for one in self._blocks.get(index, ())]
            return {key: "\n".join(map(self._syntax.text, lines))} if lines else {}
        return {key: self._syntax.text(field)}

    def _coded(self, field: str) -> CodedField:
        return CodedField(list(self._syntax.values(field)))

    @staticmethod
    def _is_coded(segment: Segment, number: int) -> bool:
        if (segment.name, number) == ("OBX", 5):
            return segment.field(2) in CODED_TYPES
        return number in CODED.get(segment.name, ())

    @staticmethod
    def _is_text(segment: Segment, number: int) -> bool:
        if (segment.name, number) == ("OBX", 5):
            return segment.field(2) in TEXT_TYPES
        return number in TEXTS.get(segment.name, ())

    def cleaned(self, cleaning: Cleaning) -> bytes:
        """The message as it may leave, in UTF-8, segments ended by a carriage return.

        The stand-in of the patient's number goes into PID-3, that of the accession number into
        OBR-3 and 18 and ORC-3.
        """
        stand_ins = self.references.hashed(cleaning.stand_in)
        lines = self._shared_out(cleaning)
        segments = [
            self._cleaned(index, (cleaning, stand_ins), lines)
            for index, segment in enumerate(self._segments)
            if segment.name in KEPT
        ]
        return "".join(f"{segment}\r" for segment in segments).encode()

    def _shared_out(self, cleaning: Cleaning) -> dict[int, str]:
        """The lines of each text on the segments they came in; all in the first if they differ."""
        found: dict[int, str] = {}
        for first, run in self._blocks.items():
            text = cleaning.text(f"{first}/OBX-5")
            counts = [
                self._syntax.text(self._segments[one].field(5)).count("\n") + 1 for one in run
            ]
            lines = text.split("\n")
            if len(lines) != sum(counts):
                found |= dict.fromkeys(run, "") | {first: text}
                continue
            for one, count in zip(run, counts, strict=True):
                found[one], lines = "\n".join(lines[:count]), lines[count:]
        return found

    def _cleaned(self, index: int, made: tuple[Cleaning, References], lines: dict[int, str]) -> str:
        segment = self._segments[index]
        cleaning, stand_ins = made
        fields = [segment.name]
        for number in range(1, len(segment.fields)):
            key = f"{index}/{segment.name}-{number}"
            if number == 5 and index in self._embedded:
                fields.append(self._reembedded(self._embedded[index], key, cleaning))
            elif self._is_coded(segment, number):
                coded = self._coded(segment.field(number))
                clean = coded.cleaned(cleaning.of(key).text, cleaning.known)
                fields.append(self._joined(clean))
            elif number == 5 and index in lines:
                fields.append(self._syntax.escaped(lines[index]))
            elif key in cleaning.texts:
                fields.append(self._syntax.escaped(cleaning.text(key)))
            else:
                fields.append(self._kept(segment, number, stand_ins, cleaning))
        if index in self._embedded:
            fields[2] = EMBEDDED_TYPE
        if segment.name == "MSH":
            fields += [""] * (_CHARACTER_SET + 1 - len(fields))
            fields[_CHARACTER_SET] = "UNICODE UTF-8"
            del fields[1]
        return self._syntax.field.join(fields).rstrip(self._syntax.field)

    def _reembedded(self, some: list[Report | None], key: str, cleaning: Cleaning) -> str:
        documents = [
            hl7_embedded.cleaned(report, cleaning.of(f"{key}/{at}"))
            for at, report in enumerate(some)
            if report is not None
        ]
        return self._joined(documents)

    def _joined(self, values: list[list[str]]) -> str:
        component = self._syntax.component
        made = [component.join(map(self._syntax.escaped, one)).rstrip(component) for one in values]
        return self._syntax.repetition.join(made)

    def _kept(self, segment: Segment, number: int, links: References, cleaning: Cleaning) -> str:
        name, value = segment.name, segment.field(number)
        if number in KEPT[name]:
            fits = re.fullmatch(KEPT[name][number], value) is not None
            return value if fits and not self._is_known(value, cleaning) else ""
        if (name, number) == ("OBX", 5):
            return self._observation(segment.field(2), value, cleaning)
        if number in DATES.get(name, ()):
            return self._date(value, cleaning.days)
        stand_ins: frozenset[str] = frozenset()
        if name == "PID" and number == 3:
            stand_ins = links.patients
        elif name in ("OBR", "ORC") and number in (3, 18):
            stand_ins = links.accessions
        return min(stand_ins - {""}, default="") if value else ""

    def _observation(self, kind: str, value: str, cleaning: Cleaning) -> str:
        """A number that nobody is known by, or a date; of other types nothing."""
        if kind in DATE_TYPES:
            return self._date(value, cleaning.days)
        pattern = NUMBERS.get(kind)
        if pattern is None or not pattern.fullmatch(value):
            return ""
        return "" if self._is_known(value, cleaning) else value

    def _is_known(self, value: str, cleaning: Cleaning) -> bool:
        """Whether a number is one that somebody is known by, or a date of birth."""
        return tells_a_known_number(value, cleaning.known, self._births)

    @property
    def _births(self) -> set[str]:
        """Dates of birth, as year, month and day (PID-7)."""
        found = (segment.field(7)[:_DAY] for segment in self._segments if segment.name == "PID")
        return {day for day in found if len(day) == _DAY and day.isdigit()}

    def _date(self, value: str, days: int | None) -> str:
        if days is None or value[:_DAY] in self._births:
            # Shifted, a date of birth would still tell the age to the day.
            return ""
        return shifted_date_time(value.split(self._syntax.component, maxsplit=1)[0], days) or ""
