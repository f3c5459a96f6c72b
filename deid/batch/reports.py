# SPDX-License-Identifier: Apache-2.0
"""Cleans the reports of the studies of a run together with them, and links both by stand-ins.

What a report reveals is searched for in the headers and pixels of its patient's studies, and what
the headers say in the reports.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from deid.batch.settings import Settings
from deid.batch.studies import Patient, patients_of
from deid.documents import scanned as documents
from deid.documents.scanned_report import ScannedPdfReport
from deid.errors import OutputError
from deid.options import Option
from deid.policy import ScannedPages
from deid.pseudonyms import Pseudonyms
from deid.reports import (
    LinkIndex,
    PdfReport,
    References,
    Report,
    ReportError,
    ReportOpener,
    StudyTexts,
)
from deid.reports.linking import normalized
from deid.revealed import Revealed
from deid.source_files import SourceFile
from deid.text import Kind, KnownTerms, TextDeidentifier

FOLDER, LINKS = "reports", "links.json"
_SUFFIXES = frozenset(
    str.split(
        ".hl7 .oru .mllp .er7 .txt .text .pdf .rtf .htm .html .xhtml .docx .doc .odt .xml "
        ".json .fhir"
    )
)
"""By which files count as reports; what each is its content tells, and what is none is refused."""
_SHORTEST_REFERENCE = 4
_NAME_BYTES = 16


class _Report(NamedTuple):
    """A report as it came, under the name of what is made of it."""

    name: str
    content: Report


@dataclass
class CleanReports:
    """What was made of the reports of a run.

    Attributes
    ----------
    revealed:
        What they say of the studies, for the images.
    files:
        Content by name.
    links:
        Names of reports by the new Study Instance UID of each study, and the other way round.
    refused:
        How many were refused for which reason.
    passed_over:
        Files of the folder whose names are not those of reports.
    """

    revealed: Revealed
    files: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    passed_over: int = 0

    @property
    def unlinked(self) -> int:
        """How many reports belong to none of the studies."""
        return sum(not studies for studies in self.links["reports"].values())

    def write(self, out: Path) -> None:
        """Write them below the output folder.

        Raises
        ------
        OutputError
            If that fails.
        """
        folder = out / FOLDER
        told = json.dumps(self.links, indent=1, sort_keys=True).encode()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, content in {**self.files, LINKS: told}.items():
                (folder / name).write_bytes(content)
        except OSError as error:
            raise OutputError(f"can't write to the output folder: {error.strerror}") from None


def clean_reports(settings: Settings, files: Sequence[SourceFile], folder: Path) -> CleanReports:
    """Read, link and clean all reports of a folder.

    Parameters
    ----------
    settings:
        Of the run.
    files:
        Of the studies; their headers are read.
    folder:
        With HL7 messages, FHIR in XML or JSON, PDF, RTF, HTML, DOCX and texts, at any depth.

    Raises
    ------
    DeidentificationError
        If the key can't be read.
    """
    refused: Counter[str] = Counter()
    others: Counter[str] = Counter()
    reports = list(_read(folder, settings, refused, others))
    patients = patients_of(files)
    linked = _linked(reports, patients)
    made = CleanReports(Revealed({}), refused=refused, passed_over=others.total())
    by_study: dict[str, KnownTerms] = {}
    to_studies: dict[str, list[str]] = {report.name: [] for report in reports}
    pseudonyms = settings.pseudonyms()
    for key, some in linked.items():
        patient = patients.get(key)
        texts = StudyTexts(patient.known if patient else KnownTerms())
        for report in some:
            texts.add_report(report.name, report.content)
        texts.add_header("header", patient.free_texts if patient else {})
        _clean(some, texts, _Stand(patient, pseudonyms, settings.options), made)
        if patient is not None:
            terms = _terms(texts.known, some)
            for study in patient.studies:
                by_study[study] = terms
            for report in some:
                told = _studies(report, patient)
                to_studies[report.name] = sorted(map(pseudonyms.uid, told))
    made.revealed = Revealed(by_study)
    made.links = {"reports": to_studies, "studies": _turned(to_studies)}
    return made


def _read(
    folder: Path, settings: Settings, refused: Counter[str], others: Counter[str]
) -> Iterable[_Report]:
    key = settings.key().derive("report name")
    scans = _Scans(settings.policy.scanned_pages)
    opener = ReportOpener(scans.opened)
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        if path.suffix.lower() not in _SUFFIXES:
            others["passed over"] += 1
            continue
        try:
            content = path.read_bytes()
            reports = opener.reports(content)
        except ReportError as error:
            refused[str(error)] += 1
            continue
        except OSError as error:
            # Without the name of the file, which may be a person's.
            refused[f"can't read the file: {error.strerror}"] += 1
            continue
        for number, report in enumerate(reports):
            # Messages of one file by their place in it, so that equal ones are two.
            named = content + f"\0{number}".encode() if number else content
            name = hashlib.blake2b(named, digest_size=_NAME_BYTES, key=key).hexdigest()
            yield _Report(f"{name}.{report.suffix}", report)


class _Scans:
    """Opens PDF; its reader of scanned pages is loaded with the first."""

    def __init__(self, decision: ScannedPages) -> None:
        self._decision = decision

    def opened(self, content: bytes) -> PdfReport:
        """One PDF, of which some pages may be scanned."""
        return ScannedPdfReport(content, self._decision, self._scanned)

    @cached_property
    def _scanned(self) -> documents.ScannedPages:
        return documents.ScannedPages()


def _linked(
    reports: Sequence[_Report], patients: Mapping[str, Patient]
) -> dict[str, list[_Report]]:
    """Reports by the key of their patient; those of nobody by their own name."""
    index = LinkIndex()
    for key, patient in patients.items():
        index.add_study(key, _normal(patient.references))
    found: dict[str, list[_Report]] = defaultdict(list)
    known = [_normal(patient.references) for patient in patients.values()]
    for report in reports:
        named = _named(report, known)
        # One that tells of a study that is not here is its patient's all the same.
        owners = index.studies_of(named) or index.studies_of(References(named.patients))
        # Numbers of two patients: whose it is can't be told, so it is nobody's.
        found[next(iter(owners)) if len(owners) == 1 else report.name].append(report)
    return dict(found)


def _normal(references: References) -> References:
    """References as they are compared: without separators and case."""
    return references.hashed(lambda _, value: value)


def _named(report: _Report, known: Sequence[References]) -> References:
    """What a report names of all that is known; typed fields come first."""
    typed = _normal(report.content.references)
    mentioned = report.content.mentioned
    told = {normalized(word) for word in mentioned}
    told = {word for word in told if len(word) >= _SHORTEST_REFERENCE}
    return References(
        typed.patients or frozenset(told & {value for one in known for value in one.patients}),
        typed.accessions or frozenset(told & {value for one in known for value in one.accessions}),
        typed.studies or frozenset(mentioned & {value for one in known for value in one.studies}),
    )


def _studies(report: _Report, patient: Patient) -> list[str]:
    """The studies of its patient that a report belongs to."""
    index = LinkIndex()
    for study, references in patient.studies.items():
        index.add_study(study, _normal(references))
    named = _named(report, [_normal(one) for one in patient.studies.values()])
    return sorted(index.studies_of(named))


def _terms(known: KnownTerms, reports: Iterable[_Report]) -> KnownTerms:
    texts = {
        f"{report.name} {part}": text
        for report in reports
        for part, text in report.content.texts().items()
    }
    return TextDeidentifier(known).terms(texts)


class _Stand:
    """Stand-ins for a patient's numbers, those that the headers of the images get.

    Numbers are compared without separators and case, as links are.
    """

    def __init__(
        self, patient: Patient | None, pseudonyms: Pseudonyms, options: frozenset[Option]
    ) -> None:
        self._patient = patient
        self._pseudonyms = pseudonyms
        self._options = options

    @property
    def days(self) -> int | None:
        """The date shift that the options ask for; ``None`` where dates go."""
        if Option.FULL_DATES in self._options:
            return 0
        if self._patient is None or Option.MODIFIED_DATES not in self._options:
            return None
        return self._pseudonyms.date_shift(self._patient.identity)

    def of(self, kind: Kind, value: str) -> str:
        """The stand-in of a number; a placeholder for one that is in no header."""
        patient = self._patient
        if kind is Kind.UID:
            return self._pseudonyms.uid(value)
        if patient is None:
            return kind.placeholder
        same = normalized(value)
        if kind is Kind.PATIENT_ID and same == normalized(patient.identity.number):
            return self._pseudonyms.patient(patient.identity)
        if kind is Kind.ACCESSION_NUMBER:
            for accession in sorted(patient.references.accessions):
                if same == normalized(accession):
                    return self._pseudonyms.identifier("accession", accession)
        return kind.placeholder


def _clean(
    reports: Iterable[_Report], texts: StudyTexts, stand: _Stand, made: CleanReports
) -> None:
    cleaned = texts.cleaned(stand.days, stand.of)
    for report in reports:
        try:
            content = cleaned.report(report.name)
        except ReportError as error:
            made.refused[str(error)] += 1
            continue
        made.files[report.name] = content


def _turned(links: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    turned: dict[str, list[str]] = defaultdict(list)
    for name, studies in sorted(links.items()):
        for study in studies:
            turned[study].append(name)
    return dict(turned)
