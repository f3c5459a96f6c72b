# SPDX-License-Identifier: AGPL-3.0-or-later
"""Looking up studies by what a RIS knows of them: exact values, never wildcards."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from plugin.web.errors import bad_parameter
from plugin.web.protocols import Archive

SEARCHABLE = {
    "AccessionNumber": "MainDicomTags",
    "StudyInstanceUID": "MainDicomTags",
    "PatientID": "PatientMainDicomTags",
}
"""Tags that a study is looked up by, and where Orthanc's JSON of a study has them."""

# Orthanc matches *, ? and \ as wildcards or as a list of values (PS3.4 section C.2.2.2).
_EXACT = re.compile(r"[^\x00-\x20\x7f*?\\](?:[^\x00-\x1f\x7f*?\\]{0,62}[^\x00-\x20\x7f*?\\])?")


def exact(name: str, value: str) -> str:
    """The value of the query parameter ``name``.

    Raises:
        RequestError: 400 for a value that Orthanc would take as a pattern.
    """
    if not is_exact(value):
        raise bad_parameter(
            name,
            "the exact value: 1 to 64 characters, without the wildcards *, ? and \\, control"
            " characters, and spaces around it",
        )
    return value


def is_exact(value: str) -> bool:
    """Whether Orthanc would take this as a value, and not as a pattern."""
    return _EXACT.fullmatch(value) is not None


def studies_with(archive: Archive, query: Mapping[str, str]) -> list[str]:
    """Orthanc identifiers of the studies that have all these values."""
    found = archive.find("Study", query, expand=True)
    return [str(study["ID"]) for study in found if _matches(study, query)]


def _matches(study: dict[str, Any], query: Mapping[str, str]) -> bool:
    # Orthanc compares identifiers without case and accents.
    return all(
        str(study.get(SEARCHABLE[name], {}).get(name, "")).strip() == value
        for name, value in query.items()
    )
