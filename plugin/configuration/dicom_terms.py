# SPDX-License-Identifier: AGPL-3.0-or-later
"""What DICOM calls attributes and body parts, so that a table's mistakes are found before it acts.

Lists of their own: Orthanc's process checks tables too, and loads no DICOM library.
"""

from __future__ import annotations

import difflib
from pathlib import Path

KEYWORDS = Path(__file__).with_name("dicom_keywords.csv")
"""Keywords of PS3.6 chapter 6 that a data set may hold, retired ones too."""
BODY_PARTS = Path(__file__).with_name("body_parts.csv")
"""Defined terms of Body Part Examined (PS3.16 Annex L)."""


def dicom_keyword(text: str) -> str:
    """The same, where DICOM knows it.

    Raises:
        ValueError: it does not; names those that are written nearly so.
    """
    return _listed(text, KEYWORDS, "there is no such keyword of a data set")


def body_part(text: str) -> str:
    """The same, where it is a defined term.

    Raises:
        ValueError: it is none; names those that are written nearly so.
    """
    return _listed(text, BODY_PARTS, "there is no such term in PS3.16 Annex L")


def _listed(text: str, path: Path, otherwise: str) -> str:
    known = path.read_text(encoding="ascii").split()[1:]
    if text in known:
        return text
    near = difflib.get_close_matches(text, known, n=3)
    raise ValueError(otherwise + (f"; near: {', '.join(near)}" if near else ""))
