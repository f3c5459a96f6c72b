# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is kept on a study about all its scans: regions, labels, the highest priority.

Nothing of Sidelight reads it: the worklist, the doors and who hands studies over look at the scans
themselves. It is for Orthanc's own search and for scripts, so it may come seconds after the scans.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from plugin.anatomy import AnatomyBook
from plugin.archive import Archive, ArchiveUnavailableError, NotFoundError
from plugin.queue import QueueError
from plugin.results.private import MANUFACTURER
from plugin.states import Metadata, ScanState, Status
from plugin.worker.labels import Labels
from plugin.worker.sums_ledger import MOST_REST_SECONDS, Claim, Kind, SumsLedger

LOGGER = logging.getLogger(__name__)

REST_SECONDS = 2.0
"""The least time from one sum of a study to the next."""
_REST_SHARE = 10.0
"""So many times as long as a sum took is waited for the next: a tenth of the time, at most."""
_TROUBLE_SECONDS = 30.0
LOOK_EVERY_SECONDS = 0.25
_ROUNDS = 3
"""Nodes that end scans of one study at once see each other's states by the second look."""
_VOLUMES = frozenset(("CT", "MR", "PT"))
"""Modality (0008,0060) of series that are scans as a whole."""


@dataclass(frozen=True)
class _Known:
    """One scan of the study, as its state in Orthanc says."""

    series: str
    status: Status
    priority: int


class StudySums:
    """Makes sums when something has changed; without a ledger at each change."""

    def __init__(self, archive: Archive, labels: Labels, ledger: SumsLedger | None = None) -> None:
        self._archive = archive
        self._labels = labels
        self._ledger = ledger
        self._next_look = 0.0

    def anatomy_changed(self, study: str) -> None:
        """A series of the study shows other regions, or may: see ``AnatomyBook.sum_up``."""
        self._changed("anatomy", study, "")

    def state_changed(self, study: str, series: str, state: ScanState | None = None) -> None:
        """A scan of the study has a new state.

        Args:
            study: Orthanc identifier.
            series: that of a scan that is one image; empty where the scan is a whole series.
            state: the new one; where it makes the study positive or more urgent, that is shown at
                once.
        """
        if self._changed("states", study, series) or state is None or self._ledger is None:
            return
        if self._is_raised(study, state):
            self._hurry(study, series, self._ledger)

    def run_if_due(self) -> int:
        """Make one sum whose time has come; how many were made.

        Raises:
            ArchiveUnavailableError: Orthanc can't be reached; the sum is made later.
        """
        if self._ledger is None or time.monotonic() < self._next_look:
            return 0
        self._next_look = time.monotonic() + LOOK_EVERY_SECONDS
        try:
            claim = self._ledger.waiting()
        except QueueError as error:
            self._next_look = time.monotonic() + _TROUBLE_SECONDS
            LOGGER.warning("sums of studies wait: %s", error)
            return 0
        if claim is None:
            return 0
        self._next_look = 0.0
        try:
            self._settle(claim, self._ledger)
        except ArchiveUnavailableError:
            raise
        except NotFoundError:
            LOGGER.info("a study was deleted before it was summed up")
        except Exception as error:  # noqa: BLE001 - one study keeps no scan of another one back
            LOGGER.error("a study is not summed up yet: %s", type(error).__name__)  # noqa: TRY400
        return 1

    def _changed(self, kind: Kind, study: str, series: str) -> bool:
        """Note a change; whether nothing is left to do about it."""
        if not study:
            return True
        if self._ledger is None:
            self._make(kind, study, {series} - {""}, known=False)
            return True
        try:
            claim = self._ledger.changed(kind, study, series)
        except QueueError as error:
            LOGGER.warning("a study is summed up at once: %s", error)
            self._make(kind, study, {series} - {""}, known=False)
            return True
        if claim is not None:
            self._settle(claim, self._ledger)
        return claim is not None

    def _is_raised(self, study: str, state: ScanState) -> bool:
        """Whether a state says more of a study than what is kept on it."""
        if state.status is not Status.FINDINGS and not state.priority:
            return False
        kept = self._archive.metadata("study", study, Metadata.PRIORITY)
        if kept is None or not kept.isdecimal() or int(kept) < state.priority:
            return True
        return not self._labels.shows("study", study, state.status)

    def _hurry(self, study: str, series: str, ledger: SumsLedger) -> None:
        try:
            claim = ledger.hurried("states", study)
        except QueueError as error:
            LOGGER.warning("a study is summed up at once: %s", error)
            claim = None
        if claim is not None:
            self._settle(claim, ledger)
        else:  # another worker's sum began before the new state, and the change stays noted
            self._make("states", study, {series} - {""}, known=False)

    def _settle(self, claim: Claim, ledger: SumsLedger) -> None:
        started = time.monotonic()
        try:
            known = claim.known or self._is_new(claim.study)
            remembered = self._make(claim.kind, claim.study, claim.series, known=known)
        except NotFoundError:
            ledger.made(claim, REST_SECONDS)
            raise
        except Exception:
            ledger.failed(claim, _TROUBLE_SECONDS)
            raise
        took = time.monotonic() - started
        rest = min(max(REST_SECONDS, _REST_SHARE * took), MOST_REST_SECONDS)
        try:
            ledger.made(claim, rest, remembered)
        except QueueError as error:
            LOGGER.warning("a study is summed up once more: %s", error)

    def _is_new(self, study: str) -> bool:
        """Whether a study was never summed up: all that has a state in it is noted then."""
        return self._archive.metadata("study", study, Metadata.PRIORITY) is None

    def _make(
        self, kind: Kind, study: str, series: Collection[str], *, known: bool
    ) -> frozenset[str]:
        """Make a sum; the series whose images have to be looked at the next time, too.

        Args:
            kind: of what.
            study: Orthanc identifier.
            series: where single images have a new state.
            known: whether ``series`` names all whose images can't be told to have one.
        """
        if kind == "anatomy":
            AnatomyBook(self._archive).sum_up(study)
            return frozenset()
        seen: list[_Known] | None = None
        remembered: frozenset[str] = frozenset()
        for _ in range(_ROUNDS):
            now, remembered = self._scans(study, series, known=known)
            if now == seen:
                break
            self._show(study, series, now)
            seen = now
        return remembered

    def _show(self, study: str, series: Collection[str], scans: list[_Known]) -> None:
        if not scans:
            return
        for one in sorted(series):
            with suppress(NotFoundError):  # the series is gone, the study is not
                inside = [scan.status for scan in scans if scan.series == one]
                self._labels.show("series", one, inside)
        self._labels.show("study", study, [scan.status for scan in scans])
        highest = str(max(scan.priority for scan in scans))
        if self._archive.metadata("study", study, Metadata.PRIORITY) != highest:
            self._archive.put_metadata("study", study, Metadata.PRIORITY, highest)

    def _scans(
        self, study: str, series: Collection[str], *, known: bool
    ) -> tuple[list[_Known], frozenset[str]]:
        """The scans of a study that have a state, but for Sidelight's own objects.

        Images are asked about only where they can be scans of their own.
        """
        found: list[_Known] = []
        asked: list[str] = []
        whole: set[str] = set()
        names = (Metadata.STATE, Metadata.ANATOMY)
        for one, held in self._archive.metadata_of([study], "series", names):
            identifier = str(one["ID"])
            found += _known(identifier, held.get(Metadata.STATE))
            if _is_whole(one, held):
                whole.add(identifier)
            if identifier in series or not (known and identifier in whole):
                asked.append(identifier)
        inside: set[str] = set()
        if asked:
            for one, held in self._archive.metadata_of(asked, "instance", (Metadata.STATE,)):
                parent = str(one["ParentSeries"])
                found += _known(parent, held.get(Metadata.STATE))
                inside |= {parent} if Metadata.STATE in held else set()
        return found, frozenset(whole & (inside | set(series)))


def _is_whole(one: Mapping[str, Any], held: Mapping[Metadata, str]) -> bool:
    """Whether a series looks as if none of its images was a scan of its own."""
    tags = one.get("MainDicomTags", {})
    if Metadata.STATE in held or tags.get("Manufacturer") == MANUFACTURER:
        return True
    text = held.get(Metadata.ANATOMY)
    if text is None or tags.get("Modality") not in _VOLUMES:
        return False
    try:
        return not json.loads(text).get("images")
    except (ValueError, AttributeError):
        return False  # written by another version


def _known(series: str, value: str | None) -> list[_Known]:
    if value is None:
        return []
    try:
        state: Mapping[str, object] = json.loads(value)
        status = Status(str(state["status"]))
        priority = int(str(state.get("priority", 0)))
    except (ValueError, KeyError, TypeError, AttributeError):
        return []  # written by another version; it is read as such where it is shown
    return [] if status is Status.OWN_OBJECT else [_Known(series, status, priority)]
