# SPDX-License-Identifier: Apache-2.0
"""The separators of an HL7 version 2 message, and its escape sequences (HL7 2.5.1 section 2.7)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from deid.reports.errors import ReportError

_BREAK = re.compile(r"\.(?:br|sp ?\+?\d*|in ?[+-]?\d+|ti ?[+-]?\d+|sk ?\+?\d*|fi|nf|ce)")
_LINES = re.compile(r"\r\n?|\n")
_CONTROLS = re.compile(r"[\0-\x08\x0b-\x1f\x7f]")


class Segment(NamedTuple):
    """One line of a message.

    Attributes
    ----------
    name:
        ``PID`` and its like.
    fields:
        By their number in the standard; the first is the name.
    """

    name: str
    fields: tuple[str, ...]

    def field(self, number: int) -> str:
        """Empty where the segment is shorter."""
        return self.fields[number] if number < len(self.fields) else ""


class Syntax(NamedTuple):
    """What parts the message: MSH-1 and MSH-2."""

    field: str
    component: str
    repetition: str
    escape: str
    sub: str

    @classmethod
    def of(cls, header: str) -> Syntax:
        """That of a message header segment.

        Raises
        ------
        ReportError
            If it is none, or its separators are letters, digits or equal.
        """
        marks = header[3:8]
        fits = header.startswith("MSH") and len(set(marks)) == len(marks) == 5
        if not fits or any(mark.isalnum() or mark.isspace() for mark in marks):
            raise ReportError("the report has no HL7 message header (MSH): send ORU^R01 messages")
        return cls(*marks)

    def segment(self, line: str) -> Segment:
        """A line in its fields."""
        fields = line.split(self.field)
        if fields[0] == "MSH":
            fields.insert(1, self.field)
        return Segment(fields[0], tuple(fields))

    def values(self, field: str) -> Iterator[list[str]]:
        """Components by repetition, escapes resolved; sub-components side by side."""
        for repetition in field.split(self.repetition):
            if repetition:
                parts = repetition.split(self.component)
                yield [self.unescaped(part.replace(self.sub, " ")) for part in parts]

    def text(self, field: str) -> str:
        """A field as text, a repetition a line."""
        return self.unescaped(field.replace(self.repetition, "\n"))

    def unescaped(self, text: str) -> str:
        """Without escape sequences: what they stand for, a line break, or nothing."""
        names = {
            "F": self.field, "S": self.component, "T": self.sub, "R": self.repetition,
            "E": self.escape,
        }  # fmt: skip
        mark = re.escape(self.escape)

        def resolved(match: re.Match[str]) -> str:
            code = match[1]
            if code in names:
                return names[code]
            if code in ("H", "N"):
                return ""  # highlighting, in the middle of a word too
            if code[0] == "X":
                return _spelled(code[1:])
            return "\n" if _BREAK.fullmatch(code) else " "

        return re.sub(
            rf"{mark}([FSTREHN]|X(?:[0-9A-Fa-f]{{2}})+|[CMZ]\w{{1,12}}|\.[a-z]{{2}}[ +\d-]{{0,6}})"
            rf"{mark}", resolved, text,
        )  # fmt: skip

    def escaped(self, text: str) -> str:
        """With escape sequences for separators and line breaks; one line without controls."""
        text = text.replace(self.escape, f"{self.escape}E{self.escape}")
        for code, letter in (
            ("F", self.field), ("S", self.component), ("T", self.sub), ("R", self.repetition),
        ):  # fmt: skip
            text = text.replace(letter, f"{self.escape}{code}{self.escape}")
        return _CONTROLS.sub(" ", _LINES.sub(lambda _: f"{self.escape}.br{self.escape}", text))


def _spelled(digits: str) -> str:
    """Letters that are spelled in hexadecimal digits."""
    data = bytes.fromhex(digits)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    return _LINES.sub("\n", text)
