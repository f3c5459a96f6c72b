# SPDX-License-Identifier: Apache-2.0
"""All texts of a study together: what one of them reveals is looked for in the others.

Reports, free-text elements of the headers and text read from pixels go into one blacklist, so a
name that only the report spells out is found in a comment of the images, and the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deid.reports.linking import Hasher
from deid.reports.pdf import PdfReport, set_anew
from deid.reports.plain import PlainReport
from deid.reports.report import Cleaning, Report
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
    _reports: dict[str, Report] = field(default_factory=dict)

    def add_header(self, key: str, texts: Mapping[str, str]) -> None:
        """Free-text elements of an instance or series."""
        self._add(key, texts)

    def add_pixels(self, key: str, lines: Mapping[str, str]) -> None:
        """Lines read from pixels."""
        self._add(key, lines)

    def add_plain(self, key: str, text: str) -> None:
        """A report in plain text."""
        self.add_report(key, PlainReport(text))

    def add_report(self, key: str, report: Report) -> None:
        """A report of any kind."""
        self._reports[key] = report
        self.known |= report.known_terms
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
        cleaning = Cleaning({}, frozenset(self.known.name_parts), self.known, hasher, date_shift)
        return CleanStudyTexts(texts, dict(self._reports), cleaning)


@dataclass(frozen=True)
class CleanStudyTexts:
    """What may leave.

    Attributes
    ----------
    texts:
        By key and part, as they were added.
    """

    texts: dict[str, dict[str, CleanText]]
    _reports: dict[str, Report]
    _cleaning: Cleaning

    def plain(self, key: str) -> str:
        """A plain report, or all parts of anything else, page by page."""
        return "\n".join(text.text for text in self.texts[key].values())

    def report(self, key: str) -> bytes:
        """A report in its own form; without a hasher its identifiers leave empty.

        Raises
        ------
        ReportError
            If it can't be made.
        """
        return self._reports[key].cleaned(self._cleaning._replace(texts=self.texts.get(key, {})))

    def pdf(self, key: str) -> bytes:
        """A PDF set anew from the cleaned text of any report."""
        if isinstance(self._reports.get(key), PdfReport):
            return self.report(key)
        return set_anew([text.text for text in self.texts[key].values()])
