# SPDX-License-Identifier: AGPL-3.0-or-later
"""Marks standard headers of an anatomy that counts no longer; the next analysis makes them anew."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Literal

from plugin.archive import NotFoundError
from plugin.states import Metadata
from plugin.web.protocols import Archive

MARK = "outdated"
"""Key in the JSON of a standard header; absent or true."""


def mark(archive: Archive, series: str) -> None:
    """Say so on the standard header of a series, or on those of its images.

    What is deleted meanwhile has nothing to be marked.

    Args:
        archive: Orthanc.
        series: Orthanc identifier.
    """
    name = Metadata.STANDARD_HEADER
    with suppress(NotFoundError):
        text = archive.metadata("series", series, name)
        if text is not None:
            _put(archive, "series", series, text)
            return
        # Each image may be a scan of its own, with its own header.
        for image, held in archive.metadata_of([series], "instance", [name]):
            with suppress(NotFoundError):
                _put(archive, "instance", str(image["ID"]), held.get(name, ""))


def _put(
    archive: Archive, level: Literal["series", "instance"], identifier: str, text: str
) -> None:
    marked = _marked(text)
    if marked is not None:
        archive.put_metadata(level, identifier, Metadata.STANDARD_HEADER, marked)


def _marked(text: str) -> str | None:
    """None where it is marked already, or says nothing that can be read."""
    try:
        header = json.loads(text)
    except ValueError:
        return None
    if not isinstance(header, dict) or header.get(MARK):
        return None
    return json.dumps(header | {MARK: True})
