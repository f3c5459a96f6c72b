# SPDX-License-Identifier: Apache-2.0
"""Code sequences in a cell of a table: how programs that write tables put them into one text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

# (69536005, SCT, "Head") of reports and of pydicom; 69536005^SCT^Head of HL7 (CWE).
_TRIPLET = re.compile(r'\(\s*([\w.\-]+)\s*,\s*(\w+)\s*,\s*"([^"]*)"\s*\)')
_CARETS = re.compile(r"([\w.\-]+)\^([^^]*)\^(\w+)")
_CARETS_AS_DICOM = re.compile(
    r"([\w.\-]+)\^(SCT|SRT|SNM3|99SDM|DCM|LN|RADLEX)\^([^^]*)", re.IGNORECASE
)
_NAMED = re.compile(r"(SCT|SRT|SNM3|99SDM|LN|RADLEX)\s*[:|]\s*([\w.\-]+)", re.IGNORECASE)
_SNOMED_CT = re.compile(r"\d{6,18}")
_SNOMED_RT = re.compile(r"[A-Z]-[0-9A-F]{4,6}")

Triplet = tuple[str, str, str]
"""Value, scheme, meaning; empty where not said."""


def codes_in(cell: str) -> Iterator[Triplet | dict[str, Any]]:
    """The codes that a cell holds; items of DICOM JSON as they are; words are meanings.

    Read are JSON, ``(69536005, SCT, "Head")``, ``69536005^SCT^Head``, ``69536005^Head^SCT``,
    ``SCT:69536005``, and the value alone where only SNOMED has such values; several of these are
    separated by a backslash, as DICOM separates values (PS3.5 section 6.4), or a semicolon.
    Words beside a code are a meaning of their own; a cell without any code is one meaning.
    """
    text = cell.strip()
    if text[:1] in ("[", "{"):
        try:
            read = json.loads(text)
        except ValueError:
            read = None
        items = read if isinstance(read, list) else [read]
        if items and all(isinstance(item, dict) for item in items):
            yield from items
            return
    if triplets := _TRIPLET.findall(text):
        yield from triplets
        return
    parts = [part.strip() for part in re.split(r"[\\;]", text) if part.strip()]
    coded = [_coded(part) for part in parts]
    if any(coded):
        yield from (one or ("", "", part) for one, part in zip(coded, parts, strict=True))
    else:
        yield "", "", text


def _coded(part: str) -> Triplet | None:
    if found := _CARETS_AS_DICOM.fullmatch(part):
        return found[1], found[2], found[3]
    if found := _CARETS.fullmatch(part):
        return found[1], found[3], found[2]
    if found := _NAMED.fullmatch(part):
        return found[2], found[1].upper(), ""
    if _SNOMED_CT.fullmatch(part):
        return part, "SCT", ""
    return (part, "SRT", "") if _SNOMED_RT.fullmatch(part) else None
