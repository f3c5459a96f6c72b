# SPDX-License-Identifier: AGPL-3.0-or-later
"""Marks standard headers of an anatomy that counts no longer; the next analysis makes them anew."""

from __future__ import annotations

import json

from plugin.states import Metadata
from plugin.web.protocols import Archive

MARK = "outdated"
"""Key in the JSON of a standard header; absent or true."""


def mark(archive: Archive, series: str, *, images: bool) -> None:
    """Say so on the standard header of a series, or on those of its images.

    Args:
        archive: Orthanc.
        series: Orthanc identifier.
        images: whether each image of the series is a scan of its own, with its own header.
    """
    name = Metadata.STANDARD_HEADER
    if not images:
        text = archive.metadata("series", series, name)
        if text is not None and (marked := _marked(text)) is not None:
            archive.put_metadata("series", series, name, marked)
        return
    for image, held in archive.metadata_of([series], "instance", [name]):
        text = held.get(name)
        if text is not None and (marked := _marked(text)) is not None:
            archive.put_metadata("instance", str(image["ID"]), name, marked)


def _marked(text: str) -> str | None:
    """None where it is marked already, or says nothing that can be read."""
    try:
        header = json.loads(text)
    except ValueError:
        return None
    if not isinstance(header, dict) or header.get(MARK):
        return None
    return json.dumps(header | {MARK: True})
