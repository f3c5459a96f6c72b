# SPDX-License-Identifier: AGPL-3.0-or-later
"""HL7 v2 encoding rules: delimiters, escape sequences, data types (2.5.1, chapters 2 and 2.A)."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from datetime import datetime

from plugin.doors.concepts import Concept
from plugin.doors.result import Coded

ENCODING_CHARACTERS = "^~\\&"
ENCODINGS = {"UNICODE UTF-8": "utf-8", "8859/1": "iso-8859-1", "ASCII": "ascii"}
"""HL7 table 0211 to Python's codecs."""

_ESCAPES = {"|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\\": "\\E\\"}
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")
_TIME = re.compile(r"(\d{8})(\d{2}(?:\d{2}(?:\d{2})?)?)?")


def escape(text: str) -> str:
    """Text of one component: delimiters escaped (section 2.7.1), control characters a space."""
    line = _CONTROLS.sub(" ", text).strip()
    return "".join(_ESCAPES.get(character, character) for character in line)


def field(*components: str) -> str:
    """Components, each escaped, without empty ones at the end."""
    return "^".join(escape(component) for component in components).rstrip("^")


def segment(name: str, fields: dict[int, str]) -> str:
    """A segment from its fields by number; what is not given is empty."""
    last = max(fields)
    return "|".join([name, *(fields.get(number, "") for number in range(1, last + 1))])


def coded(code: Coded | Concept) -> str:
    """A code as CWE; HL7 table 0396 names the schemes as DICOM does."""
    return field(code.value, code.meaning, code.scheme)


def formatted(lines: Iterable[str]) -> str:
    r"""Lines as FT, divided by ``\.br\`` (section 2.7.6)."""
    return "\\.br\\".join(escape(line) for line in lines)


def encapsulated(lines: Iterable[str]) -> str:
    """Lines as ED: plain text, UTF-8, Base64 (section 2.A.24)."""
    content = base64.b64encode("\r\n".join(lines).encode()).decode("ascii")
    return field("", "TEXT", "plain", "Base64", content)


def person_name(name: str) -> str:
    """A DICOM person name (PS3.5 section 6.2.1) as XPN, whose last two components are swapped."""
    parts = [part.strip() for part in name.split("=", maxsplit=1)[0].split("^")] + [""] * 5
    family, given, middle, prefix, suffix = parts[:5]
    return field(family, given, middle, suffix, prefix)


def moment(iso: str) -> str:
    """An ISO 8601 time with its offset as TS."""
    return datetime.fromisoformat(iso).strftime("%Y%m%d%H%M%S%z")


def dicom_moment(date: str, time: str) -> str:
    """A DICOM date and time as TS, to the second; empty where the date is none."""
    found = _TIME.fullmatch(date + time.partition(".")[0]) or _TIME.fullmatch(date)
    return found.group() if found else ""
