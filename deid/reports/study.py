# SPDX-License-Identifier: Apache-2.0
"""All texts of a study together: what one of them reveals is looked for in the others.

Reports, free-text elements of the headers and text read from pixels go into one blacklist, so a
name that only the report spells out is found in a comment of the images, and the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deid.reports.hl7 import Hl7Report
from deid.reports.linking import Hasher, References
from deid.reports.pdf import PdfReport, set_anew
from deid.text import CleanText, KnownTerms, TextDeidentifier


@dataclass
class StudyTexts:
    """Texts of one patient's study and its reports.

    Attributes
    ----------
    known:
        Terms of the headers' typed fields; those of the reports are added.
    """

    known: KnownTerms = field(default_factory=KnownTerms)
    _texts: dict[tuple[str, str], str] = field(default_factory=dict)
    _hl7: dict[str, Hl7Report] = field(default_factory=dict)
    _pdf: dict[str, PdfReport] = field(default_factory=dict)

    def add_header(self, key: str, texts: Mapping[str, str]) -> None:
        """Free-text elements of an instance or series."""
        self._add(key, texts)

    def add_pixels(self, key: str, lines: Mapping[str, str]) -> None:
        """Lines read from pixels."""
        self._add(key, lines)

    def add_plain(self, key: str, text: str) -> None:
        """A report in plain text."""
        self._add(key, {"": text})

    def add_hl7(self, key: str, report: Hl7Report) -> None:
        """A report in HL7."""
        self._hl7[key] = report
        self.known |= report.known_terms
        self._add(key, report.texts())

    def add_pdf(self, key: str, report: PdfReport) -> None:
        """A report in PDF."""
        self._pdf[key] = report
        self._add(key, report.texts())

    def _add(self, key: str, texts: Mapping[str, str]) -> None:
        self._texts |= {(key, part): text for part, text in texts.items()}

    def cleaned(
        self, date_shift: int | None = None, hasher: Hasher | None = None
    ) -> CleanStudyTexts:
        """Clean everything, with one blacklist."""
        deidentifier = TextDeidentifier(self.known, date_shift, hasher)
        joined = {"\x1f".join(key): text for key, text in self._texts.items()}
        cleaned = deidentifier.clean_all(joined)
        texts: dict[str, dict[str, CleanText]] = {}
        for name, text in cleaned.items():
            key, part = name.split("\x1f", 1)
            texts.setdefault(key, {})[part] = text
        names = frozenset(self.known.name_parts)
        reports = _Reports(dict(self._hl7), dict(self._pdf), names)
        return CleanStudyTexts(texts, reports, date_shift, hasher)


@dataclass(frozen=True)
class _Reports:
    """The reports as they came, and the words of names that are known."""

    hl7: dict[str, Hl7Report]
    pdf: dict[str, PdfReport]
    names: frozenset[str]


@dataclass(frozen=True)
class CleanStudyTexts:
    """What may leave.

    Attributes
    ----------
    texts:
        By key and part, as they were added.
    """

    texts: dict[str, dict[str, CleanText]]
    _reports: _Reports
    _days: int | None
    _hasher: Hasher | None

    def plain(self, key: str) -> str:
        """A plain report, or all parts of anything else, page by page."""
        return "\n".join(text.text for text in self.texts[key].values())

    def hl7(self, key: str) -> str:
        """An HL7 message with stand-ins; without a hasher identifiers leave empty."""
        report = self._reports.hl7[key]
        links = References() if self._hasher is None else report.references.hashed(self._hasher)
        parts = {part: text.text for part, text in self.texts.get(key, {}).items()}
        return report.cleaned(parts, links, self._days)

    def pdf(self, key: str) -> bytes:
        """A PDF set anew from the cleaned text of any report."""
        report = self._reports.pdf.get(key)
        if report is None:
            return set_anew([text.text for text in self.texts[key].values()])
        return report.cleaned(self.texts[key], self._reports.names)
