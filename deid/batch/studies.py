# SPDX-License-Identifier: Apache-2.0
"""Whose studies the files of a run are, and what their headers say of people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from deid.context import encodings_of
from deid.errors import DeidentificationError
from deid.identifiers import decoded_text, patient_of, told_texts
from deid.parsing import RawDataSet
from deid.pseudonyms import PatientIdentity
from deid.reading import read
from deid.reports import References
from deid.source_files import SourceFile
from deid.text import KnownTerms, header_terms

_CHARACTER_SET, _STUDY, _PATIENT_ID, _ACCESSION = 0x00080005, 0x0020000D, 0x00100020, 0x00080050
_FREE = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})
_TEXTS = _FREE | {"PN"}


@dataclass
class Patient:
    """One patient of a run.

    Attributes
    ----------
    identity:
        As pseudonyms are made of it.
    known:
        What the typed fields of all headers say.
    texts:
        Their free texts, each once.
    studies:
        References of each study by its original Study Instance UID.
    """

    identity: PatientIdentity
    known: KnownTerms = field(default_factory=KnownTerms)
    texts: set[str] = field(default_factory=set)
    studies: dict[str, References] = field(default_factory=dict)

    @property
    def free_texts(self) -> dict[str, str]:
        """The free texts by a number of their own."""
        return {str(at): text for at, text in enumerate(sorted(self.texts))}

    @property
    def references(self) -> References:
        """Those of all studies."""
        every = self.studies.values()
        return References(
            frozenset(one for each in every for one in each.patients),
            frozenset(one for each in every for one in each.accessions),
            frozenset(one for each in every for one in each.studies),
        )


def patients_of(files: Iterable[SourceFile]) -> dict[str, Patient]:
    """The patients of all files that can be read, by a key of their own.

    Headers of a series are alike: each text counts once.
    """
    found: dict[str, Patient] = {}
    seen: dict[str, set[tuple[int, str, str]]] = {}
    for file in files:
        try:
            header = read(file.read(), pixels=False).header
        except DeidentificationError:
            # Whoever processes it will meet the same and say so.
            continue
        encodings = encodings_of(header.text(_CHARACTER_SET))
        identity = patient_of(header, encodings)
        key = "\x1f".join(identity)
        patient = found.setdefault(key, Patient(identity))
        told = seen.setdefault(key, set())
        texts = (one for one in told_texts(header, encodings) if one[1] in _TEXTS and one[2])
        new = [one for one in texts if one not in told]
        told.update(new)
        patient.known |= header_terms(new)
        for _, vr, text in new:
            if vr in _FREE:
                patient.texts.add(text)
        _note(patient, header, encodings)
    return found


def _note(patient: Patient, header: RawDataSet, encodings: tuple[str, ...]) -> None:
    study = header.text(_STUDY)
    before = patient.studies.get(study, References())
    number, accession = (
        decoded_text(header[tag], encodings).strip(" \0") if tag in header else ""
        for tag in (_PATIENT_ID, _ACCESSION)
    )
    patient.studies[study] = References(
        before.patients | ({number} - {""}),
        before.accessions | ({accession} - {""}),
        before.studies | ({study} - {""}),
    )
