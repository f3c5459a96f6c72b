# SPDX-License-Identifier: AGPL-3.0-or-later
"""The order of a scan as another witness: Modality Worklist entries of the same accession number.

Entries are read from the folder of Orthanc's worklists plugin (PS3.4 annex K, files ``*.wl``).
What Sidelight wrote there itself is not heard. An order's words go the way of every header: they
are put into a header of the scan in place of its own words, which then is de-identified.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from plugin.anatomy.lessons import CODES, TEXTS
from plugin.doors.modality_worklist import PREFIX, SUFFIX

_LARGEST = 1 << 20
_KEPT = frozenset(("SOPClassUID", "Modality"))


@dataclass
class Orders:
    """The entries of one folder; each file is read again only when it has changed."""

    folder: Path
    _read: dict[str, tuple[int, Dataset | None]] = field(default_factory=dict)

    def header_of(self, original: Dataset) -> bytes | None:
        """The header of a scan as its order would describe it, with identity; None without one.

        Args:
            original: the scan's header.
        """
        accession = str(original.get("AccessionNumber") or "").strip()
        entry = self._entry(accession) if accession else None
        if entry is None:
            return None
        told = _described(original, entry)
        buffer = BytesIO()
        told.save_as(buffer, enforce_file_format=True)
        return buffer.getvalue()

    def _entry(self, accession: str) -> Dataset | None:
        """The newest entry of an accession number."""
        found: list[tuple[int, Dataset]] = []
        present: dict[str, tuple[int, Dataset | None]] = {}
        for path in self.folder.glob(f"*{SUFFIX}"):
            if path.name.startswith(PREFIX):
                continue
            changed, entry = present[path.name] = self._file(path)
            if entry is not None and str(entry.get("AccessionNumber") or "").strip() == accession:
                found.append((changed, entry))
        self._read = present  # entries come and go: what is gone is forgotten
        return max(found, key=lambda one: one[0])[1] if found else None

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


def _described(original: Dataset, entry: Dataset) -> Dataset:
    """The scan's header with the words of the order in place of its own."""
    told = deepcopy(original)
    for keyword in (*TEXTS, *CODES):
        if keyword not in _KEPT and keyword in told:
            del told[keyword]
    step = next(iter(entry.get("ScheduledProcedureStepSequence") or ()), Dataset())
    words = entry.get("RequestedProcedureDescription") or step.get(
        "ScheduledProcedureStepDescription"
    )
    if words:
        told.StudyDescription = str(words)
    if entry.get("RequestedProcedureCodeSequence"):
        told.ProcedureCodeSequence = deepcopy(entry.RequestedProcedureCodeSequence)
    return told
