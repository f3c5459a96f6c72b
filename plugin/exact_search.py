# SPDX-License-Identifier: AGPL-3.0-or-later
"""Finding studies in Orthanc by exact values, never by wildcards."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, Protocol

SEARCHABLE = {
    "AccessionNumber": "MainDicomTags",
    "StudyInstanceUID": "MainDicomTags",
    "PatientID": "PatientMainDicomTags",
}
"""Tags that a study is looked up by, and where Orthanc's JSON of a study has them."""

# Orthanc matches *, ? and \ as wildcards or as a list of values (PS3.4 section C.2.2.2).
_EXACT = re.compile(r"[^\x00-\x20\x7f*?\\](?:[^\x00-\x1f\x7f*?\\]{0,62}[^\x00-\x20\x7f*?\\])?")


class Finder(Protocol):
    """What is needed of Orthanc."""

    def find(
        self, level: Literal["Study"], query: Mapping[str, str], /, *, expand: bool = True
    ) -> list[Any]:
        """Resources whose tags match."""


def is_exact(value: str) -> bool:
    """Whether Orthanc would take this as a value, and not as a pattern."""
    return _EXACT.fullmatch(value) is not None


def studies_with(archive: Finder, query: Mapping[str, str]) -> list[str]:
    """Orthanc identifiers of the studies that have all these values."""
    return [str(study["ID"]) for study in found_with(archive, query)]


def found_with(archive: Finder, query: Mapping[str, str]) -> list[dict[str, Any]]:
    """Orthanc's JSON of the studies that have all these values."""
    found = archive.find("Study", query, expand=True)
    return [study for study in found if _matches(study, query)]


def _matches(study: dict[str, Any], query: Mapping[str, str]) -> bool:
    # Orthanc compares identifiers without case and accents.
    return all(
        str(study.get(SEARCHABLE[name], {}).get(name, "")).strip() == value
        for name, value in query.items()
    )
