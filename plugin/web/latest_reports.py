# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which studies have the latest reports, without reading every report that was ever made.

The worklist is asked for every few seconds by every open page. All reports are read once; then
Orthanc's list of changes says which are new. That list knows no deletions, so the newest report of
each study that is shown is looked for each time, by its UID.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from plugin.web.protocols import Archive

OWN_REPORTS = {"Modality": "SR", "Manufacturer": "Sidelight"}
"""Every scan that a model was asked about has one of these reports, whatever its outcome."""

MOST_CHANGES = 10_000
"""Where Orthanc has more changes than these, all reports are read once more."""
_PAGE = 1000
_CHUNK = 100
"""Reports that are looked for in one question: few enough for a usual LimitFindResults."""
_UID = "SeriesInstanceUID"
_IN_STOCK = 4
"""So many times the studies that are shown are known, to follow those that are deleted."""
WHOLE_SECONDS = 900.0
"""All reports are read so often: what an admin does to the list of changes has an end."""


@dataclass(frozen=True, order=True)
class _Report:
    updated: str
    """As Orthanc writes it."""
    identifier: str
    uid: str


@dataclass
class _Study:
    """The reports of one study, by Orthanc identifier; at least one."""

    reports: dict[str, _Report] = field(default_factory=dict)

    @property
    def newest(self) -> _Report:
        return max(self.reports.values())


class LatestReports:
    """Follows the reports of one Orthanc.

    Args:
        archive: Orthanc.
        most: how many studies are shown.
    """

    def __init__(self, archive: Archive, most: int) -> None:
        self._archive = archive
        self._most = most
        self._studies: dict[str, _Study] = {}
        self._reached = -1
        self._is_cut = False
        self._read_at = 0.0
        self._lock = Lock()

    def studies(self) -> dict[str, str]:
        """At most so many studies with the latest reports, and when these last changed.

        Raises:
            ArchiveError: Orthanc can't be asked.
        """
        with self._lock:
            if not self._follow():
                self._read_all()
            latest = self._still_there()
            if len(latest) < self._most and self._is_cut:
                self._read_all()
                latest = self._still_there()
            return latest

    def _read_all(self) -> None:
        # Asked for first: what changes in between is looked at again.
        reached = self._archive.last_change()
        self._studies = {}
        self._is_cut = False
        self._keep(self._archive.find("Series", OWN_REPORTS, expand=True))
        self._reached, self._read_at = reached, time.monotonic()

    def _follow(self) -> bool:
        """Read what has changed; False where all has to be read."""
        if self._reached < 0 or time.monotonic() - self._read_at > WHOLE_SECONDS:
            return False
        last = self._archive.last_change()
        if not 0 <= last - self._reached <= MOST_CHANGES:
            return False
        since, changed = self._reached, set[str]()
        while since < last:
            page = self._archive.changes(since, _PAGE)
            if not page["Changes"]:
                return False  # there were some: the list was emptied meanwhile (DELETE /changes)
            changed |= {
                str(one["ID"]) for one in page["Changes"] if one.get("ResourceType") == "Series"
            }
            if page["Done"] or int(page["Last"]) <= since:
                break
            since = int(page["Last"])
        found = self._archive.metadata_of(sorted(changed), "series", ()) if changed else []
        self._keep(one for one, _ in found if _is_report(one))
        self._reached = last
        return True

    def _keep(self, reports: Iterable[dict[str, Any]]) -> None:
        for report in reports:
            study = self._studies.setdefault(str(report["ParentStudy"]), _Study())
            identifier, tags = str(report["ID"]), report.get("MainDicomTags", {})
            study.reports[identifier] = _Report(
                str(report.get("LastUpdate", "")), identifier, str(tags.get(_UID, ""))
            )
        stock = self._most * _IN_STOCK
        if len(self._studies) > stock:
            self._studies = {name: self._studies[name] for name in self._newest()[:stock]}
            self._is_cut = True

    def _still_there(self) -> dict[str, str]:
        """The newest studies, after what was deleted of them is forgotten."""
        latest: dict[str, str] = {}
        while len(latest) < self._most:
            asked = [one for one in self._newest() if one not in latest]
            asked = asked[: self._most - len(latest)]
            if not asked:
                break
            there = self._found([self._studies[name].newest for name in asked])
            for name in asked:
                study = self._studies[name]
                report = study.newest
                if report.identifier in there:
                    latest[name] = report.updated
                    continue
                del study.reports[report.identifier]
                if not study.reports:
                    del self._studies[name]
        return latest

    def _newest(self) -> list[str]:
        studies = self._studies
        return sorted(studies, key=lambda one: studies[one].newest.updated, reverse=True)

    def _found(self, reports: Sequence[_Report]) -> set[str]:
        """Those that Orthanc still has, by identifier."""
        found: set[str] = set()
        for start in range(0, len(reports), _CHUNK):
            asked = "\\".join(one.uid for one in reports[start : start + _CHUNK])
            found.update(self._archive.find("Series", {_UID: asked}, expand=False))
        return found


def _is_report(series: dict[str, Any]) -> bool:
    tags = series.get("MainDicomTags", {})
    # Without case, as Orthanc compares.
    return all(str(tags.get(k, "")).lower() == v.lower() for k, v in OWN_REPORTS.items())
