# SPDX-License-Identifier: Apache-2.0
"""HL7 version 2 observation reports (ORU^R01, HL7 2.5.1 chapter 7).

Identifiers are read from the typed fields; of the message only fields that are listed here leave,
with stand-ins, shifted dates and cleaned text in them. What is not listed leaves empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deid.dates import shifted_date_time
from deid.reports.errors import ReportError
from deid.reports.linking import References
from deid.text import Kind, KnownTerms

# Field by number, as in the chapters of the standard; an identifier's kind, or what becomes of it.
_IDENTIFIERS: dict[str, dict[int, Kind]] = {
    "PID": {
        2: Kind.PATIENT_ID, 3: Kind.PATIENT_ID, 4: Kind.PATIENT_ID, 18: Kind.IDENTIFIER,
        19: Kind.IDENTIFIER, 20: Kind.IDENTIFIER, 13: Kind.PHONE, 14: Kind.PHONE,
    },
    "PV1": {19: Kind.IDENTIFIER, 50: Kind.IDENTIFIER},
    "ORC": {2: Kind.IDENTIFIER, 3: Kind.ACCESSION_NUMBER},
    "OBR": {2: Kind.IDENTIFIER, 3: Kind.ACCESSION_NUMBER, 18: Kind.ACCESSION_NUMBER},
    "NK1": {5: Kind.PHONE, 6: Kind.PHONE},
}  # fmt: skip
_PERSONS: dict[str, dict[int, Kind]] = {
    "PID": {5: Kind.PATIENT_NAME, 6: Kind.NAME, 9: Kind.PATIENT_NAME},
    "PV1": dict.fromkeys((7, 8, 9, 17), Kind.PHYSICIAN_NAME),
    "ORC": dict.fromkeys((10, 11, 12), Kind.PHYSICIAN_NAME),
    "OBR": dict.fromkeys((10, 16, 28, 32, 33, 34, 35), Kind.PHYSICIAN_NAME),
    "OBX": dict.fromkeys((16,), Kind.PHYSICIAN_NAME),
    "NK1": {2: Kind.NAME},
}  # fmt: skip
# What may stay of a field, else it leaves empty (HL7 2.5.1 appendix A).
_COUNTER, _LETTERS, _TYPE = r"\d{0,4}", r"[A-Z]{0,3}", r"[A-Z0-9_]{0,8}"
_KEPT = {
    "MSH": {
        1: r".", 2: r"[^\w\s]{4,5}", 9: rf"{_TYPE}(\W{_TYPE}){{0,2}}", 11: r"[A-Z](\W[A-Z])?",
        12: r"\d[\d.]{0,8}", 18: r"[A-Z0-9 ./_~\-]{0,48}",
    },
    "PID": {1: _COUNTER, 8: r"[A-Z]?"},
    "PV1": {1: _COUNTER, 2: r"[A-Z]?"},
    "ORC": {1: _LETTERS, 5: _LETTERS},
    "OBR": {1: _COUNTER, 24: r"[A-Z]{0,5}", 25: r"[A-Z]?"},
    "OBX": {1: _COUNTER, 2: _LETTERS, 4: r"[\d.]{0,12}", 11: r"[A-Z]?"},
    "NTE": {1: _COUNTER, 2: r"[A-Z]?"},
}  # fmt: skip
# Coded entries: a code of a named scheme stays, the words beside it are read as text.
_CODED = {"OBR": {4}, "OBX": {3, 6}}
_CODED_TYPES = frozenset({"CE", "CWE", "CNE"})
_WORDS = (1, 4, 8)
_CODES = {0: 2, 3: 5}
_CODE = re.compile(r"[A-Za-z0-9_.\-/%\[\]{}*']{0,20}", re.ASCII)
_DIGITS = r"[+-]?\d{0,12}(?:\.\d{0,9})?"
_NUMBERS = {
    "NM": re.compile(rf" *{_DIGITS} *"),
    "SN": re.compile(rf"[<>=]{{0,2}}(\W{_DIGITS})?(\W[-+/.:]?)?(\W{_DIGITS})?"),
}
_DATES = {"MSH": {7}, "OBR": {6, 7, 8, 14, 22}, "OBX": {14, 19}, "ORC": {9}}
_TEXTS = {"OBX": {5}, "NTE": {3}, "OBR": {13, 31}}
_BREAK = re.compile(r"\.br|\.sp\+?\d*|\.in[+-]?\d+|\.ti[+-]?\d+|\.fi|\.nf|\.ce|H|N|\.sk\+?\d*")
_UIDS = re.compile(r"\d+(?:\.\d+){5,}")


@dataclass(frozen=True)
class _Segment:
    name: str
    fields: tuple[str, ...]

    def field(self, number: int) -> str:
        """By its number in the standard; empty where the segment is shorter."""
        return self.fields[number] if number < len(self.fields) else ""


class Hl7Report:
    """One message.

    Parameters
    ----------
    message:
        As received, segments ended by a carriage return (or line feeds).

    Raises
    ------
    ReportError
        If it has no message header.
    """

    def __init__(self, message: str) -> None:
        lines = [line for line in re.split(r"[\r\n]+", message.strip("\x0b\x1c\r\n ")) if line]
        if not lines or not lines[0].startswith("MSH") or len(lines[0]) < 8:
            raise ReportError("the report has no HL7 message header (MSH): send ORU^R01 messages")
        self._separator = lines[0][3]
        self._component: str = lines[0][4]
        self._repetition: str = lines[0][5]
        self._escape: str = lines[0][6]
        self._sub: str = lines[0][7]
        self._segments = [self._segment(line) for line in lines]

    def _segment(self, line: str) -> _Segment:
        fields = line.split(self._separator)
        if fields[0] == "MSH":
            fields.insert(1, self._separator)
        return _Segment(fields[0], tuple(fields))

    @property
    def known_terms(self) -> KnownTerms:
        """What the typed fields identify people and orders by."""
        return KnownTerms.of(self._terms())

    def _terms(self) -> Iterator[tuple[str, Kind]]:
        for segment in self._segments:
            for number, kind in _IDENTIFIERS.get(segment.name, {}).items():
                for value in self._values(segment.field(number)):
                    yield value[0], kind
            for number, kind in _PERSONS.get(segment.name, {}).items():
                # XCN has an identifier first, XPN has none (HL7 2.5.1 chapter 2A.88, 2A.87).
                skip = 0 if segment.name in ("PID", "NK1") else 1
                for value in self._values(segment.field(number)):
                    yield "^".join(value[skip : skip + 3]), kind
                    yield from ((value[0], Kind.IDENTIFIER) for _ in range(skip))
            if segment.name == "PID":
                for value in self._values(segment.field(11)):
                    yield from ((part, Kind.ADDRESS) for part in value[:1])

    def _values(self, field: str) -> Iterator[list[str]]:
        for repetition in field.split(self._repetition):
            if repetition:
                parts = repetition.split(self._component)
                yield [self._unescaped(part.replace(self._sub, " ")) for part in parts]

    @property
    def references(self) -> References:
        """What the report is linked to its study by."""
        patients = {self._first(s, 3) for s in self._segments if s.name == "PID"}
        accessions = {self._first(s, n) for s in self._segments if s.name == "OBR" for n in (18, 3)}
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

    def _first(self, segment: _Segment, number: int) -> str:
        return next((value[0].strip() for value in self._values(segment.field(number))), "")

    def texts(self) -> dict[str, str]:
        """The free text by segment and field (``5/OBX-5``, ``5/OBX-3/0.1``)."""
        found: dict[str, str] = {}
        for index, segment in enumerate(self._segments):
            for number in range(1, len(segment.fields)):
                key, field = f"{index}/{segment.name}-{number}", segment.field(number)
                if not field:
                    continue
                if self._is_coded(segment, number):
                    found |= self._words(key, field)
                elif self._is_text(segment, number):
                    found[key] = self._text(field)
        return found

    @staticmethod
    def _is_coded(segment: _Segment, number: int) -> bool:
        if (segment.name, number) == ("OBX", 5):
            return segment.field(2) in _CODED_TYPES
        return number in _CODED.get(segment.name, ())

    @staticmethod
    def _is_text(segment: _Segment, number: int) -> bool:
        if (segment.name, number) == ("OBX", 5):
            return segment.field(2) not in _NUMBERS
        return number in _TEXTS.get(segment.name, ())

    def _words(self, key: str, field: str) -> dict[str, str]:
        """The words of coded entries by repetition and component."""
        return {
            f"{key}/{number}.{at}": text
            for number, value in enumerate(self._values(field))
            for at, text in enumerate(value)
            if text and (at in _WORDS or at in _CODES) and not self._is_code(value, at)
        }

    @staticmethod
    def _is_code(value: list[str], at: int) -> bool:
        """Whether a component is a code, and of a scheme that is named."""
        scheme = _CODES.get(at, len(value))
        if scheme >= len(value) or not value[scheme]:
            return False
        return all(_CODE.fullmatch(value[one]) for one in (at, scheme))

    def _recoded(self, key: str, field: str, texts: Mapping[str, str]) -> str:
        made = []
        for number, value in enumerate(self._values(field)):
            clean = [texts.get(f"{key}/{number}.{at}", "") for at in range(len(value))]
            for code, scheme in _CODES.items():
                if self._is_code(value, code):
                    clean[code], clean[scheme] = value[code], value[scheme]
            made.append(self._component.join(map(self._escaped, clean)).rstrip(self._component))
        return self._repetition.join(made)

    def _text(self, field: str) -> str:
        return self._unescaped(field.replace(self._repetition, "\n"))

    def cleaned(self, texts: Mapping[str, str], references: References, days: int | None) -> str:
        """The message as it may leave.

        Parameters
        ----------
        texts:
            The cleaned ``texts``, by the same keys.
        references:
            The stand-ins of ``references``: first of each goes into PID-3 and OBR-3 and 18.
        days:
            The patient's date shift; without it dates leave empty.
        """
        lines = [
            self._cleaned(index, segment, texts, (references, days))
            for index, segment in enumerate(self._segments)
            if segment.name in _KEPT
        ]
        return "\r".join(lines) + "\r"

    def _cleaned(
        self,
        index: int,
        segment: _Segment,
        texts: Mapping[str, str],
        stand_ins: tuple[References, int | None],
    ) -> str:
        fields = [segment.name]
        for number in range(1, len(segment.fields)):
            key = f"{index}/{segment.name}-{number}"
            if self._is_coded(segment, number):
                fields.append(self._recoded(key, segment.field(number), texts))
            elif key in texts:
                fields.append(self._escaped(texts[key]))
            else:
                fields.append(self._kept(segment, number, *stand_ins))
        if segment.name == "MSH":
            del fields[1]
        return self._separator.join(fields).rstrip(self._separator)

    def _kept(self, segment: _Segment, number: int, links: References, days: int | None) -> str:
        name, value = segment.name, segment.field(number)
        if number in _KEPT[name]:
            return value if re.fullmatch(_KEPT[name][number], value) else ""
        if number in _DATES.get(name, ()) and days is not None:
            return shifted_date_time(value.split(self._component)[0], days) or ""
        if (name, number) == ("OBX", 5):
            pattern = _NUMBERS.get(segment.field(2))
            return value if pattern is not None and pattern.fullmatch(value) else ""
        stand_ins: frozenset[str] = frozenset()
        if name == "PID" and number == 3:
            stand_ins = links.patients
        elif name in ("OBR", "ORC") and number in (3, 18):
            stand_ins = links.accessions
        return min(stand_ins, default="") if value else ""

    def _unescaped(self, text: str) -> str:
        """Resolve the escape sequences of HL7 2.5.1 section 2.7."""
        names = {
            "F": self._separator, "S": self._component, "T": self._sub, "R": self._repetition,
            "E": self._escape,
        }  # fmt: skip
        mark = re.escape(self._escape)

        def resolved(match: re.Match[str]) -> str:
            code = match[1]
            if code in names:
                return names[code]
            return "\n" if _BREAK.fullmatch(code) and code not in "HN" else ""

        return re.sub(rf"{mark}([^{mark}\s]{{1,12}}){mark}", resolved, text)

    def _escaped(self, text: str) -> str:
        text = text.replace(self._escape, f"{self._escape}E{self._escape}")
        for code, letter in (
            ("F", self._separator), ("S", self._component), ("T", self._sub),
        ):  # fmt: skip
            text = text.replace(letter, f"{self._escape}{code}{self._escape}")
        text = text.replace(self._repetition, f"{self._escape}R{self._escape}")
        return text.replace("\n", f"{self._escape}.br{self._escape}")
