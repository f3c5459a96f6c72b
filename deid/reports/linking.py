# SPDX-License-Identifier: Apache-2.0
"""Which report belongs to which study, said in stand-ins only.

Identifiers are normalized, then put through the caller's keyed hash: the same for report and
images, and useless without the key.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from deid.text import Kind

Hasher = Callable[[Kind, str], str]


@dataclass(frozen=True)
class References:
    """What reports and studies name each other by, or the stand-ins of that.

    Attributes
    ----------
    patients, accessions, studies:
        Patient IDs, accession numbers, Study Instance UIDs.
    """

    patients: frozenset[str] = frozenset()
    accessions: frozenset[str] = frozenset()
    studies: frozenset[str] = frozenset()

    def hashed(self, hasher: Hasher) -> References:
        """The stand-ins, by kind; equal where only case, spaces and separators differ."""
        return References(
            frozenset(hasher(Kind.PATIENT_ID, normalized(value)) for value in self.patients),
            frozenset(
                hasher(Kind.ACCESSION_NUMBER, normalized(value)) for value in self.accessions
            ),
            frozenset(hasher(Kind.UID, value.strip(" \0")) for value in self.studies),
        )


def normalized(identifier: str) -> str:
    """``"a-00 815"`` as ``"A00815"``: systems write the same number differently."""
    return "".join(filter(str.isalnum, identifier)).upper()


@dataclass
class LinkIndex:
    """Finds the studies of a report and the reports of a study, by hashed references.

    A study UID or an accession number links for sure. The patient alone links only where nothing
    else is named, and then to all studies of the patient.
    """

    _by_reference: defaultdict[tuple[str, str], set[tuple[str, str]]] = field(
        default_factory=lambda: defaultdict(set)
    )

    def add_study(self, key: str, references: References) -> None:
        """Note a study under a key of the caller's."""
        self._add("study", key, references)

    def add_report(self, key: str, references: References) -> None:
        """Note a report under a key of the caller's."""
        self._add("report", key, references)

    def studies_of(self, references: References) -> frozenset[str]:
        """Keys of the studies that a report with these references belongs to."""
        return self._linked("study", references)

    def reports_of(self, references: References) -> frozenset[str]:
        """Keys of the reports that a study with these references has."""
        return self._linked("report", references)

    def _add(self, side: str, key: str, references: References) -> None:
        for kind, values in _by_kind(references):
            for value in values:
                self._by_reference[kind, value].add((side, key))

    def _linked(self, side: str, references: References) -> frozenset[str]:
        for kind, values in _by_kind(references):
            found = {
                key
                for value in values
                for where, key in self._by_reference.get((kind, value), ())
                if where == side
            }
            if found or (values and kind != "patient"):
                return frozenset(found)
        return frozenset()


def _by_kind(references: References) -> tuple[tuple[str, frozenset[str]], ...]:
    """The surest first."""
    return (
        ("study", references.studies),
        ("accession", references.accessions),
        ("patient", references.patients),
    )
