# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which studies have the latest reports, without reading every report that was ever made.

The worklist is asked for every few seconds by every open page. All reports are read once; then
Orthanc's list of changes says which are new. That list knows no deletions, so the studies that are
shown are looked up each time, in one question.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Literal

from plugin.web.protocols import Archive

OWN_REPORTS = {"Modality": "SR", "Manufacturer": "Sidelight"}
"""Every scan that a model was asked about has one of these reports, whatever its outcome."""

MOST_CHANGES = 10_000
"""Where Orthanc has more changes than these, all reports are read once more."""
_PAGE = 1000
_CHUNK = 500
_IN_STOCK = 4
"""So many times the studies that are shown are known, to follow those that are deleted."""
WHOLE_SECONDS = 900.0
"""All reports are read so often: what an admin does to the list of changes has an end."""


@dataclass
class _Study:
    """The reports of one study, each with its last update, as Orthanc writes it."""

    reports: dict[str, str] = field(default_factory=dict)

    @property
    def updated(self) -> str:
        return max(self.reports.values(), default="")


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
            changed |= {
                str(one["ID"]) for one in page["Changes"] if one.get("ResourceType") == "Series"
            }
            if page["Done"] or int(page["Last"]) <= since:
                break
            since = int(page["Last"])
        self._keep(one for one in self._resources(sorted(changed), "series") if _is_report(one))
        self._reached = last
        return True

    def _keep(self, reports: Iterable[dict[str, Any]]) -> None:
        for report in reports:
            study = self._studies.setdefault(str(report["ParentStudy"]), _Study())
            study.reports[str(report["ID"])] = str(report.get("LastUpdate", ""))
        stock = self._most * _IN_STOCK
        if len(self._studies) > stock:
            self._studies = {name: self._studies[name] for name in self._newest()[:stock]}
            self._is_cut = True

    def _still_there(self) -> dict[str, str]:
        """The newest studies, after all that was deleted of them is forgotten."""
        latest: dict[str, str] = {}
        while len(latest) < self._most:
            asked = [one for one in self._newest() if one not in latest]
            asked = asked[: self._most - len(latest)]
            if not asked:
                break
            found = {str(one["ID"]): one for one in self._resources(asked, "study")}
            for name in asked:
                there = set(found[name]["Series"]) if name in found else set()
                reports = self._studies[name].reports
                for gone in reports.keys() - there:
                    del reports[gone]
                if reports:
                    latest[name] = self._studies[name].updated
                else:
                    del self._studies[name]
        return latest

    def _newest(self) -> list[str]:
        return sorted(self._studies, key=lambda one: self._studies[one].updated, reverse=True)

    def _resources(
        self, identifiers: Sequence[str], level: Literal["study", "series"]
    ) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for start in range(0, len(identifiers), _CHUNK):
            chunk = identifiers[start : start + _CHUNK]
            found += [one for one, _ in self._archive.metadata_of(chunk, level, ())]
        return found


def _is_report(series: dict[str, Any]) -> bool:
    tags = series.get("MainDicomTags", {})
    # Without case, as Orthanc compares.
    return all(str(tags.get(k, "")).lower() == v.lower() for k, v in OWN_REPORTS.items())
