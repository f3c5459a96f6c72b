# SPDX-License-Identifier: Apache-2.0
"""What a vault keeps of an instance: enough to name the patient and to return a result."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple

from deid.context import HeaderContext, encodings_of
from deid.identifiers import patient_of
from deid.parsing import RawDataSet
from deid.pseudonyms import Pseudonyms
from deid.reading import read

PATIENT, ACCESSION, STUDY, UID = "patient", "accession", "study", "uid"
KINDS = (PATIENT, ACCESSION, STUDY, UID)

_CHARACTER_SET = 0x00080005
_ACCESSION_NUMBER = 0x00080050
_PATIENT = {"PatientID": 0x00100020, "IssuerOfPatientID": 0x00100021, "PatientName": 0x00100010}
# Patient and General Study Module (PS3.3 sections C.7.1.1, C.7.2.1): a result takes these over.
STUDY_ATTRIBUTES = _PATIENT | {
    "PatientBirthDate": 0x00100030,
    "PatientSex": 0x00100040,
    "StudyInstanceUID": 0x0020000D,
    "StudyDate": 0x00080020,
    "StudyTime": 0x00080030,
    "AccessionNumber": _ACCESSION_NUMBER,
    "ReferringPhysicianName": 0x00080090,
    "StudyID": 0x00200010,
    "StudyDescription": 0x00081030,
}
_STUDY_UID = 0x0020000D
# Series, SOP Instance and Frame of Reference UID.
_UIDS = (0x0020000E, 0x00080018, 0x00200052)


class Pair(NamedTuple):
    """A pseudonym and what it stands for.

    Attributes
    ----------
    kind:
        One of ``KINDS``.
    pseudonym:
        As in the de-identified files.
    study:
        Pseudonymous Study Instance UID where the pair belongs to one study, ``""`` otherwise.
    original:
        The original: a UID or number, for patient and study a JSON object by keyword.
    """

    kind: str
    pseudonym: str
    study: str
    original: str

    def __repr__(self) -> str:
        return f"Pair({self.kind}, {self.pseudonym}, ...)"


def originals_of(
    content: bytes, pseudonyms: Pseudonyms, uid: Callable[[str], str]
) -> tuple[Pair, ...]:
    """The pairs of one instance.

    Parameters
    ----------
    content:
        The original Part 10 file.
    pseudonyms:
        The stand-ins of the de-identifier.
    uid:
        The UID that stands for an original one.

    Raises
    ------
    DeidentificationError
        If the file can't be read.
    """
    header = read(content, pixels=False).header
    encodings = encodings_of(header.text(_CHARACTER_SET))
    patient = patient_of(header, encodings)
    context = HeaderContext(pseudonyms, patient, 0, encodings, frozenset())
    told = {name: _text(header, tag, context) for name, tag in STUDY_ATTRIBUTES.items()}
    study = uid(told["StudyInstanceUID"])
    named = json.dumps({name: told[name] for name in _PATIENT}, ensure_ascii=False)
    pairs = [
        Pair(PATIENT, pseudonyms.patient(patient), "", named),
        Pair(STUDY, study, study, json.dumps(told, ensure_ascii=False)),
    ]
    if told["AccessionNumber"]:
        stand_in = pseudonyms.identifier("accession", told["AccessionNumber"])
        pairs.append(Pair(ACCESSION, stand_in, study, told["AccessionNumber"]))
    for tag in (_STUDY_UID, *_UIDS):
        original = _text(header, tag, context)
        if original:
            pairs.append(Pair(UID, uid(original), study, original))
    return tuple(pairs)


def _text(header: RawDataSet, tag: int, context: HeaderContext) -> str:
    element = header.get(tag)
    return "" if element is None else context.decode(bytes(element.value))
