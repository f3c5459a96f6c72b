# SPDX-License-Identifier: AGPL-3.0-or-later
"""Looking up studies by what a RIS knows of them: exact values, never wildcards."""

from __future__ import annotations

from plugin.exact_search import SEARCHABLE, is_exact, studies_with
from plugin.web.errors import bad_parameter

__all__ = ["SEARCHABLE", "exact", "is_exact", "studies_with"]


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
