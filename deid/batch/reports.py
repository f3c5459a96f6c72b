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
from itertools import pairwise
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
from deid.reports import Hl7Report, LinkIndex, PdfReport, References, ReportError, StudyTexts
from deid.reports.linking import normalized
from deid.revealed import Revealed
from deid.source_files import SourceFile
from deid.text import Kind, KnownTerms, TextDeidentifier

FOLDER, LINKS = "reports", "links.json"
_SUFFIXES = frozenset({".hl7", ".oru", ".txt", ".text", ".pdf"})
_SHORTEST_REFERENCE = 4
_NAME_BYTES = 16


class _Report(NamedTuple):
    """A report as it came, under the name of what is made of it."""

    name: str
    content: Hl7Report | PdfReport | str

    def texts(self) -> dict[str, str]:
        """Its free text by part."""
        if isinstance(self.content, str):
            return {"": self.content}
        return self.content.texts()

    def known(self) -> KnownTerms:
        """What its typed fields say."""
        return self.content.known_terms if isinstance(self.content, Hl7Report) else KnownTerms()

    def add_to(self, texts: StudyTexts) -> None:
        """Put it beside the other texts of its patient."""
        if isinstance(self.content, Hl7Report):
            texts.add_hl7(self.name, self.content)
        elif isinstance(self.content, PdfReport):
            texts.add_pdf(self.name, self.content)
        else:
            texts.add_plain(self.name, self.content)


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
    """

    revealed: Revealed
    files: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)

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
        With HL7 messages (``.hl7``, ``.oru``), texts (``.txt``) and PDF, at any depth.

    Raises
    ------
    DeidentificationError
        If the key can't be read.
    """
    refused: Counter[str] = Counter()
    reports = list(_read(folder, settings, refused))
    patients = patients_of(files)
    linked = _linked(reports, patients)
    made = CleanReports(Revealed({}), refused=refused)
    by_study: dict[str, KnownTerms] = {}
    to_studies: dict[str, list[str]] = {report.name: [] for report in reports}
    pseudonyms = settings.pseudonyms()
    for key, some in linked.items():
        patient = patients.get(key)
        texts = StudyTexts(patient.known if patient else KnownTerms())
        for report in some:
            report.add_to(texts)
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


def _read(folder: Path, settings: Settings, refused: Counter[str]) -> Iterable[_Report]:
    key = settings.key().derive("report name")
    parsed = _Parser(settings.policy.scanned_pages)
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.suffix.lower() not in _SUFFIXES:
            continue
        content = path.read_bytes()
        name = hashlib.blake2b(content, digest_size=_NAME_BYTES, key=key).hexdigest()
        try:
            yield parsed(name, content)
        except ReportError as error:
            refused[str(error)] += 1


class _Parser:
    """Tells the kinds of reports apart; its reader of scanned pages is loaded with the first."""

    def __init__(self, decision: ScannedPages) -> None:
        self._decision = decision

    def __call__(self, name: str, content: bytes) -> _Report:
        if content.startswith(b"%PDF"):
            report = ScannedPdfReport(content, self._decision, self._scanned)
            return _Report(f"{name}.pdf", report)
        text = _decoded(content)
        if text.lstrip("\x0b\r\n ").startswith("MSH"):
            return _Report(f"{name}.hl7", Hl7Report(text))
        return _Report(f"{name}.txt", text)

    @cached_property
    def _scanned(self) -> documents.ScannedPages:
        return documents.ScannedPages()


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


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
        owners = index.studies_of(_named(report, known))
        # Numbers of two patients: whose it is can't be told, so it is nobody's.
        found[next(iter(owners)) if len(owners) == 1 else report.name].append(report)
    return dict(found)


def _normal(references: References) -> References:
    """References as they are compared: without separators and case."""
    return references.hashed(lambda _, value: value)


def _named(report: _Report, known: Sequence[References]) -> References:
    """What a report names of all that is known; typed fields of a message come first."""
    if isinstance(report.content, Hl7Report):
        return _normal(report.content.references)
    words = " ".join(report.texts().values()).split()
    told = {normalized(word) for word in words}
    told |= {normalized(first + second) for first, second in pairwise(words)}
    told = {word for word in told if len(word) >= _SHORTEST_REFERENCE}
    uids = {word.strip(".,;:()[]\"'") for word in words}
    return References(
        frozenset(told & {value for one in known for value in one.patients}),
        frozenset(told & {value for one in known for value in one.accessions}),
        frozenset(uids & {value for one in known for value in one.studies}),
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
        f"{report.name} {part}": text for report in reports for part, text in report.texts().items()
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
            if isinstance(report.content, Hl7Report):
                content = cleaned.hl7(report.name).encode()
            elif isinstance(report.content, PdfReport):
                content = cleaned.pdf(report.name)
            else:
                content = cleaned.plain(report.name).encode()
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
