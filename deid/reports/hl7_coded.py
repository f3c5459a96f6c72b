# SPDX-License-Identifier: Apache-2.0
"""Coded entries of HL7 messages (CE, CWE; HL7 2.5.1 chapter 2A.3 and 2A.13).

A code stays where it has the form of its standard scheme, or is a short one of a named scheme; the
words beside it are read as text, and so is any other code.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from deid.codes import has_form_of
from deid.reports.linking import normalized
from deid.text import KnownTerms

_WORDS = (1, 4, 8)
_SCHEMES = {0: 2, 3: 5}
"""Component of the scheme by that of the code."""
_LOCAL = re.compile(r"[A-Z_]{1,4}|\d{1,4}|[A-Z]{1,2}\d{1,3}", re.ASCII)
"""Codes of schemes of a site that are too short for a name or a record number."""
_STANDARD = {
    "LN": "LN", "SCT": "SCT", "SNM": "SNM3", "SNM3": "SNM3", "SRT": "SRT", "DCM": "DCM",
    "RADLEX": "RADLEX", "UCUM": "UCUM", "CPT": "C4", "C4": "C4", "C5": "C5", "CPTM": "C4",
    "I9": "I9", "I9C": "I9C", "I10": "I10", "I10C": "I10C", "I10P": "I10P", "UMLS": "UMLS",
    "RXNORM": "RXNORM", "ICDO3": "ICDO3", "ACR": "ACR",
}  # fmt: skip
"""Designators of PS3.16 section 8 by those of HL7 table 0396."""
_SCHEME = re.compile(r"[A-Za-z0-9_.\-]{1,12}", re.ASCII)


class CodedField:
    """The coded entries of a field.

    Parameters
    ----------
    values:
        Components by repetition.
    """

    def __init__(self, values: list[list[str]]) -> None:
        self._values = values

    def texts(self) -> dict[str, str]:
        """Words, and codes that could be words, by repetition and component (``0.1``)."""
        return {
            f"{number}.{at}": text
            for number, value in enumerate(self._values)
            for at, text in enumerate(value)
            if text and (at in _WORDS or at in _SCHEMES) and not _is_code(value, at)
        }

    def cleaned(self, text: Callable[[str], str], known: KnownTerms) -> list[list[str]]:
        """Components by repetition as they may leave.

        Parameters
        ----------
        text:
            Gives the cleaned text of a key of ``texts``.
        known:
            Terms that no code may be.
        """
        numbers = {normalized(term.value) for term in known.terms}
        made = []
        for number, value in enumerate(self._values):
            clean = [text(f"{number}.{at}") for at in range(len(value))]
            for code, scheme in _SCHEMES.items():
                named = scheme < len(value) and _SCHEME.fullmatch(value[scheme])
                if code >= len(value):
                    continue
                if _is_code(value, code):
                    clean[code] = "" if normalized(value[code]) in numbers else value[code]
                if named and clean[code]:
                    clean[scheme] = value[scheme]
            made.append(clean)
        return made


def _is_code(value: list[str], at: int) -> bool:
    """Whether a component is a code, and of a scheme that is named."""
    scheme = _SCHEMES.get(at, len(value))
    if scheme >= len(value) or not _SCHEME.fullmatch(value[scheme]):
        return False
    standard = _STANDARD.get(value[scheme].upper())
    if standard is not None and has_form_of(standard, value[at]):
        return True
    return _LOCAL.fullmatch(value[at]) is not None
