# SPDX-License-Identifier: AGPL-3.0-or-later
"""The order of a scan as another witness: Modality Worklist entries of the same accession number.

Entries are read from the folder of Orthanc's worklists plugin (PS3.4 annex K, files ``*.wl``).
What Sidelight wrote there itself is not heard. An order's words go the way of every header: they
are put into a header of the scan in place of its own words, which then is de-identified.

An accession number may have several entries, and an entry several steps: all of them are heard.
Two hospitals may give the same number, so an entry of another patient is no order of the scan.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from plugin.anatomy.lessons import CODES, NESTED, TEXTS
from plugin.doors.modality_worklist import PREFIX, SUFFIX

_LARGEST = 1 << 20
_KEPT = frozenset(("SOPClassUID", "Modality"))
_MOST_WORDS = 8
"""Descriptions of one accession number that are heard, those of the newest entry first."""


@dataclass
class Orders:
    """The entries of one folder; each file is read again only when it has changed."""

    folder: Path
    _read: dict[str, tuple[int, Dataset | None]] = field(default_factory=dict)

    def headers_of(self, original: Dataset) -> list[bytes]:
        """The header of a scan as its order would describe it, once for each description.

        With identity; none where there is no order of this patient and accession number.

        Args:
            original: the scan's header.
        """
        if not _text(original, "AccessionNumber"):
            return []
        told: dict[bytes, None] = {}
        for entry in self._entries(original):
            told |= dict.fromkeys(_all_told(original, entry))
        return list(told)[:_MOST_WORDS]

    def _entries(self, original: Dataset) -> list[Dataset]:
        """The entries of a scan, the newest first."""
        found: list[tuple[int, str, Dataset]] = []
        present: dict[str, tuple[int, Dataset | None]] = {}
        for path in self.folder.glob(f"*{SUFFIX}"):
            if path.name.startswith(PREFIX):
                continue
            changed, entry = present[path.name] = self._file(path)
            if entry is not None and _orders(entry, original):
                found.append((changed, path.name, entry))
        self._read = present  # entries come and go: what is gone is forgotten
        found.sort(key=lambda one: one[:2], reverse=True)
        return [entry for _, _, entry in found]

    def _file(self, path: Path) -> tuple[int, Dataset | None]:
        try:
            status = path.stat()
        except OSError:
            return 0, None  # gone meanwhile: its scan has been made
        known = self._read.get(path.name)
        if known is not None and known[0] == status.st_mtime_ns:
            return known
        if status.st_size > _LARGEST:
            return status.st_mtime_ns, None
        try:
            return status.st_mtime_ns, pydicom.dcmread(path, force=True)
        except Exception:  # noqa: BLE001
            # Whatever a broken file provokes: this entry says nothing, the others still do.
            return status.st_mtime_ns, None


def _orders(entry: Dataset, original: Dataset) -> bool:
    """Whether an entry is of a scan's accession number, and not of another patient."""
    if _text(entry, "AccessionNumber") != _text(original, "AccessionNumber"):
        return False
    both = ((_text(entry, k), _text(original, k)) for k in ("PatientID", "IssuerOfPatientID"))
    return all(one == other for one, other in both if one and other)


def _text(header: Dataset, keyword: str) -> str:
    return str(header.get(keyword) or "").strip()


def _descriptions(entry: Dataset) -> Iterator[Dataset]:
    """What an entry asks for: the requested procedure, then each step of it."""
    words = Dataset()
    if _text(entry, "RequestedProcedureDescription"):
        words.StudyDescription = _text(entry, "RequestedProcedureDescription")
    if entry.get("RequestedProcedureCodeSequence"):
        words.ProcedureCodeSequence = deepcopy(entry.RequestedProcedureCodeSequence)
    if words:
        yield words
    for step in entry.get("ScheduledProcedureStepSequence") or ():
        if _text(step, "ScheduledProcedureStepDescription"):
            words = Dataset()
            words.StudyDescription = _text(step, "ScheduledProcedureStepDescription")
            yield words


def _all_told(original: Dataset, entry: Dataset) -> list[bytes]:
    try:
        return [_told(original, words) for words in _descriptions(entry)]
    except Exception:  # noqa: BLE001
        # Values are read when they are asked for: as for a file that can't be read at all.
        return []


def _told(original: Dataset, words: Dataset) -> bytes:
    """The scan's header with the words of an order in place of its own."""
    told = deepcopy(original)
    for keyword in (*TEXTS, *CODES, *NESTED):
        if keyword not in _KEPT and keyword in told:
            del told[keyword]
    told.update(words)
    buffer = BytesIO()
    told.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
