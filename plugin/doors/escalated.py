# SPDX-License-Identifier: AGPL-3.0-or-later
"""What workitems and worklist entries have in common: whose scan escalated, and why."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydicom import config
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from plugin.doors.concepts import Concept
from plugin.doors.result import Coded, Result

LONG_STRING = 64
"""Characters in a value of VR LO (PS3.5 Table 6.2-1)."""

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:sidelight:escalation")


@dataclass(frozen=True)
class Escalation:
    """Results of one scan with a finding that can't wait.

    Attributes:
        results: its reports.
        names: names of the findings, the most severe first.
        token: hexadecimal digest that tells it from all others; holds nothing of the patient.
        noted: when it was noted.
    """

    results: Sequence[Result]
    names: tuple[str, ...]
    token: str
    noted: datetime

    @classmethod
    def of(
        cls, results: Sequence[Result], severity: int, token: str, noted: datetime
    ) -> Escalation:
        """The escalation of these results.

        Named are the findings of that severity or above; where a rule of the site raised the
        priority of a scan without one, all that are present.
        """
        present = [finding for result in results for finding in result.present]
        severe = [finding for finding in present if (finding.severity or 0) >= severity]
        names = dict.fromkeys(finding.name for finding in severe or present)
        return cls(results, tuple(names), token, noted)

    @property
    def label(self) -> str:
        """One line for a worklist."""
        line = "AI suspects " + ", ".join(self.names)
        return line if len(line) <= LONG_STRING else line[: LONG_STRING - 3] + "..."

    def uid(self, kind: str) -> str:
        """A UID of the escalation, the same at each attempt (PS3.5 section B.2)."""
        return f"2.25.{uuid.uuid5(_NAMESPACE, f'{kind} {self.token}').int}"


def identify(target: Dataset, escalation: Escalation) -> None:
    """Write the patient of the results; values go over as the report has them."""
    patient = escalation.results[0].patient
    target.SpecificCharacterSet = "ISO_IR 192"
    put(target, "PatientName", patient.name)
    put(target, "PatientID", patient.id)
    if patient.issuer:
        put(target, "IssuerOfPatientID", patient.issuer)
    put(target, "PatientBirthDate", patient.birth_date)
    put(target, "PatientSex", patient.sex)


def put(target: Dataset, keyword: str, value: str) -> None:
    """Write a value that may break its VR: changing it would name another patient or order."""
    tag = Tag(keyword)
    target[tag] = DataElement(tag, dictionary_VR(keyword), value, validation_mode=config.IGNORE)


def code_item(code: Coded | Concept) -> Dataset:
    """A code as the item of a code sequence (PS3.3 Table 8.8-1)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = code.value, code.scheme
    item.CodeMeaning = code.meaning[:LONG_STRING]
    return item
